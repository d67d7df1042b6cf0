using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace FuncX.Service.Auth;

/// <summary>The text of tokens: a prefix that says what it is for and 32 random bytes in base64url.</summary>
public static class TokenText
{
    public const string UserPrefix = "fxt_";

    public const string EndpointPrefix = "fxe_";

    private const int RandomBytes = 32;
    private const int Length = 4 + 43;

    /// <summary>A new token; its only copy.</summary>
    public static string Create(string prefix) => prefix + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(RandomBytes));

    /// <summary>Whether the text could be a token at all.</summary>
    public static bool HasShape(ReadOnlySpan<char> text) =>
        text.Length == Length && (text.StartsWith(UserPrefix, StringComparison.Ordinal) || text.StartsWith(EndpointPrefix, StringComparison.Ordinal));

    /// <summary>What is stored. A plain hash is enough: 256 random bits cannot be guessed from it.</summary>
    public static byte[] Hash(ReadOnlySpan<char> text)
    {
        Span<byte> bytes = stackalloc byte[3 * Length];
        if (text.Length > Length)
            throw new ArgumentException("Longer than any token.", nameof(text));
        return SHA256.HashData(bytes[..Encoding.UTF8.GetBytes(text, bytes)]);
    }
}
