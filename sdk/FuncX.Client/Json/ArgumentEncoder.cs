using System.Buffers;
using System.Buffers.Text;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;

namespace FuncX.Client.Json;

/// <summary>
/// Writes the arguments of one call: a value is the only positional argument, <c>[value]</c>; <see cref="CallArguments"/> says all of them. Used by any thread.
/// A hot path: numbers are written without a JSON writer, everything else with one kept by the thread.
/// </summary>
internal sealed class ArgumentEncoder<TArg>
{
    private readonly JsonSerializerOptions _options;
    private readonly JsonTypeInfo<TArg>? _type;

    public ArgumentEncoder(JsonTypeInfo<TArg>? type, JsonSerializerOptions options)
    {
        _options = options;
        if (!IsPlainNumber() && typeof(TArg) != typeof(CallArguments))
            _type = type ?? (JsonTypeInfo<TArg>)ReadOnly(options).GetTypeInfo(typeof(TArg));
    }

    /// <summary>Appends one call's arguments and says how many bytes they took. On an exception the buffer is as it was.</summary>
    public int Encode(TArg argument, PooledBuffer buffer)
    {
        var before = buffer.Length;
        if (IsPlainNumber())
        {
            var span = buffer.GetSpan(48);
            span[0] = (byte)'[';
            var used = Format(argument, span[1..]) + 1;
            span[used] = (byte)']';
            buffer.Advance(used + 1);
            return used + 1;
        }

        try
        {
            if (argument is CallArguments arguments)
                arguments.Write(buffer, _options);
            else
                WriteValue(argument, buffer);
        }
        catch
        {
            buffer.Truncate(before);
            throw;
        }

        return buffer.Length - before;
    }

    private void WriteValue(TArg argument, PooledBuffer buffer)
    {
        buffer.Write("["u8);
        var writer = ThreadWriter.Take(buffer, _options);
        JsonSerializer.Serialize(writer, argument, _type!);
        writer.Flush();
        ThreadWriter.Keep(writer);
        buffer.Write("]"u8);
    }

    private static bool IsPlainNumber() => typeof(TArg) == typeof(int) || typeof(TArg) == typeof(long) || typeof(TArg) == typeof(uint) || typeof(TArg) == typeof(ulong);

    private static int Format(TArg argument, Span<byte> output)
    {
        int written;
        if (typeof(TArg) == typeof(int))
            Utf8Formatter.TryFormat((int)(object)argument!, output, out written);
        else if (typeof(TArg) == typeof(long))
            Utf8Formatter.TryFormat((long)(object)argument!, output, out written);
        else if (typeof(TArg) == typeof(uint))
            Utf8Formatter.TryFormat((uint)(object)argument!, output, out written);
        else
            Utf8Formatter.TryFormat((ulong)(object)argument!, output, out written);
        return written;
    }

    internal static JsonSerializerOptions ReadOnly(JsonSerializerOptions options)
    {
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }
}
