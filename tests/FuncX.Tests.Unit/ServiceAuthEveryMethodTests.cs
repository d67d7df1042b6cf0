using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using Google.Protobuf.Reflection;
using Grpc.AspNetCore.Server;
using Grpc.Core;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

/// <summary>What holds for every method, whatever its name: the contracts and the running service say which there are, so none that comes later can be left out.</summary>
public sealed class ServiceAuthEveryMethodTests(SharedService shared) : IClassFixture<SharedService>
{
    private static readonly Marshaller<byte[]> s_raw = Marshallers.Create(static (byte[] bytes) => bytes, static bytes => bytes);

    public static TheoryData<string> MethodsOfTheContracts() => [.. Contracts().Select(static method => method.FullName)];

    [Theory]
    [MemberData(nameof(MethodsOfTheContracts))]
    public async Task A_call_without_a_token_that_is_known_is_unauthenticated(string method)
    {
        var running = shared.Running;
        var (revoked, id) = running.CreateToken("mallory");
        running.Revoke(id);
        (string Words, Metadata Headers)[] wrong =
        [
            ("no token", []),
            ("not of the form 'Bearer TOKEN'", new Metadata { { "authorization", "Basic YTpi" } }),
            ("does not know the token", RunningService.Bearer(TokenText.Create(TokenText.UserPrefix))),
            ("does not know the token", RunningService.Bearer(TokenText.Create(TokenText.EndpointPrefix))),
            ("was revoked at", RunningService.Bearer(revoked)),
        ];
        var described = Contracts().Single(known => known.FullName == method);
        foreach (var (words, headers) in wrong)
        {
            var answer = await CallAsync(running, described, headers);
            answer.StatusCode.ShouldBe(StatusCode.Unauthenticated, $"{method} with {words}: {answer.Detail}");
            answer.Detail.ShouldContain(words);
        }

        // The call itself is one that the service answers: with a token it comes as far as its own checks.
        var good = described.Service.Name == nameof(Link)
            ? running.Endpoints.Register(new RegisterEndpointRequest { Name = "every-method" }, RunningService.Bearer(running.AdminToken)).Credential
            : running.AdminToken;
        (await CallAsync(running, described, RunningService.Bearer(good))).StatusCode.ShouldNotBeOneOf(StatusCode.Unauthenticated, StatusCode.Unimplemented, StatusCode.PermissionDenied);
    }

    [Fact]
    public void The_service_has_the_methods_of_the_contracts_and_only_health_and_reflection_beside_them()
    {
        var mapped = shared.Running.Services.GetRequiredService<EndpointDataSource>().Endpoints
            .Select(static endpoint => endpoint.Metadata.GetMetadata<GrpcMethodMetadata>()?.Method)
            .OfType<IMethod>()
            .ToList();
        mapped.Where(static method => method.ServiceName.StartsWith("funcx.", StringComparison.Ordinal)).Select(static method => $"{method.ServiceName}.{method.Name}")
            .ShouldBe(Contracts().Select(static method => method.FullName), ignoreOrder: true);
        mapped.Where(static method => !method.ServiceName.StartsWith("funcx.", StringComparison.Ordinal)).Select(static method => method.ServiceName).Distinct()
            .ShouldBe(["grpc.health.v1.Health", "grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"], ignoreOrder: true);
    }

    private static List<MethodDescriptor> Contracts() =>
    [
        .. typeof(Link).Assembly.GetTypes()
            .Where(static type => type.IsAbstract && type.IsSealed)
            .Select(static type => type.GetProperty("Descriptor")?.GetValue(null))
            .OfType<FileDescriptor>()
            .SelectMany(static file => file.Services)
            .SelectMany(static service => service.Methods),
    ];

    /// <summary>One empty message, and no more of them: a stream that waits for something to come ends with the deadline.</summary>
    private static async Task<Status> CallAsync(RunningService running, MethodDescriptor described, Metadata headers)
    {
        var type = (described.IsClientStreaming, described.IsServerStreaming) switch
        {
            (false, false) => MethodType.Unary,
            (true, false) => MethodType.ClientStreaming,
            (false, true) => MethodType.ServerStreaming,
            (true, true) => MethodType.DuplexStreaming,
        };
        var method = new Method<byte[], byte[]>(type, described.Service.FullName, described.Name, s_raw, s_raw);
        var invoker = running.Channel.CreateCallInvoker();
        var options = new CallOptions(headers, DateTime.UtcNow.AddSeconds(30), TestContext.Current.CancellationToken);
        try
        {
            switch (type)
            {
                case MethodType.Unary:
                    await invoker.AsyncUnaryCall(method, null, options, []);
                    break;
                case MethodType.ServerStreaming:
                    using (var call = invoker.AsyncServerStreamingCall(method, null, options, []))
                        await ReadAsync(call.ResponseStream);
                    break;
                case MethodType.ClientStreaming:
                    using (var call = invoker.AsyncClientStreamingCall(method, null, options))
                    {
                        await WriteAsync(call.RequestStream);
                        await call.ResponseAsync;
                    }

                    break;
                case MethodType.DuplexStreaming:
                    using (var call = invoker.AsyncDuplexStreamingCall(method, null, options))
                    {
                        await WriteAsync(call.RequestStream);
                        await ReadAsync(call.ResponseStream);
                    }

                    break;
            }

            return Status.DefaultSuccess;
        }
        catch (RpcException problem)
        {
            return problem.Status;
        }
    }

    private static async Task ReadAsync(IAsyncStreamReader<byte[]> stream)
    {
        while (await stream.MoveNext(CancellationToken.None))
        {
        }
    }

    private static async Task WriteAsync(IClientStreamWriter<byte[]> stream)
    {
        try
        {
            await stream.WriteAsync([]);
            await stream.CompleteAsync();
        }
        catch (Exception ended) when (ended is InvalidOperationException or RpcException)
        {
            // The service has answered already; the call's end has its status.
        }
    }
}
