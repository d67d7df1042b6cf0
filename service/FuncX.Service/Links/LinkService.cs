using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Limits;
using FuncX.Service.Registry;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Grpc.Core;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Links;

/// <summary>The endpoint's link over gRPC: one bidirectional stream that the endpoint opens.</summary>
public sealed partial class LinkService(TaskEngine engine, EndpointCatalog endpoints, FunctionCatalog functions, ContainerCatalog containers, EndpointPresence presence, ServiceLimits limits, ILogger<LinkService> log)
    : Link.LinkBase
{
    /// <summary>Entries of one inventory; more cannot be at one endpoint.</summary>
    private const int MostHeld = 20_000_000;

    private const int MostVersionCharacters = 64;
    private const int MostNoteCharacters = 1024;

    private static readonly TimeSpan _helloPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan _supersededPatience = TimeSpan.FromSeconds(1);

    public override async Task Connect(IAsyncStreamReader<EndpointMessage> requestStream, IServerStreamWriter<ServiceMessage> responseStream, ServerCallContext context)
    {
        var caller = context.GetCaller();
        if (caller.EndpointId is not { } endpointId)
            throw new RpcException(new Status(StatusCode.PermissionDenied, "Link.Connect wants an endpoint's credential; a user's token was given. Register the endpoint and use the credential of the reply."));
        if (!endpoints.TryGet(caller.Owner, endpointId, out var endpoint))
            throw new RpcException(new Status(StatusCode.NotFound, $"endpoint '{endpointId}' was not found"));
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(context.CancellationToken, caller.Revoked);
        LinkSession? link = null;
        try
        {
            var (hello, protocol) = await HelloAsync(requestStream, endpointId, ending.Token);
            link = new LinkSession(caller.Owner.Number, caller.UserName, hello.Instance, hello.Version) { LastHeard = engine.Now, MaxAttempts = hello.MaxAttempts is 0 ? ushort.MaxValue : (ushort)hello.MaxAttempts };
            if (!await engine.ConnectAsync(link, endpoint.Number, $"process {hello.Instance} of version {hello.Version}"))
                throw new RpcException(new Status(StatusCode.NotFound, $"endpoint '{endpointId}' was not found"));
            link.Attach(context.GetHttpContext().Abort);
            if (presence.Remember(endpoint.Number, link) is { Ended: null } older)
                _ = AbortSoonAsync(older);
            Seen(endpoint, link);
            LogOpened(endpoint.Name, link.Epoch, hello.Version, hello.Instance);
            await responseStream.WriteAsync(new ServiceMessage
            {
                Welcome = new LinkWelcome { Version = ProtocolVersion.Product, Protocol = protocol, Epoch = link.Epoch, Name = endpoint.Name },
            });
            await RunAsync(link, requestStream, responseStream, ending);
        }
        catch (FrameException problem)
        {
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"the link of endpoint '{endpoint.Name}' ends: {problem.Message}"));
        }
        catch (StorageFullException problem)
        {
            throw new RpcException(new Status(StatusCode.ResourceExhausted, problem.Message));
        }
        catch (Exception problem) when (problem is OperationCanceledException or IOException or InvalidOperationException && caller.Revoked.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.Unauthenticated, caller.RevokedMessage));
        }
        catch (Exception problem) when (problem is OperationCanceledException or IOException)
        {
            // The endpoint is gone, or the link was ended here: it connects again by itself.
            if (!context.CancellationToken.IsCancellationRequested && link?.Ended is { } reason && !reason.StartsWith("superseded", StringComparison.Ordinal))
                throw new RpcException(new Status(StatusCode.Unavailable, reason));
        }
        finally
        {
            if (link is not null)
            {
                link.Attach(null);
                link.End("the connection ended");
                engine.Disconnect(link);
                if (link.Endpoint is not null)
                    Seen(endpoint, link);
                LogClosed(endpoint.Name, link.Epoch, link.Ended!);
            }
        }
    }

    /// <summary>Coarse on purpose, with each link that opens or closes: while one is open the endpoint is online, and a restart learns of it when it connects again.</summary>
    private void Seen(EndpointRecord endpoint, LinkSession link)
    {
        try
        {
            endpoints.Seen(endpoint.Number, engine.Now, link.Version);
        }
        catch (SqliteException problem)
        {
            LogNotSeen(endpoint.Name, problem.Message);
        }
    }

    /// <summary>A superseded link is told so; one whose peer does not read would stay open as long as its connection.</summary>
    private static async Task AbortSoonAsync(LinkSession older)
    {
        await Task.Delay(_supersededPatience);
        older.Abort();
    }

    private async Task RunAsync(LinkSession link, IAsyncStreamReader<EndpointMessage> input, IServerStreamWriter<ServiceMessage> output, CancellationTokenSource ending)
    {
        var sending = new LinkSender(link, engine, functions, containers, output).RunAsync();
        // A link that ended on this side (superseded, deleted, disk full) has to stop reading as well.
        var stopping = sending.ContinueWith(static (_, ending) => ((CancellationTokenSource)ending!).CancelAsync(), ending, TaskScheduler.Default).Unwrap();
        try
        {
            await ReadAsync(link, input, ending.Token);
        }
        finally
        {
            link.End("the connection ended");
            try
            {
                await sending;
            }
            catch (Exception problem) when (problem is InvalidOperationException or IOException or OperationCanceledException or RpcException)
            {
                // The stream broke under the sender; what it could not send the next link's inventory tells.
            }

            await stopping;
        }
    }

    private async Task ReadAsync(LinkSession link, IAsyncStreamReader<EndpointMessage> input, CancellationToken ending)
    {
        using var receiver = new LinkReceiver(link, engine, limits);
        var held = new List<InventoryEntry>();
        var moving = input.MoveNext(ending);
        while (await moving)
        {
            var message = input.Current;
            moving = input.MoveNext(ending);
            // With the next message already there a turn of its own would only hold it up.
            var inline = !moving.IsCompleted;
            link.LastHeard = engine.Now;
            switch (message.MessageCase)
            {
                case EndpointMessage.MessageOneofCase.Results:
                    await receiver.ReceiveAsync(message.Results, inline);
                    break;
                case EndpointMessage.MessageOneofCase.Returned:
                    receiver.TakeBack(message.Returned);
                    break;
                case EndpointMessage.MessageOneofCase.Drain:
                    engine.Drain(link);
                    break;
                case EndpointMessage.MessageOneofCase.Credit:
                    engine.Credit(link, message.Credit.Tasks, message.Credit.Bytes, inline);
                    break;
                case EndpointMessage.MessageOneofCase.Status:
                    link.Status = message.Status;
                    if (link.Status.Note.Length > MostNoteCharacters)
                        link.Status.Note = link.Status.Note[..MostNoteCharacters];
                    break;
                case EndpointMessage.MessageOneofCase.Inventory:
                    Hold(held, message.Inventory, link);
                    if (message.Inventory.Last)
                    {
                        await engine.ReconcileAsync(link, held);
                        held = [];
                    }

                    break;
                default:
                    throw new FrameException($"a message of kind {message.MessageCase} came after the hello");
            }
        }
    }

    private static void Hold(List<InventoryEntry> held, EndpointInventory inventory, LinkSession link)
    {
        var entries = inventory.Entries.Span;
        if (link.Reconciled)
            throw new FrameException("an inventory came after the last one");
        if (entries.Length % InventoryEntry.Size != 0)
            throw new FrameException($"an inventory of {entries.Length} bytes is no multiple of {InventoryEntry.Size}");
        if (held.Count + (entries.Length / InventoryEntry.Size) > MostHeld)
            throw new FrameException($"the inventory has more than {MostHeld} entries");
        for (; entries.Length > 0; entries = entries[InventoryEntry.Size..])
            held.Add(InventoryEntry.Read(entries));
    }

    private static async Task<(EndpointHello Hello, int Protocol)> HelloAsync(IAsyncStreamReader<EndpointMessage> input, string endpointId, CancellationToken ending)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(ending);
        patience.CancelAfter(_helloPatience);
        try
        {
            if (!await input.MoveNext(patience.Token) || input.Current.Hello is null)
                throw new RpcException(new Status(StatusCode.InvalidArgument, "the first message of a link must be a hello"));
        }
        catch (OperationCanceledException) when (!ending.IsCancellationRequested)
        {
            throw new RpcException(new Status(StatusCode.DeadlineExceeded, $"no hello came within {_helloPatience.TotalSeconds:0} s; it must be the first message of a link"));
        }

        var hello = input.Current.Hello;
        if (!ProtocolVersion.TryAgree(hello.ProtocolMinimum, hello.ProtocolMaximum, out var protocol))
            throw new RpcException(new Status(StatusCode.FailedPrecondition, ProtocolVersion.Mismatch(hello.Version, hello.ProtocolMinimum, hello.ProtocolMaximum)));
        if (hello.EndpointId != endpointId)
            throw new RpcException(new Status(StatusCode.PermissionDenied, $"the credential belongs to endpoint '{endpointId}'; the hello says '{hello.EndpointId}'"));
        if (hello.Instance.Length is 0 or > 128)
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"the hello's instance has {hello.Instance.Length} characters; 1 to 128 are right"));
        if (hello.Version.Length > MostVersionCharacters)
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"the hello's version has {hello.Version.Length} characters; at most {MostVersionCharacters} are right"));
        if (hello.MaxAttempts > ushort.MaxValue)
            throw new RpcException(new Status(StatusCode.InvalidArgument, $"the hello's max_attempts is {hello.MaxAttempts}; 0 to {ushort.MaxValue} are right"));
        return (hello, protocol);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "link of endpoint {Endpoint} open: epoch {Epoch}, version {Version}, instance {Instance}")]
    private partial void LogOpened(string endpoint, uint epoch, string version, string instance);

    [LoggerMessage(Level = LogLevel.Warning, Message = "that endpoint {Endpoint} was seen could not be written down: {Problem}")]
    private partial void LogNotSeen(string endpoint, string problem);

    [LoggerMessage(Level = LogLevel.Information, Message = "link of endpoint {Endpoint} closed: epoch {Epoch}, {Reason}")]
    private partial void LogClosed(string endpoint, uint epoch, string reason);
}
