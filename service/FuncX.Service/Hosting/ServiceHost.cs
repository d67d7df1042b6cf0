using System.Net;
using System.Net.Sockets;
using FuncX.Contracts;
using FuncX.Service.Auth;
using FuncX.Service.Links;
using FuncX.Service.Observation;
using FuncX.Service.Registry;
using FuncX.Service.Tasks;
using FuncX.Telemetry;
using Grpc.AspNetCore.Server.Model;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace FuncX.Service.Hosting;

/// <summary>A whole service in this process, from taking its data directory to giving it up.</summary>
public sealed partial class ServiceHost : IAsyncDisposable
{
    private static readonly TimeSpan _stopPatience = TimeSpan.FromSeconds(5);

    private readonly DataDirectory _directory;
    private readonly WebApplication _application;
    private readonly ServiceSettings _settings;

    private ServiceHost(DataDirectory directory, WebApplication application, ServiceSettings settings)
    {
        _directory = directory;
        _application = application;
        _settings = settings;
    }

    /// <summary>Where it listens, for clients; set once <see cref="StartAsync"/> has returned.</summary>
    public string Address { get; private set; } = "";

    /// <summary>The service's own objects, for tests in the same process.</summary>
    public IServiceProvider Services => _application.Services;

    /// <summary>Takes the data directory, opens its databases and puts everything together; nothing listens yet.</summary>
    /// <exception cref="ServiceRefusedException">The settings or the data directory do not allow it.</exception>
    public static ServiceHost Build(ServiceSettings settings)
    {
        KestrelSetup.Check(settings);
        try
        {
            Pipelines.Check(settings.Telemetry);
        }
        catch (TelemetryException problem)
        {
            throw new ServiceRefusedException(problem.Message, problem);
        }

        var directory = DataDirectory.Take(settings.DataDirectory);
        try
        {
            settings = settings with { DataDirectory = directory.Path };
            var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions { ApplicationName = "funcx-service" });
            AddLog(builder.Logging, settings);
            builder.WebHost.UseKestrelCore().UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => KestrelSetup.Configure(kestrel, settings));
            builder.Services.Configure<HostOptions>(options => options.ShutdownTimeout = _stopPatience);
            builder.Services.AddSingleton<IMemoryPoolFactory<byte>, BlockPool>();
            builder.Services.AddSingleton(settings);
            builder.Services.AddSingleton(settings.Limits);
            builder.Services.AddSingleton(settings.Clock);
            builder.Services.AddGrpc(options =>
            {
                options.MaxReceiveMessageSize = RequestMarshaller.Cap(settings.Limits.RequestBytes);
                options.MaxSendMessageSize = null;
                options.ResponseCompressionAlgorithm = null;
            });
            builder.Services.AddRegistry(RegistryDatabase.Open(directory.Path));
            builder.Services.AddTokenAuthentication();
            builder.Services.AddObservation(settings);
            builder.Services.AddTasks();
            builder.Services.AddLinks();
            builder.Services.AddGrpcReflection();
            builder.Services.AddGrpcHealthChecks(static health =>
            {
                // The whole serves as long as it can be asked; submissions also want room on the disk.
                health.Services.Map("", static check => check.Name == "registry");
                health.Services.Map(ServiceNames.Tasks, static _ => true);
            }).AddCheck<RegistryHealth>("registry").AddCheck<SubmissionHealth>("submissions");
            // After everything that calls AddGrpc: each call adds the library's own provider again.
            builder.Services.RemoveAll(typeof(IServiceMethodProvider<>));
            builder.Services.AddSingleton(typeof(IServiceMethodProvider<>), typeof(GeneratedMethodProvider<>));
            var application = builder.Build();
            if (settings.RequestLog)
                application.UseMiddleware<RequestLogMiddleware>();
            application.UseMetrics();
            application.UseRouting();
            application.UseRequestMetrics();
            application.UseMiddleware<AuthenticationMiddleware>();
            application.MapRegistry();
            application.MapTasks();
            application.MapLinks();
            application.MapGrpcHealthChecksService();
            application.MapGrpcReflectionService();
            return new ServiceHost(directory, application, settings);
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Starts listening, makes the first token when there is none, and writes <c>service.json</c>.</summary>
    public async Task StartAsync(CancellationToken cancellation)
    {
        var logger = _application.Services.GetRequiredService<ILogger<ServiceHost>>();
        var registry = _application.Services.GetRequiredService<RegistryDatabase>();
        var (journal, synchronous) = registry.ReadDurability();
        LogRegistry(logger, registry.Path, journal, synchronous);
        if (_application.Services.GetRequiredService<FirstStart>().EnsureAdministrator(_directory.Path) is { } token)
            LogFirstStart(logger, FirstStart.Administrator, token);
        // Opened here and not by the host, which would log whatever is wrong with it as an error of its own, with its stack.
        _application.Services.GetRequiredService<TaskEngine>();
        try
        {
            await _application.StartAsync(cancellation);
        }
        catch (Exception problem) when (problem is SocketException or IOException { InnerException: AddressInUseException })
        {
            throw new ServiceRefusedException($"the service cannot listen on {_settings.Listen}: {problem.Message}", problem);
        }

        var bound = _application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.ToArray();
        Address = ReadAddress(bound[0]);
        var metrics = _settings.Telemetry.PrometheusListen is null ? null : $"{bound[1]}{MetricsPage.Path}";
        _directory.Announce(Address, metrics);
        var pid = Environment.ProcessId;
        LogReady(logger, Wire.ProtocolVersion.Product, Address, _directory.Path, pid);
        if (metrics is not null)
            LogMetrics(logger, metrics);
    }

    /// <summary>Waits until the process is told to stop, and stops. Throws what ended a loop of the service, when that is why it stopped.</summary>
    public async Task WaitForStopAsync()
    {
        await _application.WaitForShutdownAsync();
        // The host stops for a loop that failed, but as if it had been asked to; its caller must see the difference.
        foreach (var service in _application.Services.GetServices<IHostedService>())
        {
            if (service is BackgroundService { ExecuteTask: { IsFaulted: true } failed })
                await failed;
        }
    }

    public Task StopAsync() => _application.StopAsync();

    public async ValueTask DisposeAsync()
    {
        try
        {
            await _application.DisposeAsync();
        }
        finally
        {
            _directory.Dispose();
        }
    }

    private static void AddLog(ILoggingBuilder logging, ServiceSettings settings)
    {
        logging.SetMinimumLevel(settings.LogLevel);
        logging.AddFilter("Microsoft", Max(settings.LogLevel, LogLevel.Warning));
        // Its being enabled at all, even for what is critical, makes ASP.NET Core start an activity and a scope for every request.
        if (settings.LogLevel > LogLevel.Debug)
            logging.AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.None);
        // gRPC logs every exception of a handler as an error with its stack, also those that bad input causes.
        logging.AddFilter("Grpc", Max(settings.LogLevel, LogLevel.Warning));
        logging.AddLines(settings.Logs.Format);
    }

    private static LogLevel Max(LogLevel one, LogLevel other) => one <= LogLevel.Debug || one > other ? one : other;

    private string ReadAddress(string bound)
    {
        var any = _settings.Listen.Address.Equals(IPAddress.Any) || _settings.Listen.Address.Equals(IPAddress.IPv6Any);
        return any ? $"{(_settings.Certificate is null ? "http" : "https")}://{Dns.GetHostName()}:{new Uri(bound).Port}" : bound;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Path}: journal_mode {Journal}, synchronous {Synchronous}")]
    private static partial void LogRegistry(ILogger logger, string path, string journal, string synchronous);

    [LoggerMessage(Level = LogLevel.Information, Message = "First start: the token of user '{User}' is in {Path}")]
    private static partial void LogFirstStart(ILogger logger, string user, string path);

    [LoggerMessage(Level = LogLevel.Information, Message = "metrics are at {Address}")]
    private static partial void LogMetrics(ILogger logger, string address);

    [LoggerMessage(Level = LogLevel.Information, Message = "funcx-service {Version} is ready at {Address}, data directory {Directory}, pid {Pid}")]
    private static partial void LogReady(ILogger logger, string version, string address, string directory, int pid);
}
