using System.Text.Json;

namespace FuncX.Client.Json;

/// <summary>Keeps one JSON writer for each thread, so that encoding a call makes none.</summary>
internal static class ThreadWriter
{
    [ThreadStatic]
    private static Utf8JsonWriter? s_kept;

    /// <summary>Takes the thread's writer, onto <paramref name="buffer"/>. A converter that encodes another call meanwhile gets a new one.</summary>
    public static Utf8JsonWriter Take(PooledBuffer buffer, JsonSerializerOptions options)
    {
        var writer = s_kept;
        s_kept = null;
        if (writer is null || writer.Options.Encoder != options.Encoder)
            return new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = options.Encoder, SkipValidation = true });
        writer.Reset(buffer);
        return writer;
    }

    /// <summary>Gives it back, flushed.</summary>
    public static void Keep(Utf8JsonWriter writer) => s_kept = writer;
}
