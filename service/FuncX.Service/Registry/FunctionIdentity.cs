using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace FuncX.Service.Registry;

/// <summary>The id of a function: SHA-256 over kind, entry, code, what it requires and its container's id, each preceded by its length in bytes as u32 little endian.</summary>
public static class FunctionIdentity
{
    /// <returns>64 lower-case hexadecimal digits.</returns>
    public static string Compute(string kind, string entry, ReadOnlySpan<byte> code, string requires = "", string container = "")
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, Encoding.UTF8.GetBytes(kind));
        Append(hash, Encoding.UTF8.GetBytes(entry));
        Append(hash, code);
        // What it lacks is left out at the end: functions that were registered before there was such a thing keep their ids.
        if (requires.Length > 0 || container.Length > 0)
            Append(hash, Encoding.UTF8.GetBytes(requires));
        if (container.Length > 0)
            Append(hash, Encoding.UTF8.GetBytes(container));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    private static void Append(IncrementalHash hash, ReadOnlySpan<byte> part)
    {
        // Without the lengths, entry "ab" with code "c" and entry "a" with code "bc" would be one function.
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, part.Length);
        hash.AppendData(length);
        hash.AppendData(part);
    }
}
