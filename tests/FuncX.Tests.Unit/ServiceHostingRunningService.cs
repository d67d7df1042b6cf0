using System.Diagnostics;
using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using FuncX.Service.Registry;
using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Shouldly;

namespace FuncX.Tests.Unit.ServiceFront;

/// <summary>A whole service in this process, on a free loopback port and a directory of its own.</summary>
internal sealed class RunningService : IAsyncDisposable
{
    private readonly ServiceHost _host;
    private readonly bool _ownsDirectory;

    private RunningService(ServiceHost host, string directory, bool ownsDirectory)
    {
        _host = host;
        Directory = directory;
        _ownsDirectory = ownsDirectory;
        Channel = GrpcChannel.ForAddress(host.Address);
        AdminToken = File.ReadAllText(Path.Combine(directory, "admin.token")).Trim();
    }

    public string Directory { get; }

    public string Address => _host.Address;

    public GrpcChannel Channel { get; }

    public string AdminToken { get; }

    public IServiceProvider Services => _host.Services;

    public static string NewDirectory() => Path.Combine(Path.GetTempPath(), $"funcx-service-{Guid.NewGuid():N}");

    public static async Task<RunningService> StartAsync(ServiceLimits? limits = null, string? directory = null, TimeProvider? clock = null, Configuration.TelemetryConfiguration? telemetry = null)
    {
        var path = directory ?? NewDirectory();
        var host = ServiceHost.Build(new ServiceSettings(path, limits ?? new ServiceLimits()) { LogLevel = LogLevel.None, Clock = clock ?? TimeProvider.System, Telemetry = telemetry ?? new Configuration.TelemetryConfiguration() });
        await host.StartAsync(CancellationToken.None);
        return new RunningService(host, path, ownsDirectory: directory is null);
    }

    /// <summary>A token made the way the token command makes it: by another opening of the same database.</summary>
    public (string Text, string Id) CreateToken(string user, TimeSpan? lifetime = null)
    {
        var text = TokenText.Create(TokenText.UserPrefix);
        return (text, OtherProcess().Create(user, "test", lifetime, text).Id);
    }

    /// <summary>Comes back once the watch over revocations goes by a clock that only the test moves: from then on it looks when that clock is moved, and not before.</summary>
    public async Task WatchesByAsync(FakeTimeProvider clock)
    {
        var (text, id) = CreateToken("watched");
        var caller = Get<Authenticator>().Authenticate($"Bearer {text}", out _)!.Caller;
        Revoke(id);
        var began = Stopwatch.GetTimestamp();
        while (!caller.Revoked.IsCancellationRequested)
        {
            Stopwatch.GetElapsedTime(began).ShouldBeLessThan(TimeSpan.FromSeconds(30));
            clock.Advance(TimeSpan.FromMilliseconds(250));
            // One that has not looked yet would have another look left when it has: a second is long for it.
            for (var waited = 0; waited < 200 && !caller.Revoked.IsCancellationRequested; waited++)
                await Task.Delay(5);
        }
    }

    public void Revoke(string id) => OtherProcess().Revoke(id, "by a test").ShouldNotBeNull();

    public static Metadata Bearer(string token) => new() { { "authorization", $"Bearer {token}" } };

    public Functions.FunctionsClient Functions => new(Channel);

    public Containers.ContainersClient Containers => new(Channel);

    public Endpoints.EndpointsClient Endpoints => new(Channel);

    public FunctionInfo RegisterFunction(string token, string name = "double", string entry = "double", string code = "def double(x):\n    return 2 * x\n") =>
        Functions.Register(
            new RegisterFunctionRequest { Kind = FunctionKind.Python, Name = name, Entry = entry, Code = Google.Protobuf.ByteString.CopyFromUtf8(code) }, Bearer(token));

    public T Get<T>()
        where T : notnull => _host.Services.GetRequiredService<T>();

    public Task StopAsync() => _host.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Channel.Dispose();
        await _host.StopAsync();
        await _host.DisposeAsync();
        if (_ownsDirectory)
            System.IO.Directory.Delete(Directory, recursive: true);
    }

    private TokenStore OtherProcess() => new(RegistryDatabase.Open(Directory), TimeProvider.System);
}
