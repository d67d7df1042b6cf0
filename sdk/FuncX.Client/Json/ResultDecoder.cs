using System.Buffers.Text;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using FuncX.Wire;

namespace FuncX.Client.Json;

/// <summary>Reads one value. A hot path: numbers are parsed in place, everything else by the serializer from the message's own memory.</summary>
internal sealed class ResultDecoder<T>
{
    private readonly JsonTypeInfo<T>? _type;

    public ResultDecoder(JsonTypeInfo<T>? type, JsonSerializerOptions options)
    {
        if (typeof(T) != typeof(RawResult))
            _type = type ?? (JsonTypeInfo<T>)ArgumentEncoder<T>.ReadOnly(options).GetTypeInfo(typeof(T));
    }

    /// <exception cref="FuncXException">The value is not a <typeparamref name="T"/>.</exception>
    public T Decode(TaskId task, ContentType contentType, ReadOnlyMemory<byte> value)
    {
        var span = value.Span;
        if (typeof(T) == typeof(RawResult))
            return (T)(object)new RawResult(contentType, value);
        if (contentType == ContentType.Json)
        {
            if (typeof(T) == typeof(int) && Utf8Parser.TryParse(span, out int number, out var used) && used == span.Length)
                return (T)(object)number;
            if (typeof(T) == typeof(long) && Utf8Parser.TryParse(span, out long wide, out used) && used == span.Length)
                return (T)(object)wide;
            if (typeof(T) == typeof(double) && TryNonFinite(span, out var real))
                return (T)(object)real;
            return Deserialize(task, span);
        }

        if (contentType == ContentType.Octets && typeof(T) == typeof(byte[]))
            return (T)(object)value.ToArray();
        throw new FuncXException(
            FuncXErrorKind.UnexpectedValue,
            $"The value of task {task} is {Describe(contentType)}; it cannot be read as {typeof(T).Name}. Ask for {nameof(RawResult)} to get its bytes.");
    }

    // Python's json module writes these three, which JSON itself does not have.
    private static bool TryNonFinite(ReadOnlySpan<byte> span, out double value)
    {
        value = span.SequenceEqual("NaN"u8) ? double.NaN
            : span.SequenceEqual("Infinity"u8) ? double.PositiveInfinity
            : span.SequenceEqual("-Infinity"u8) ? double.NegativeInfinity
            : 0;
        return value != 0;
    }

    private T Deserialize(TaskId task, ReadOnlySpan<byte> span)
    {
        try
        {
            return JsonSerializer.Deserialize(span, _type!)!;
        }
        catch (JsonException problem)
        {
            var seen = Encoding.UTF8.GetString(span[..Math.Min(span.Length, 80)]);
            throw new FuncXException(
                FuncXErrorKind.UnexpectedValue, $"The value of task {task} is not a {typeof(T).Name}: {seen}{(span.Length > 80 ? " ..." : "")}", problem);
        }
    }

    private static string Describe(ContentType contentType) => contentType switch
    {
        ContentType.Pickle => "a Python pickle",
        ContentType.Octets => "bytes",
        ContentType.None => "empty",
        _ => $"of the unknown content type {(byte)contentType}",
    };
}
