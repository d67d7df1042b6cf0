using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Service.Hosting;

/// <summary>A method as it was generated, except that bytes which are no message are the caller's mistake (INVALID_ARGUMENT), not an unknown error.</summary>
internal static class RequestMarshaller
{
    public static Method<TRequest, TResponse> Refusing<TRequest, TResponse>(Method<TRequest, TResponse> method)
        where TRequest : class
        where TResponse : class
    {
        var generated = method.RequestMarshaller;
        var refusing = Marshallers.Create(generated.ContextualSerializer, context =>
        {
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
