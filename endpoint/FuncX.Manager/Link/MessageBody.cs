using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FuncX.Wire;

namespace FuncX.Manager.Link;

/// <summary>Reads the JSON body of a frame.</summary>
internal static class MessageBody
{
    /// <exception cref="FrameException">It is not such an object.</exception>
    public static T Read<T>(FrameKind kind, ReadOnlySpan<byte> body, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            return JsonSerializer.Deserialize(body, type) ?? throw new FrameException($"the body of a frame of kind {kind} is null; a JSON object is due");
        }
        catch (JsonException problem)
        {
            throw new FrameException($"the body of a frame of kind {kind} is not the JSON that is due: {problem.Message}");
        }
    }
}
