using System.Net;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace FuncX.Bench.Engine;

/// <summary>As much of a service as an endpoint sees: registration and the link.</summary>
internal sealed class PlayedService : IAsyncDisposable
{
    private readonly WebApplication _application;
    private readonly TaskCompletionSource<PlayedLink> _link = new(TaskCreationOptions.RunContinuationsAsynchronously);

    private PlayedService()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(static kestrel =>
        {
            kestrel.Limits.Http2.InitialConnectionWindowSize = 16 * 1024 * 1024;
            kestrel.Limits.Http2.InitialStreamWindowSize = 16 * 1024 * 1024;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Listen(IPAddress.Loopback, 0, static listen => listen.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddGrpc(static options => options.MaxReceiveMessageSize = 64 * 1024 * 1024);
        builder.Services.AddSingleton(this);
        _application = builder.Build();
        _application.MapGrpcService<PlayedEndpoints>();
        _application.MapGrpcService<PlayedLinks>();
    }

    public string Address { get; private set; } = "";

    public static async Task<PlayedService> StartAsync()
    {
        var service = new PlayedService();
        await service._application.StartAsync();
        service.Address = service._application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        return service;
    }

    /// <summary>The link that the endpoint opened.</summary>
    public Task<PlayedLink> LinkAsync() => _link.Task.WaitAsync(Eventually.Patience);

    public async ValueTask DisposeAsync()
    {
        using var soon = new CancellationTokenSource(TimeSpan.FromSeconds(2));
        await _application.StopAsync(soon.Token);
        await _application.DisposeAsync();
    }

    internal sealed class PlayedEndpoints : Endpoints.EndpointsBase
    {
        public override Task<RegisterEndpointReply> Register(RegisterEndpointRequest request, ServerCallContext context) =>
            Task.FromResult(new RegisterEndpointReply { EndpointId = "00000000-0000-0000-0000-000000000001", Credential = "fxe_of_the_bench" });
    }

    internal sealed class PlayedLinks(PlayedService service) : Link.LinkBase
    {
        public override async Task Connect(IAsyncStreamReader<EndpointMessage> requestStream, IServerStreamWriter<ServiceMessage> responseStream, ServerCallContext context)
        {
            if (!await requestStream.MoveNext(context.CancellationToken) || requestStream.Current.Hello is not { } hello)
                throw new RpcException(new Status(StatusCode.InvalidArgument, "a link begins with a hello"));
            if (!ProtocolVersion.TryAgree(hello.ProtocolMinimum, hello.ProtocolMaximum, out var protocol))
                throw new RpcException(new Status(StatusCode.FailedPrecondition, ProtocolVersion.Mismatch(hello.Version, hello.ProtocolMinimum, hello.ProtocolMaximum)));
            await responseStream.WriteAsync(new ServiceMessage { Welcome = new LinkWelcome { Version = ProtocolVersion.Product, Protocol = protocol, Epoch = 1, Name = "engine" } });
            using var link = new PlayedLink(requestStream, responseStream);
            service._link.TrySetResult(link);
            try
            {
                await link.ReadAsync(context.CancellationToken);
            }
            catch (Exception ended) when (ended is IOException or OperationCanceledException)
            {
                // The endpoint went away, as it does at the end.
            }
        }
    }
}
