using Grpc.Core;

namespace FuncX.Service.Auth;

public static class CallerExtensions
{
    /// <summary>The caller that <see cref="AuthenticationMiddleware"/> proved. Every method of funcx.v1 has one.</summary>
    public static Caller GetCaller(this ServerCallContext context) =>
        context.GetHttpContext().Features.Get<Caller>()
        ?? throw new InvalidOperationException($"{context.Method} was reached without authentication: the middleware is not in front of it.");
}
