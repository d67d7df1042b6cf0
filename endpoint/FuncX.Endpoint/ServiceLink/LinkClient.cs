using System.Diagnostics;
using FuncX.Configuration;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Identity;
using FuncX.Endpoint.Spool;
using FuncX.Wire;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>
/// Keeps the link to the service: dials out, says hello and what is held, then carries tasks down and results up; when the link breaks it dials again with a jittered
/// back-off (<see cref="LinkBackOff"/>), for ever. Ends the process when a newer one of this endpoint has taken over.
/// </summary>
internal sealed partial class LinkClient(EndpointConfiguration configuration, EndpointLoop loop, EndpointIdentity identity, BufferPool pool, HopCounter hops, SpoolStore spool, SpoolWriter spoolWriter,
    EndpointExit exit, Survivors survivors, IHostApplicationLifetime lifetime, ILogger<LinkClient> logger) : BackgroundService
{
    private const int WindowBytes = 16 << 20;
    private static readonly TimeSpan _welcomeWithin = TimeSpan.FromSeconds(15);

    private readonly TimeProvider _timers = TimerThread.For(TimeProvider.System, "link to the service");
    private string _lastProblem = "";

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        try
        {
            await survivors.Back.WaitAsync(Survivors.Patience, stoppingToken);
        }
        catch (TimeoutException)
        {
            LogSurvivorsMissing(Survivors.Patience.TotalSeconds);
            await loop.Run(static dispatcher =>
            {
                foreach (var block in dispatcher.Survivors.Late())
                    dispatcher.OnManagersLate(block);
            });
        }

        using var channel = OpenChannel();
        var backOff = new LinkBackOff(Random.Shared);
        while (!stoppingToken.IsCancellationRequested)
        {
            var began = Stopwatch.GetTimestamp();
            try
            {
                await RunLinkAsync(channel, stoppingToken);
            }
            catch (Exception problem) when (problem is RpcException or IOException or HttpRequestException or FrameException or InvalidDataException
                or OperationCanceledException or TimeoutException or InvalidOperationException)
            {
                if (stoppingToken.IsCancellationRequested)
                    return;
                var reason = Explain(problem);
                Report(reason);
                await loop.Run(dispatcher => dispatcher.Link.AwayBecause = reason);
            }

            if (exit.LeaveBlocks)
                return;
            await Task.Delay(backOff.Next(Stopwatch.GetElapsedTime(began)), stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private GrpcChannel OpenChannel() => GrpcChannel.ForAddress(identity.ServiceAddress, new GrpcChannelOptions
    {
        HttpHandler = new SocketsHttpHandler
        {
            InitialHttp2StreamWindowSize = WindowBytes,
            EnableMultipleHttp2Connections = true,
            // A proxy of the site's environment cannot reach what listens on this machine only.
            UseProxy = !new Uri(identity.ServiceAddress).IsLoopback,
            // A service that vanished without a word is noticed within 20 s.
            KeepAlivePingDelay = TimeSpan.FromSeconds(10),
            KeepAlivePingTimeout = TimeSpan.FromSeconds(10),
            ConnectTimeout = TimeSpan.FromSeconds(10),
        },
        DisposeHttpClient = true,
        MaxReceiveMessageSize = 64 << 20,
        MaxSendMessageSize = 64 << 20,
    });

    private async Task RunLinkAsync(GrpcChannel channel, CancellationToken stopping)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stopping);
        using var call = channel.CreateCallInvoker().AsyncDuplexStreamingCall(
            new LinkMethod(pool, hops).Connect(),
            null,
            new CallOptions(new Metadata { { "authorization", $"Bearer {identity.Credential}" } }, cancellationToken: over.Token));
        await call.RequestStream.WriteAsync(new PlainMessage(new EndpointMessage
        {
            Hello = new EndpointHello
            {
                Version = ProtocolVersion.Product,
                ProtocolMinimum = ProtocolVersion.Minimum,
                ProtocolMaximum = ProtocolVersion.Maximum,
                EndpointId = identity.EndpointId,
                Instance = identity.Instance,
                MaxAttempts = (uint)(configuration.Limits.MaxAttempts ?? 0),
            },
        }), over.Token);
        var welcome = await ReadWelcomeAsync(call.ResponseStream, over);
        if (welcome is null)
            return;
        _lastProblem = "";
        LogLinked(identity.ServiceAddress, welcome.Epoch, welcome.Version);
        using var news = new SemaphoreSlim(1);
        var sending = new SendingEnd(over, logger);
        var session = new LinkSession(
            call.RequestStream,
            hops,
            _timers,
            () => loop.Post(new ActionEvent(static _ => { })),
            sending.OnFailed);
        var spooled = await ReadSpoolAsync();
        await loop.Run(dispatcher =>
        {
            dispatcher.Link.OnSpoolGrown = () => news.Release();
            dispatcher.Link.OnUp(session, welcome.Epoch, spooled);
        });
        var replay = new SpoolReplay(loop, session, spool, pool, logger).RunAsync(news, CompleteFileAsync, over.Token);
        try
        {
            await ReceiveAsync(call.ResponseStream, session, over.Token);
        }
        catch (Exception end) when (sending.Problem is not null && !stopping.IsCancellationRequested && end is OperationCanceledException or RpcException { StatusCode: StatusCode.Cancelled })
        {
            // The end of receiving is only what came of it.
            throw new IOException($"sending failed: {Explain(sending.Problem)}", sending.Problem);
        }
        finally
        {
            session.Close();
            await loop.Run(dispatcher =>
            {
                dispatcher.Link.OnSpoolGrown = () => { };
                dispatcher.Link.OnDown(session);
            });
            await over.CancelAsync();
            await replay;
        }
    }

    // Null: superseded before any welcome.
    private async Task<LinkWelcome?> ReadWelcomeAsync(IAsyncStreamReader<IncomingMessage> stream, CancellationTokenSource over)
    {
        try
        {
            if (!await stream.MoveNext(over.Token).WaitAsync(_welcomeWithin, over.Token))
                throw new IOException("the service closed the link without a welcome");
        }
        catch (TimeoutException problem)
        {
            throw new TimeoutException($"the service gave no welcome within {_welcomeWithin.TotalSeconds} s", problem);
        }

        var message = stream.Current.Message;
        if (message?.MessageCase == ServiceMessage.MessageOneofCase.Superseded)
        {
            Supersede(message.Superseded);
            return null;
        }

        return message?.Welcome ?? throw new InvalidDataException($"the service began with {message?.MessageCase.ToString() ?? "tasks"}; it should be a welcome");
    }

    private async Task ReceiveAsync(IAsyncStreamReader<IncomingMessage> stream, LinkSession session, CancellationToken over)
    {
        var arrival = new LinkEvent(session);
        while (await stream.MoveNext(over))
        {
            var incoming = stream.Current;
            if (incoming.Message?.MessageCase == ServiceMessage.MessageOneofCase.Superseded)
            {
                Supersede(incoming.Message.Superseded);
                return;
            }

            arrival.Incoming = incoming;
            await loop.PostAndWait(arrival);
            if (incoming.Message is null)
                incoming.Tasks.Buffer.Release();
            if (arrival.Problem is not null)
                throw arrival.Problem;
        }

        Report("the service closed the link");
    }

    // What the spool holds, for the inventory; nothing more goes there until the inventory is made. What is being written is in the file by the time it is complete.
    private async Task<List<InventoryEntry>> ReadSpoolAsync()
    {
        await loop.Run(static dispatcher => dispatcher.Link.MaySpool = false);
        try
        {
            await CompleteFileAsync();
            var entries = new List<InventoryEntry>();
            SpoolReader.Describe([.. spool.Files(), .. spool.StillWritten()], pool, entries);
            return entries;
        }
        catch
        {
            await loop.Run(static dispatcher => dispatcher.Link.MaySpool = true);
            throw;
        }
    }

    private Task CompleteFileAsync()
    {
        var done = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        spoolWriter.Complete(done.SetResult);
        return done.Task;
    }

    private void Supersede(Superseded superseded)
    {
        exit.Supersede($"superseded: another process of this endpoint has connected ({superseded.By}). Its blocks stay with it.");
        LogSuperseded(exit.Message);
        lifetime.StopApplication();
    }

    // A service that stays away is told once, not every five seconds.
    // The credential dies when the endpoint is deleted or registered anew by another; only a start registers again.
    private static string Explain(Exception problem) => problem switch
    {
        RpcException { StatusCode: StatusCode.Unauthenticated or StatusCode.NotFound } refused =>
            $"the service refuses this endpoint ({refused.Status.Detail}): it was deleted, or registered again elsewhere. Restart it to register it again",
        RpcException other => $"{other.StatusCode}: {other.Status.Detail}",
        _ => problem.Message,
    };

    private void Report(string problem)
    {
        if (problem == _lastProblem)
            return;
        _lastProblem = problem;
        LogUnlinked(identity.ServiceAddress, problem);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "linked to {Service}, epoch {Epoch}, service version {Version}")]
    private partial void LogLinked(string service, uint epoch, string version);

    [LoggerMessage(Level = LogLevel.Warning, Message = "no link to {Service}: {Problem}; trying again for as long as it takes")]
    private partial void LogUnlinked(string service, string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Message}")]
    private partial void LogSuperseded(string message);

    [LoggerMessage(Level = LogLevel.Warning, Message = "managers of earlier blocks did not come back within {Seconds} s; going on without them")]
    private partial void LogSurvivorsMissing(double seconds);
}
