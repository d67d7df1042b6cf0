using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace FuncX.Tests.Client.Fake;

/// <summary>
/// The contract's three client services over real gRPC on loopback, with the behaviour that a test asks for. What was accepted survives
/// <see cref="RestartAsync"/>, as the real one's does.
/// </summary>
public sealed class FakeService : IAsyncDisposable
{
    public const string Token = "fxt_test";

    private WebApplication? _application;
    private int _connections;

    private FakeService(FakeState state) => State = state;

    public FakeState State { get; }

    public int Port { get; private set; }

    /// <summary>How many are connected.</summary>
    public int Connections => Volatile.Read(ref _connections);

    public Uri Address => new($"http://127.0.0.1:{Port}");

    public static async Task<FakeService> StartAsync()
    {
        var service = new FakeService(new FakeState());
        await service.ListenAsync();
        return service;
    }

    public FuncX.Client.FuncXClient Client(FuncX.Client.FuncXClientOptions? options = null, TimeProvider? time = null) => new(Address, Token, options, time);

    /// <summary>Cuts every connection, and listens again on the same port after <paramref name="away"/>.</summary>
    public async Task RestartAsync(TimeSpan away)
    {
        await StopAsync();
        await Task.Delay(away);
        await ListenAsync();
    }

    public async Task StopAsync()
    {
        var application = Interlocked.Exchange(ref _application, null);
        if (application is null)
            return;
        using var now = new CancellationTokenSource();
        await now.CancelAsync();
        // The connections first: a client that opens its next stream on one that still stands would be answered.
        await application.StopAsync(now.Token);
        State.EndStreams();
        await application.DisposeAsync();
    }

    public ValueTask DisposeAsync() => new(StopAsync());

    private async Task ListenAsync()
    {
        State.BeginStreams();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddSingleton(State);
        builder.Services.AddGrpc(options =>
        {
            options.MaxReceiveMessageSize = null;
            options.Interceptors.Add<FakeAuthentication>();
        });
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, Port, listen =>
        {
            listen.Protocols = HttpProtocols.Http2;
            listen.Use(CountAsync);
        }));
        builder.WebHost.UseShutdownTimeout(TimeSpan.Zero);
        var application = builder.Build();
        application.MapGrpcService<FakeFunctions>();
        application.MapGrpcService<FakeContainers>();
        application.MapGrpcService<FakeEndpoints>();
        application.MapGrpcService<FakeTasks>();
        await application.StartAsync();
        Port = new Uri(application.Urls.First()).Port;
        _application = application;
    }

    private async Task CountAsync(ConnectionContext connection, Func<Task> next)
    {
        Interlocked.Increment(ref _connections);
        try
        {
            await next();
        }
        finally
        {
            Interlocked.Decrement(ref _connections);
        }
    }
}
