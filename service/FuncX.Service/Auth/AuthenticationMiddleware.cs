using System.Diagnostics;
using FuncX.Contracts;
using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using Grpc.AspNetCore.Server;
using Grpc.Core;

namespace FuncX.Service.Auth;

/// <summary>
/// Proves the bearer token of every call before anything else sees it, and holds it to its user's limits. Only health and reflection are
/// open to all. A unary call passes without an allocation beyond the feature that carries its caller.
/// </summary>
public sealed class AuthenticationMiddleware(RequestDelegate next, Authenticator authenticator, ServiceLimits limits, IHostApplicationLifetime lifetime)
{

    /// <summary>Open at once with one credential. One is in use, the others were superseded just now or have not said hello.</summary>
    private const int MostLinks = 32;

    public Task InvokeAsync(HttpContext context)
    {
        var method = context.GetEndpoint()?.Metadata.GetMetadata<GrpcMethodMetadata>()?.Method;
        // Without a method it is one that the service does not have; gRPC answers UNIMPLEMENTED.
        if (method is null || IsOpen(method.ServiceName))
            return next(context);
        var session = authenticator.Authenticate(context.Request.Headers.Authorization, out var refusal);
        if (session is null)
            return GrpcRefusal.WriteAsync(context.Response, StatusCode.Unauthenticated, refusal);
        var caller = session.Caller;
        var isLink = string.Equals(method.ServiceName, ServiceNames.Link, StringComparison.Ordinal);
        if (isLink != (caller.EndpointId is not null))
            return GrpcRefusal.WriteAsync(context.Response, StatusCode.PermissionDenied, isLink ? UserAtLink(caller) : EndpointElsewhere(caller, method));
        if (!session.Usage.TryTakeRequest(Stopwatch.GetTimestamp()))
            return GrpcRefusal.WriteAsync(context.Response, StatusCode.ResourceExhausted, TooFast(caller));
        context.Features.Set(caller);
        return method.Type == MethodType.Unary ? next(context) : StreamAsync(context, session, isLink);
    }

    private static bool IsOpen(string service) =>
        service.StartsWith("grpc.health.", StringComparison.Ordinal) || service.StartsWith("grpc.reflection.", StringComparison.Ordinal);

    private async Task StreamAsync(HttpContext context, Session session, bool isLink)
    {
        // Links are not counted: a user has as many as endpoints, which have a limit of their own.
        if (!isLink && !session.Usage.TryOpenStream())
        {
            await GrpcRefusal.WriteAsync(context.Response, StatusCode.ResourceExhausted, TooManyStreams(session));
            return;
        }

        var open = session.OpenStream();
        try
        {
            if (isLink && open > MostLinks)
                await GrpcRefusal.WriteAsync(context.Response, StatusCode.ResourceExhausted, TooManyLinks(session, open));
            else if (session.Forgotten)
                await GrpcRefusal.WriteAsync(context.Response, StatusCode.Unavailable, "the token made room for others just now; call again.");
            else
                await GuardedAsync(context, session.Caller);
        }
        finally
        {
            session.CloseStream();
            if (!isLink)
                session.Usage.CloseStream();
        }
    }

    private async Task GuardedAsync(HttpContext context, Caller caller)
    {
        await using var watched = StreamGuard.Watch(context, caller, lifetime.ApplicationStopping);
        await next(context);
    }

    private static string UserAtLink(Caller caller) =>
        $"a link is opened with the endpoint's own credential ({TokenText.EndpointPrefix}..., from Endpoints.Register); this is a token of user '{caller.UserName}'.";

    private static string EndpointElsewhere(Caller caller, IMethod method) =>
        $"{method.FullName} takes a user's token ({TokenText.UserPrefix}...); this is the credential of endpoint {caller.EndpointId}, which is good for its link only.";

    private string TooFast(Caller caller) =>
        $"user '{caller.UserName}' makes more than {limits.RequestsPerSecond} calls per second (limit requests_per_second). Send more tasks in one call, or use SubmitStream.";

    private static string TooManyLinks(Session session, int open) =>
        $"endpoint {session.Caller.EndpointId} opens its link number {open} at once; at most {MostLinks} may be. Is its credential in use on many machines?";

    private string TooManyStreams(Session session) =>
        $"user '{session.Caller.UserName}' has {session.Usage.OpenStreams} streams open; the limit streams_per_user is {limits.StreamsPerUser}. Close some first.";
}
