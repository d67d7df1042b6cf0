using System.Net;
using System.Runtime.InteropServices;
using System.Security.Authentication;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Identity;
using FuncX.Endpoint.Managers;
using FuncX.Endpoint.ServiceLink;
using FuncX.Telemetry;
using FuncX.Wire;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace FuncX.Endpoint.Hosting;

/// <summary>The running endpoint: what it consists of, the order in which that starts, and the order in which it stops.</summary>
public sealed partial class EndpointHost : IAsyncDisposable
{
    private static readonly TimeSpan s_takeOverPatience = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan s_drainPatience = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan s_blockPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_cutOff = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan s_announceAgain = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_stopPatience = TimeSpan.FromSeconds(5);

    private readonly WebApplication _app;
    private readonly EndpointConfiguration _configuration;
    private readonly ControlSocket _control;
    private readonly EndpointAddresses _addresses;
    private readonly BlockSupervisor _supervisor;
    private readonly EndpointIdentity _identity;
    private readonly EndpointCertificate _certificate;
    private readonly ILogger<EndpointHost> _logger;

    private EndpointHost(WebApplication app, ControlSocket control, EndpointAddresses addresses)
    {
        _app = app;
        _control = control;
        _addresses = addresses;
        _configuration = app.Services.GetRequiredService<EndpointConfiguration>();
        _supervisor = app.Services.GetRequiredService<BlockSupervisor>();
        _identity = app.Services.GetRequiredService<EndpointIdentity>();
        _certificate = app.Services.GetRequiredService<EndpointCertificate>();
        _logger = app.Services.GetRequiredService<ILogger<EndpointHost>>();
    }

    /// <summary>Starts an endpoint and returns when it has stopped.</summary>
    /// <returns>An <see cref="ExitCode"/>.</returns>
    /// <exception cref="EndpointRefusedException">It cannot start.</exception>
    public static async Task<int> RunAsync(EndpointConfiguration configuration, ManagerProgram manager, string? tokenFile, LogLevel logLevel)
    {
        using var interrupted = new CancellationTokenSource();
        // A second signal while it stops is no reason to leave blocks behind; SIGKILL is there for that.
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Interrupt);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Interrupt);
        try
        {
            Pipelines.Check(configuration.Telemetry);
        }
        catch (TelemetryException problem)
        {
            throw new EndpointRefusedException(problem.Message, problem);
        }

        StateDirectory.Prepare(configuration.StateDirectory);
        configuration = await JobNodes.ResolveAsync(configuration, manager, interrupted.Token);
        using var loggers = LoggerFactory.Create(logging => logging.AddEndpointConsole(logLevel, configuration.Logs.Format));
        var certificate = CertificateFile.LoadOrCreate(configuration.StateDirectory, TimeProvider.System);
        EndpointIdentity identity;
        try
        {
            identity = await new EndpointRegistration(configuration, tokenFile, TimeProvider.System, loggers.CreateLogger<EndpointRegistration>())
                .LoadOrRegisterAsync(interrupted.Token);
        }
        catch (OperationCanceledException) when (interrupted.IsCancellationRequested)
        {
            return ExitCode.Done;
        }

        using var control = new ControlSocket(configuration.StateDirectory);
        await using var host = Build(configuration, manager, identity, certificate, control, logLevel);
        return await host.RunAsync(interrupted.Token);

        void Interrupt(PosixSignalContext context)
        {
            context.Cancel = true;
            interrupted.Cancel();
        }
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private static EndpointHost Build(EndpointConfiguration configuration, ManagerProgram manager, EndpointIdentity identity, EndpointCertificate certificate,
        ControlSocket control, LogLevel logLevel)
    {
        var addresses = new EndpointAddresses();
        // Empty: settings of this process come from its own file and from nowhere else, no ASPNETCORE_ variable and no appsettings.json.
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Logging.AddEndpointConsole(logLevel, configuration.Logs.Format);
        builder.Services.AddRoutingCore();
        builder.Services.AddSingleton(configuration).AddSingleton(identity).AddSingleton(certificate).AddSingleton(TimeProvider.System);
        builder.Services.AddBlocks(configuration, manager);
        builder.Services.AddDispatch();
        builder.Services.AddMetrics(configuration);
        builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().UseSockets(sockets => sockets.UnsafePreferInlineScheduling = true).ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.ListenUnixSocket(control.Path, listen => listen.Protocols = HttpProtocols.Http1);
            if (configuration.Telemetry.PrometheusListen is { } page)
                kestrel.ListenForMetrics(page);
            foreach (var address in ListenAddresses.Of(configuration))
            {
                kestrel.Listen(new IPEndPoint(address, 0), listen =>
                {
                    // Frames and nothing else: no HTTP is spoken on this listener.
                    addresses.Add(listen);
                    listen.UseHttps(https =>
                    {
                        https.ServerCertificate = certificate.Certificate;
                        https.SslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13;
                    });
                    listen.UseConnectionHandler<ManagerConnectionHandler>();
                });
            }
        });
        var app = builder.Build();
        app.UseMetrics();
        app.MapControl(addresses);
        return new EndpointHost(app, control, addresses);
    }

    private async Task<int> RunAsync(CancellationToken interrupted)
    {
        await TakeOverAsync(interrupted);
        CodeTable.Clear(CodeTable.PathIn(_configuration.StateDirectory));
        _control.Prepare();
        await _supervisor.RecoverAsync(interrupted);
        await _app.StartAsync(interrupted);
        var stopping = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var asked = _app.Lifetime.ApplicationStopping.Register(() => stopping.TrySetResult());
        using var signalled = interrupted.Register(_app.Lifetime.StopApplication);
        var announced = AnnounceAsync(_app.Lifetime.ApplicationStopping);
        if (await Task.WhenAny(stopping.Task, _supervisor.Over) != stopping.Task)
        {
            Log.JobOver(_logger, _configuration.Name);
            _app.Lifetime.StopApplication();
        }

        await stopping.Task;
        await announced;
        await StopAsync();
        return Environment.ExitCode;
    }

    // The newer link wins wherever the older process is. On this machine it is asked first: managers stay with it as long as it listens, and this
    // one could not tell the service what they hold. What does not go is left to the link.
    private async Task TakeOverAsync(CancellationToken interrupted)
    {
        using var older = new ControlClient(_configuration.StateDirectory, TimeProvider.System);
        try
        {
            if (await older.StatusAsync(interrupted) is not { } status || !await older.SupersedeAsync(interrupted))
                return;
            var gone = await older.WaitForEndAsync(status.Pid, s_takeOverPatience, interrupted);
            var what = gone ? "has stopped and left its blocks" : "is still stopping";
            Log.TakenOver(_logger, status.Pid, what);
        }
        catch (ControlException problem)
        {
            Log.NotTakenOver(_logger, problem.Message);
        }
    }

    private async Task AnnounceAsync(CancellationToken stopping)
    {
        _supervisor.Listening(_addresses.Bound);
        var (addresses, survivors) = (string.Join(", ", _addresses.Bound), _supervisor.Surviving().Count);
        Log.Ready(_logger, _configuration.Name, _identity.EndpointId, addresses, survivors);
        var metrics = MetricsAddress();
        if (metrics is not null)
            Log.Metrics(_logger, metrics);
        var told = "";
        while (!stopping.IsCancellationRequested)
        {
            try
            {
                _control.Publish();
                PrivateFile.WriteJson(EndpointFile.PathIn(_configuration.StateDirectory), new EndpointFile(Environment.ProcessId, Environment.MachineName, _addresses.Port,
                    _addresses.Bound, _certificate.Fingerprint, _identity.EndpointId, ProtocolVersion.Product, metrics));
                return;
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // Work goes on without these files; commands find the process once they can be written.
                if (problem.Message != told)
                    Log.Unannounced(_logger, problem.Message);
                told = problem.Message;
            }

            await Task.Delay(s_announceAgain, stopping).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // Of what speaks HTTP only the control socket is another: managers' listeners have TLS.
    private string? MetricsAddress() => _configuration.Telemetry.PrometheusListen is null ? null
        : _app.Urls.First(static url => url.StartsWith("http://", StringComparison.Ordinal) && !url.Contains("unix:", StringComparison.Ordinal)) + MetricsPage.Path;

    // What managers are told to finish first, then the blocks, then the listeners: a manager ends while its connection still stands.
    private async Task StopAsync()
    {
        Log.Stopping(_logger, _configuration.Name);
        var exit = _app.Services.GetRequiredService<EndpointExit>();
        var dispatch = _app.Services.GetRequiredService<DispatchLifetime>();
        var loops = _app.Services.GetServices<IHostedService>().ToArray();
        _ = exit.IsBroken(loops);
        using (var finishing = new CancellationTokenSource(s_drainPatience))
            await dispatch.FinishAsync(finishing.Token);
        // Superseded, or broken, perhaps while it waits: the blocks and what they hold belong to the next process of this endpoint.
        if (!Leaves())
            await dispatch.KeepResultsAsync(() => exit.IsForced || Leaves());
        var leave = Leaves();
        if (!leave)
        {
            await _supervisor.EndAllAsync(s_blockPatience);
            // What their managers sent at last is in this process alone.
            var left = await dispatch.KeepResultsAsync(() => exit.IsForced || exit.IsBroken(loops) || Environment.ExitCode == ExitCode.Broken);
            if (left > 0)
            {
                Environment.ExitCode = ExitCode.NotStored;
                Log.NotStored(_logger, left);
            }
        }

        // Managers that are left stay connected until they are cut off; a successor waits for them.
        using var patience = new CancellationTokenSource(leave ? s_cutOff : s_stopPatience);
        await _app.StopAsync(patience.Token);
        _control.Withdraw();
        EndpointFile.RemoveOwn(_configuration.StateDirectory);
        Log.Stopped(_logger, _configuration.Name);

        bool Leaves() => exit.IsBroken(loops) || exit.LeaveBlocks || Environment.ExitCode != ExitCode.Done;
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Information, Message = "endpoint '{Name}' ({EndpointId}) is ready; managers dial in at {Addresses}; {Blocks} blocks of an earlier process")]
        public static partial void Ready(ILogger logger, string name, string endpointId, string addresses, int blocks);

        [LoggerMessage(Level = LogLevel.Information, Message = "metrics are at {Address}")]
        public static partial void Metrics(ILogger logger, string address);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the process of this endpoint with pid {Pid} {What}; this one takes its place")]
        public static partial void TakenOver(ILogger logger, int pid, string what);

        [LoggerMessage(Level = LogLevel.Warning, Message = "{Reason}; it is superseded as soon as this one has the link")]
        public static partial void NotTakenOver(ILogger logger, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the state directory does not say where this process is, which is tried again: {Reason}")]
        public static partial void Unannounced(ILogger logger, string reason);

        [LoggerMessage(Level = LogLevel.Information, Message = "the job that endpoint '{Name}' works in is over, or about to be")]
        public static partial void JobOver(ILogger logger, string name);

        [LoggerMessage(Level = LogLevel.Information, Message = "endpoint '{Name}' stops")]
        public static partial void Stopping(ILogger logger, string name);

        [LoggerMessage(Level = LogLevel.Error, Message = "{Results} results were stored nowhere and are lost: their tasks run again, or count as lost")]
        public static partial void NotStored(ILogger logger, long results);

        [LoggerMessage(Level = LogLevel.Information, Message = "endpoint '{Name}' has stopped")]
        public static partial void Stopped(ILogger logger, string name);
    }
}
