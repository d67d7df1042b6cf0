using System.Net;
using FuncX.Contracts.V1;
using Grpc.Core;
using Grpc.Net.Client;

namespace FuncX.Client.Connection;

/// <summary>
/// The channels to one service and the token every call carries. Single calls and maps have a connection each, so that a million calls on their way do not
/// stand before one.
/// </summary>
internal sealed class ServiceConnection : IDisposable
{
    private const int WindowBytes = 16 * 1024 * 1024;
    private const int MessageBytes = 64 * 1024 * 1024;

    private readonly GrpcChannel _channel;
    private readonly GrpcChannel _bulk;
    private readonly Metadata _headers;

    public ServiceConnection(Uri address, string token, FuncXClientOptions options, TimeProvider time)
    {
        Address = CheckAddress(address);
        ArgumentException.ThrowIfNullOrWhiteSpace(token);
        _headers = new Metadata { { "authorization", $"Bearer {token.Trim()}" } };
        Retry = new RetryPolicy(options, time);
        _channel = Open(address);
        _bulk = Open(address);
        Functions = new Functions.FunctionsClient(_channel);
        Containers = new Containers.ContainersClient(_channel);
        Endpoints = new Endpoints.EndpointsClient(_channel);
        Tasks = new Tasks.TasksClient(_channel);
        Submit = new SubmitCalls(address, _headers[0].Value, Handler(address));
        BulkTasks = new Tasks.TasksClient(_bulk);
    }

    public Uri Address { get; }

    public RetryPolicy Retry { get; }

    public Functions.FunctionsClient Functions { get; }

    public Containers.ContainersClient Containers { get; }

    public Endpoints.EndpointsClient Endpoints { get; }

    public Tasks.TasksClient Tasks { get; }

    /// <summary>The unary call of <see cref="Tasks"/> that a program makes tens of thousands of times a second.</summary>
    public SubmitCalls Submit { get; }

    /// <summary>The same on the connection for maps.</summary>
    public Tasks.TasksClient BulkTasks { get; }

    public CallOptions Options(CancellationToken cancellation) => new(_headers, cancellationToken: cancellation);

    /// <summary>One call that may be repeated; <paramref name="what"/> begins the message of its errors.</summary>
    public async Task<T> CallAsync<T>(Func<CallOptions, AsyncUnaryCall<T>> call, string what, CancellationToken cancellation)
    {
        try
        {
            return await Retry.RunAsync(
                async token =>
                {
                    using var sent = call(Options(token));
                    var reply = await sent.ResponseAsync;
                    Retry.Reached();
                    return reply;
                },
                cancellation);
        }
        catch (RpcException problem)
        {
            cancellation.ThrowIfCancellationRequested();
            throw ServiceErrors.Translate(problem, Address, what);
        }
    }

    public void Dispose()
    {
        try
        {
            Submit.Dispose();
        }
        finally
        {
            try
            {
                _channel.Dispose();
            }
            finally
            {
                _bulk.Dispose();
            }
        }
    }

    private static Uri CheckAddress(Uri address)
    {
        if (!address.IsAbsoluteUri || (address.Scheme != Uri.UriSchemeHttp && address.Scheme != Uri.UriSchemeHttps))
            throw new ArgumentException($"'{address}' is not the address of a service; write https://HOST[:PORT], or http://127.0.0.1:PORT for one on this machine.");
        if (address.Scheme == Uri.UriSchemeHttp && !address.IsLoopback)
            throw new ArgumentException($"'{address}' would carry the token over the network in clear; use https://{address.Authority}. Plain http is for this machine only.");
        return address;
    }

    private static GrpcChannel Open(Uri address) => GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpHandler = new GatheringHandler(Handler(address)),
        DisposeHttpClient = true,
        MaxReceiveMessageSize = MessageBytes,
        MaxSendMessageSize = MessageBytes,
        // The channel's own back-off starts at 1 s, which every restart of the service would cost.
        InitialReconnectBackoff = TimeSpan.FromMilliseconds(20),
        MaxReconnectBackoff = TimeSpan.FromSeconds(1),
        MaxRetryBufferSize = null,
    });

    private static SocketsHttpHandler Handler(Uri address) => new()
    {
        InitialHttp2StreamWindowSize = WindowBytes,
        EnableMultipleHttp2Connections = true,
        PooledConnectionIdleTimeout = Timeout.InfiniteTimeSpan,
        KeepAlivePingDelay = TimeSpan.FromSeconds(30),
        KeepAlivePingTimeout = TimeSpan.FromSeconds(15),
        KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        AutomaticDecompression = DecompressionMethods.None,
        UseProxy = !address.IsLoopback,
        // Each would be a stage that every call passes: the service redirects nothing, sets no cookies and reads no trace headers.
        AllowAutoRedirect = false,
        UseCookies = false,
        ActivityHeadersPropagator = null,
    };
}
