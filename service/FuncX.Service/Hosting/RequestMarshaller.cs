using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Service.Hosting;

/// <summary>
/// A method as it was generated, except that bytes which are no message are the caller's mistake (INVALID_ARGUMENT), not an unknown error, and that a message
/// which is too large is refused by the limit's name and value. The library, which names neither, refuses only what is larger than <see cref="Cap"/>.
/// </summary>
internal static class RequestMarshaller
{
    /// <summary>What may be read of a message before it is refused.</summary>
    public static int Cap(int requestBytes) => (int)Math.Min(int.MaxValue, 2L * requestBytes);

    public static Method<TRequest, TResponse> Refusing<TRequest, TResponse>(Method<TRequest, TResponse> method, int requestBytes)
        where TRequest : class
        where TResponse : class
    {
        var generated = method.RequestMarshaller;
        var refusing = Marshallers.Create(generated.ContextualSerializer, context =>
        {
            if (context.PayloadLength > requestBytes)
            {
                throw new RpcException(new Status(
                    StatusCode.ResourceExhausted, $"the request of {method.FullName} has {context.PayloadLength} bytes; the limit request_bytes is {requestBytes}. Send it in parts."));
            }

            try
            {
                return generated.ContextualDeserializer(context);
            }
            catch (InvalidProtocolBufferException problem)
            {
                throw new RpcException(new Status(
                    StatusCode.InvalidArgument, $"the request of {method.FullName} ({context.PayloadLength} bytes) is not a {typeof(TRequest).Name}: {problem.Message}"));
            }
        });
        return new Method<TRequest, TResponse>(method.Type, method.ServiceName, method.Name, refusing, method.ResponseMarshaller);
    }
}
