using FuncX.Contracts.V1;
using FuncX.Tests.Fuzz;
using Google.Protobuf.Reflection;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

public sealed class ServiceRegistryMalformedTests(SharedService shared) : IClassFixture<SharedService>
{
    private static readonly Marshaller<byte[]> s_raw = Marshallers.Create(bytes => bytes, bytes => bytes);

    public static TheoryData<string, string> UnaryMethods()
    {
        var methods = new TheoryData<string, string>();
        foreach (var service in (ServiceDescriptor[])[Functions.Descriptor, Containers.Descriptor, Endpoints.Descriptor, FuncX.Contracts.V1.Tasks.Descriptor])
        {
            foreach (var method in service.Methods)
            {
                if (!method.IsClientStreaming && !method.IsServerStreaming)
                    methods.Add(service.FullName, method.Name);
            }
        }

        return methods;
    }

    [Theory]
    [MemberData(nameof(UnaryMethods))]
    public async Task Random_payloads_are_refused_and_never_an_internal_error(string service, string method)
    {
        var running = shared.Running;
        running.RegisterFunction(running.AdminToken);
        var random = new Random(20_260_101);
        var call = new Method<byte[], byte[]>(MethodType.Unary, service, method, s_raw, s_raw);
        var invoker = running.Channel.CreateCallInvoker();
        var options = new CallOptions(RunningService.Bearer(running.AdminToken));
        var seen = new HashSet<StatusCode>();
        for (var round = 0; round < (FuzzRun.Full ? 100 : 20); round++)
        {
            var calls = Enumerable.Range(0, 100).Select(_ => StatusOfAsync(invoker.AsyncUnaryCall(call, host: null, options, Payload(random)))).ToArray();
            foreach (var status in await Task.WhenAll(calls))
                seen.Add(status);
        }

        seen.ShouldNotContain(StatusCode.Internal);
        seen.ShouldNotContain(StatusCode.Unknown);
        seen.ShouldNotContain(StatusCode.Unavailable);
        seen.ShouldContain(StatusCode.InvalidArgument);
        running.Functions.List(new ListFunctionsRequest(), RunningService.Bearer(running.AdminToken)).Functions.ShouldHaveSingleItem();
    }

    private static async Task<StatusCode> StatusOfAsync(AsyncUnaryCall<byte[]> call)
    {
        try
        {
            await call;
            return StatusCode.OK;
        }
        catch (RpcException problem)
        {
            return problem.StatusCode;
        }
    }

    private static byte[] Payload(Random random)
    {
        var payload = new byte[random.Next(1, random.Next(2, 400))];
        random.NextBytes(payload);
        // Half of them begin like a field that exists, so that the parser gets further.
        if (random.Next(2) == 0)
            payload[0] = (byte)((random.Next(1, 8) << 3) | random.Next(0, 6));
        if (payload.Length > 2 && random.Next(2) == 0)
            payload[1] = (byte)(payload.Length - 2);
        return payload;
    }
}
