using Grpc.Core;

namespace FuncX.Service.Registry;

/// <summary>The refusals of the registry, each a sentence that names the object and what would be right.</summary>
internal static class Refuse
{
    private const int MostShown = 128;

    /// <summary>The same words for what never existed, what was deleted and what belongs to somebody else.</summary>
    public static RpcException UnknownFunction(string asked) =>
        new(new Status(StatusCode.NotFound, $"you have no function '{Show(asked)}'. List yours, or register it."));

    /// <inheritdoc cref="UnknownFunction"/>
    public static RpcException UnknownContainer(string asked) =>
        new(new Status(StatusCode.NotFound, $"you have no container '{Show(asked)}'. List yours, or register it."));

    /// <inheritdoc cref="UnknownFunction"/>
    public static RpcException UnknownEndpoint(string asked) =>
        new(new Status(StatusCode.NotFound, $"you have no endpoint '{Show(asked)}'. List yours, or register it."));

    public static RpcException Invalid(string message) => new(new Status(StatusCode.InvalidArgument, message));

    public static RpcException Exhausted(string message) => new(new Status(StatusCode.ResourceExhausted, message));

    /// <summary>What a caller sent, made fit for a message: bounded, without control characters.</summary>
    public static string Show(string text, int most = MostShown)
    {
        var shown = text.Length <= most ? text : string.Concat(text.AsSpan(0, most), "...");
        return string.Create(shown.Length, shown, static (span, source) =>
        {
            for (var i = 0; i < span.Length; i++)
                span[i] = char.IsControl(source[i]) ? '?' : source[i];
        });
    }
}
