using System.Reflection;
using FuncX.Service.Limits;
using Grpc.AspNetCore.Server;
using Grpc.AspNetCore.Server.Model;
using Grpc.Core;

namespace FuncX.Service.Hosting;

/// <summary>
/// Finds the methods of generated gRPC services in place of the library's own provider, whose requests cannot be given another marshaller:
/// there a request that does not parse is answered UNKNOWN and logged as an error with its stack.
/// </summary>
internal sealed class GeneratedMethodProvider<TService>(IHostApplicationLifetime lifetime, ServiceLimits limits) : IServiceMethodProvider<TService>
    where TService : class
{
    public void OnServiceMethodDiscovery(ServiceMethodProviderContext<TService> context)
    {
        var generated = typeof(TService);
        while (generated is not null && generated.GetCustomAttribute<BindServiceMethodAttribute>(inherit: false) is null)
            generated = generated.BaseType;
        var binding = generated?.GetCustomAttribute<BindServiceMethodAttribute>(inherit: false)
            ?? throw new InvalidOperationException($"{typeof(TService)} is not a generated gRPC service.");
        var bind = binding.BindType.GetMethod(binding.BindMethodName, BindingFlags.Public | BindingFlags.NonPublic | BindingFlags.Static, [typeof(ServiceBinderBase), generated!])
            ?? throw new InvalidOperationException($"{binding.BindType} has no {binding.BindMethodName}.");
        // Without an instance the generated code names its methods and gives no handlers.
        bind.Invoke(null, [new Binder(context, limits.RequestBytes, lifetime.ApplicationStopping), null]);
    }

    private sealed class Binder(ServiceMethodProviderContext<TService> context, int requestBytes, CancellationToken stopping) : ServiceBinderBase
    {
        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, UnaryServerMethod<TRequest, TResponse>? handler)
            where TRequest : class
            where TResponse : class =>
            context.AddUnaryMethod(
                RequestMarshaller.Refusing(method, requestBytes), Metadata(method.Name, typeof(TRequest), typeof(ServerCallContext)),
                Invoker<UnaryServerMethod<TService, TRequest, TResponse>>(method.Name, typeof(TRequest), typeof(ServerCallContext)));

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ClientStreamingServerMethod<TRequest, TResponse>? handler)
            where TRequest : class
            where TResponse : class
        {
            Type[] parameters = [typeof(IAsyncStreamReader<TRequest>), typeof(ServerCallContext)];
            var invoke = Invoker<ClientStreamingServerMethod<TService, TRequest, TResponse>>(method.Name, parameters);
            context.AddClientStreamingMethod(
                RequestMarshaller.Refusing(method, requestBytes), Metadata(method.Name, parameters),
                (service, requests, call) => StreamGuard.EndAsync(invoke(service, requests, call), call, stopping));
        }

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, ServerStreamingServerMethod<TRequest, TResponse>? handler)
            where TRequest : class
            where TResponse : class
        {
            Type[] parameters = [typeof(TRequest), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext)];
            var invoke = Invoker<ServerStreamingServerMethod<TService, TRequest, TResponse>>(method.Name, parameters);
            context.AddServerStreamingMethod(
                RequestMarshaller.Refusing(method, requestBytes), Metadata(method.Name, parameters),
                (service, request, replies, call) => StreamGuard.EndAsync(invoke(service, request, replies, call), call, stopping));
        }

        public override void AddMethod<TRequest, TResponse>(Method<TRequest, TResponse> method, DuplexStreamingServerMethod<TRequest, TResponse>? handler)
            where TRequest : class
            where TResponse : class
        {
            Type[] parameters = [typeof(IAsyncStreamReader<TRequest>), typeof(IServerStreamWriter<TResponse>), typeof(ServerCallContext)];
            var invoke = Invoker<DuplexStreamingServerMethod<TService, TRequest, TResponse>>(method.Name, parameters);
            context.AddDuplexStreamingMethod(
                RequestMarshaller.Refusing(method, requestBytes), Metadata(method.Name, parameters),
                (service, requests, replies, call) => StreamGuard.EndAsync(invoke(service, requests, replies, call), call, stopping));
        }

        private static List<object> Metadata(string name, params Type[] parameters) =>
            [.. typeof(TService).GetCustomAttributes(inherit: true), .. Handler(name, parameters).GetCustomAttributes(inherit: true), new HttpMethodMetadata([HttpMethods.Post], acceptCorsPreflight: true)];

        private static TDelegate Invoker<TDelegate>(string name, params Type[] parameters)
            where TDelegate : Delegate => Handler(name, parameters).CreateDelegate<TDelegate>();

        private static MethodInfo Handler(string name, Type[] parameters) =>
            typeof(TService).GetMethod(name, BindingFlags.Public | BindingFlags.Instance, parameters)
            ?? throw new InvalidOperationException($"{typeof(TService)} has no handler {name}.");
    }
}
