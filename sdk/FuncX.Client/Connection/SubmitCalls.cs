using FuncX.Contracts.V1;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Client.Connection;

/// <summary>
/// <c>funcx.v1.Tasks/Submit</c> without the generated client: that one passes every call through an interceptor for its host name, and a cancellation token would
/// be registered anew for each. A call ends at the latest with its channel. Benchmark: bench throughput, batch1_unary_per_s.
/// </summary>
internal sealed class SubmitCalls(CallInvoker invoker, Metadata headers)
{
    private static readonly Method<SubmitRequest, SubmitReply> _method = new(
        MethodType.Unary,
        Tasks.Descriptor.FullName,
        "Submit",
        Marshallers.Create<SubmitRequest>(Write, static _ => throw new NotSupportedException("a client reads no requests")),
        Marshallers.Create<SubmitReply>(static (_, _) => throw new NotSupportedException("a client writes no replies"), static context => SubmitReply.Parser.ParseFrom(context.PayloadAsReadOnlySequence())));

    private readonly CallOptions _options = new(headers);

    public async Task SendAsync(SubmitRequest request)
    {
        using var sent = invoker.AsyncUnaryCall(_method, null, _options, request);
        await sent.ResponseAsync;
    }

    private static void Write(SubmitRequest request, SerializationContext context)
    {
        context.SetPayloadLength(request.CalculateSize());
        request.WriteTo(context.GetBufferWriter());
        context.Complete();
    }
}
