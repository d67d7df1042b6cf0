using System.Buffers;
using System.Net;
using System.Threading.Channels;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace FuncX.Tests.Unit;

/// <summary>A service that does what the test says, over real HTTP/2.</summary>
internal sealed class PlayedService : IAsyncDisposable
{
    private readonly WebApplication _app;

    private PlayedService(WebApplication app, int port)
    {
        _app = app;
        Port = port;
    }

    public int Port { get; }

    public string Address => $"http://127.0.0.1:{Port}";

    public Channel<PlayedLink> Links { get; private set; } = Channel.CreateUnbounded<PlayedLink>();

    public static async Task<PlayedService> StartAsync(int port = 0)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        var links = Channel.CreateUnbounded<PlayedLink>();
        builder.Services.AddGrpc(options => options.MaxReceiveMessageSize = 64 << 20);
        builder.Services.AddRouting();
        builder.Services.AddSingleton(links);
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.Http2.InitialConnectionWindowSize = kestrel.Limits.Http2.InitialStreamWindowSize = 8 << 20;
            kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http2);
        });
        var app = builder.Build();
        app.UseRouting();
        app.MapGrpcService<LinkServer>();
        await app.StartAsync();
        var address = app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First();
        return new PlayedService(app, new Uri(address).Port) { Links = links };
    }

    /// <summary>The next link, welcomed.</summary>
    public async Task<PlayedLink> LinkAsync(uint epoch = 1, double seconds = 15)
    {
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(seconds));
        var link = await Links.Reader.ReadAsync(limit.Token);
        (await link.ReadAsync()).MessageCase.ShouldBeCase(EndpointMessage.MessageOneofCase.Hello);
        await link.SendAsync(new ServiceMessage { Welcome = new LinkWelcome { Epoch = epoch, Protocol = 1, Version = "9.9.9", Name = "test" } });
        while (true)
        {
            var inventory = (await link.ReadAsync()).Inventory;
            for (var i = 0; i < inventory.Entries.Length; i += InventoryEntry.Size)
                link.Inventory.Add(InventoryEntry.Read(inventory.Entries.Span[i..]));
            if (inventory.Last)
                return link;
        }
    }

    public async ValueTask DisposeAsync()
    {
        using var now = new CancellationTokenSource(TimeSpan.FromMilliseconds(1));
        await _app.StopAsync(now.Token);
        await _app.DisposeAsync();
    }

    private sealed class LinkServer(Channel<PlayedLink> links) : Link.LinkBase
    {
        public override async Task Connect(IAsyncStreamReader<EndpointMessage> requestStream, IServerStreamWriter<ServiceMessage> responseStream, ServerCallContext context)
        {
            using var link = new PlayedLink(requestStream, responseStream, context.CancellationToken);
            await links.Writer.WriteAsync(link);
            await link.Over.Task;
        }
    }
}

internal sealed class PlayedLink(IAsyncStreamReader<EndpointMessage> reader, IServerStreamWriter<ServiceMessage> writer, CancellationToken gone) : IDisposable
{
    private readonly SemaphoreSlim _writing = new(1);

    public TaskCompletionSource Over { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public List<InventoryEntry> Inventory { get; } = [];

    /// <summary>Tasks that the endpoint has asked for in all, as far as its messages were read.</summary>
    public ulong Credit { get; private set; }

    public async Task<EndpointMessage> ReadAsync(double seconds = 10)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(gone);
        limit.CancelAfter(TimeSpan.FromSeconds(seconds));
        if (!await reader.MoveNext(limit.Token))
            throw new EndOfStreamException();
        if (reader.Current.MessageCase == EndpointMessage.MessageOneofCase.Credit)
            Credit = reader.Current.Credit.Tasks;
        return reader.Current;
    }

    /// <summary>The tasks that are given back next; other messages in between are skipped.</summary>
    public async Task<List<TaskId>> ReturnedAsync(double seconds = 10)
    {
        while (true)
        {
            var message = await ReadAsync(seconds);
            if (message.MessageCase != EndpointMessage.MessageOneofCase.Returned)
                continue;
            var tasks = new List<TaskId>();
            var bytes = message.Returned.Frames.Memory;
            while (FrameReader.TryRead(bytes.Span, out var header, out var length))
            {
                tasks.Add(header.Task);
                bytes = bytes[length..];
            }

            return tasks;
        }
    }

    /// <summary>The next results; other messages in between are skipped.</summary>
    public async Task<(ulong Sequence, List<(FrameHeader Header, byte[] Body)> Frames)> ResultsAsync(double seconds = 10)
    {
        while (true)
        {
            var message = await ReadAsync(seconds);
            if (message.MessageCase != EndpointMessage.MessageOneofCase.Results)
                continue;
            var frames = new List<(FrameHeader, byte[])>();
            var bytes = message.Results.Frames.Memory;
            while (FrameReader.TryRead(bytes.Span, out var header, out var length))
            {
                frames.Add((header, bytes.Slice(FrameHeader.Size, header.BodyLength).ToArray()));
                bytes = bytes[length..];
            }

            return (message.Results.Sequence, frames);
        }
    }

    public async Task SendAsync(ServiceMessage message)
    {
        await _writing.WaitAsync();
        try
        {
            await writer.WriteAsync(message);
        }
        finally
        {
            _writing.Release();
        }
    }

    public async Task TellAsync(uint function = 7, uint owner = 3)
    {
        await SendAsync(new ServiceMessage
        {
            Function = new LinkFunction { Number = function, FunctionId = "f" + function, Kind = "python", Name = "f", Entry = "f", Code = ByteString.CopyFromUtf8("def f(): pass") },
        });
        await SendAsync(new ServiceMessage { Owner = new LinkOwner { Number = owner, Owner = "alice" } });
    }

    public Task TasksAsync(BatchId batch, uint first, int count, int bytes, ushort attempt = 1, FrameFlags flags = FrameFlags.None, uint epoch = 1, uint function = 7)
    {
        var output = new ArrayBufferWriter<byte>();
        for (var i = 0; i < count; i++)
        {
            var body = new byte[bytes];
            if (bytes >= 4)
                BitConverter.TryWriteBytes(body, first + (uint)i);
            FrameWriter.WriteSegmented(output, new FrameHeader
            {
                Kind = FrameKind.Task, Flags = flags, Attempt = attempt, Epoch = epoch, Task = new TaskId(batch, first + (uint)i), Function = function, Owner = 3, ContentType = ContentType.Json,
            }, body);
        }

        return SendAsync(new ServiceMessage { Tasks = new LinkTasks { Frames = ByteString.CopyFrom(output.WrittenSpan) } });
    }

    public void Dispose() => _writing.Dispose();

    public Task AckAsync(ulong sequence) => SendAsync(new ServiceMessage { Ack = new LinkAck { Sequence = sequence } });
}

internal static class LinkAssertions
{
    public static void ShouldBeCase(this EndpointMessage.MessageOneofCase actual, EndpointMessage.MessageOneofCase expected)
    {
        if (actual != expected)
            throw new InvalidOperationException($"the endpoint sent {actual}; expected {expected}");
    }
}
