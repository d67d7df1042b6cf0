using System.Buffers;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using FuncX.Tests.Fuzz;

namespace FuncX.Tests.Integration.Access;

/// <summary>Dials an endpoint as its managers do, with the rendezvous file's secret, and says what cannot be. A connection ends at its first such frame, so each makes a new one.</summary>
internal sealed class MadManager : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    /// <summary>Changed frames on one connection of <see cref="FuzzAsync"/>.</summary>
    public const int FramesOfConnection = 20;

    private readonly JsonDocument _rendezvous;
    private readonly int _port;

    private MadManager(JsonDocument rendezvous, int port)
    {
        _rendezvous = rendezvous;
        _port = port;
    }

    public static MadManager Of(LocalCluster cluster) => new(
        JsonDocument.Parse(File.ReadAllBytes(Directory.GetFiles(cluster.Endpoint.StateDirectory, "rendezvous.json", SearchOption.AllDirectories).Single())),
        cluster.Endpoint.Port);

    /// <summary>Plain bytes where a TLS greeting should be.</summary>
    /// <returns>Whether the endpoint closed the connection.</returns>
    public async Task<bool> WithoutTlsAsync(Random random)
    {
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", _port);
        var noise = Noise(random, 2_000);
        // No TLS record begins so: a length that looks right could make the endpoint wait for the rest.
        noise[0] = (byte)random.Next(0x40, 0x100);
        return await EndsAsync(client.GetStream(), noise);
    }

    /// <summary>A handshake, mostly a right hello and inventory, some frames that are nonsense and may be, then one that cannot be.</summary>
    /// <returns>Whether the endpoint closed the connection.</returns>
    public async Task<bool> BreakAsync(Random random, int number)
    {
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync("127.0.0.1", _port);
        await using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) => IsOfEndpoint(certificate));
        await tls.AuthenticateAsClientAsync("funcx");
        var output = new ArrayBufferWriter<byte>();
        switch (number % 8)
        {
            case 1:
                // No hello at all.
                break;
            case 2:
                Hello(output, "wrong", number);
                break;
            default:
                Hello(output, _rendezvous.RootElement.GetProperty("secret").GetString()!, number);
                FrameWriter.Write(output, new FrameHeader { Kind = FrameKind.Inventory, Flags = FrameFlags.Last }, []);
                for (var i = random.Next(4); i > 0; i--)
                    Strange(output, random);
                break;
        }

        Impossible(output, random);
        return await EndsAsync(tls, output.WrittenMemory);
    }

    /// <summary>A right beginning, then frames of managers with something changed, until the endpoint has had enough or all are sent.</summary>
    public async Task FuzzAsync(int number)
    {
        var random = FuzzRun.Of("managers", number);
        using var client = new TcpClient { NoDelay = true };
        await client.ConnectAsync("127.0.0.1", _port);
        await using var tls = new SslStream(client.GetStream(), leaveInnerStreamOpen: false, (_, certificate, _, _) => IsOfEndpoint(certificate));
        await tls.AuthenticateAsClientAsync("funcx");
        var output = new ArrayBufferWriter<byte>();
        Hello(output, _rendezvous.RootElement.GetProperty("secret").GetString()!, number + 1_000_000);
        FrameWriter.Write(output, new FrameHeader { Kind = FrameKind.Inventory, Flags = FrameFlags.Last }, []);
        for (var i = 0; i < FramesOfConnection; i++)
        {
            var frame = new ArrayBufferWriter<byte>();
            Strange(frame, random);
            output.Write(new Mutation([frame.WrittenSpan.ToArray()], "null", "{}", "\"hops\":null", "\"note\":null").Next(random));
        }

        try
        {
            await tls.WriteAsync(output.WrittenMemory);
            // As a manager does that ends; what it is answered until then is of no interest.
            await tls.ShutdownAsync();
            client.Client.Shutdown(SocketShutdown.Send);
            (await EndsAsync(tls, ReadOnlyMemory<byte>.Empty)).ShouldBeTrue($"the connection of manager {number} was still open after its end (FUNCX_TESTS_SEED={FuzzRun.Seed}): {FuzzRun.Hex(output.WrittenSpan)}");
        }
        catch (IOException)
        {
            // The endpoint was faster.
        }
    }

    public void Dispose() => _rendezvous.Dispose();

    private static async Task<bool> EndsAsync(Stream stream, ReadOnlyMemory<byte> bytes)
    {
        using var limit = new CancellationTokenSource(Limit);
        try
        {
            if (bytes.Length > 0)
                await stream.WriteAsync(bytes, limit.Token);
            var buffer = new byte[4_096];
            while (await stream.ReadAsync(buffer, limit.Token) > 0)
            {
            }

            return true;
        }
        catch (IOException)
        {
            // Reset: it was closed with bytes unread.
            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private static void Strange(IBufferWriter<byte> output, Random random)
    {
        var header = Header(random);
        switch (random.Next(4))
        {
            case 3:
                // Leaves out what it may, or says that there is none.
                header.Kind = FrameKind.Status;
                FrameWriter.Write(output, header, random.Next(2) == 0 ? "{\"workers\":1}"u8 : "{\"note\":null,\"hops\":null}"u8);
                break;
            case 0:
                header.Kind = FrameKind.Heartbeat;
                FrameWriter.Write(output, header, Noise(random, random.Next(300)));
                break;
            case 1:
                // Of a task that nobody has.
                header.Kind = FrameKind.Returned;
                FrameWriter.Write(output, header, []);
                break;
            default:
                header.Kind = FrameKind.Result;
                var body = Noise(random, ResultPrefix.Size + random.Next(100));
                new ResultPrefix { Outcome = TaskOutcome.Value, WorkerStarted = random.NextInt64(), WorkerEnded = random.NextInt64() }.Write(body);
                FrameWriter.Write(output, header, body);
                break;
        }
    }

    private static void Impossible(ArrayBufferWriter<byte> output, Random random)
    {
        var header = Header(random);
        var start = output.WrittenCount;
        FrameKind[] notAManagers = [FrameKind.Hello, FrameKind.Welcome, FrameKind.Function, FrameKind.Owner, FrameKind.Task, FrameKind.Cancel, FrameKind.Ack, FrameKind.Drain, FrameKind.Fork];
        var (kind, body) = random.Next(8) switch
        {
            0 => (notAManagers[random.Next(notAManagers.Length)], random.Next(300)),
            1 => (FrameKind.Result, random.Next(ResultPrefix.Size)),
            2 => (FrameKind.Mark, random.Next(8)),
            3 => (FrameKind.Inventory, random.Next(300)),
            4 => (FrameKind.Segment, random.Next(300)),
            5 => (FrameKind.Status, random.Next(1, 300)),
            _ => (FrameKind.Heartbeat, random.Next(300)),
        };
        header.Kind = kind;
        var noise = Noise(random, body);
        if (kind == FrameKind.Status)
            noise[0] = (byte)'<';
        FrameWriter.Write(output, header, noise);
        if (kind != FrameKind.Heartbeat)
            return;
        // A frame that could be, with a kind or a length that cannot.
        var bytes = output.WrittenMemory.ToArray();
        if (random.Next(2) == 0)
            bytes[start + FrameHeader.KindOffset] = (byte)random.Next((int)FrameKind.Exited + 1, 256);
        else
            BitConverter.TryWriteBytes(bytes.AsSpan(start), random.Next(2) == 0 ? random.Next(FrameHeader.Size) : random.Next(FrameHeader.MaxFrame + 1, int.MaxValue));
        output.ResetWrittenCount();
        output.Write(bytes);
    }

    private static FrameHeader Header(Random random) => new()
    {
        Flags = (FrameFlags)(random.Next(16) & ~(int)FrameFlags.Segmented),
        Task = new TaskId(ServiceApi.NewBatch(), (uint)random.Next()),
        Ticket = (uint)random.Next(),
        Function = (uint)random.Next(10),
        Attempt = (ushort)random.Next(5),
    };

    private static byte[] Noise(Random random, int count)
    {
        var bytes = new byte[count];
        random.NextBytes(bytes);
        return bytes;
    }

    private bool IsOfEndpoint(X509Certificate? certificate) => string.Equals(
        certificate?.GetCertHashString(HashAlgorithmName.SHA256), _rendezvous.RootElement.GetProperty("fingerprint").GetString(), StringComparison.OrdinalIgnoreCase);

    private void Hello(IBufferWriter<byte> output, string secret, int number) =>
        FrameWriter.Write(output, new FrameHeader { Kind = FrameKind.Hello }, JsonSerializer.SerializeToUtf8Bytes(new
        {
            role = "manager",
            version = "test",
            protocol_minimum = 1,
            protocol_maximum = 1,
            secret,
            block = _rendezvous.RootElement.GetProperty("block").GetString(),
            manager = $"mad-{number}",
            node = "mad",
            pid = Environment.ProcessId,
        }));
}
