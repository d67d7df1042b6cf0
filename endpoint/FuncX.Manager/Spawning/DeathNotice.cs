using System.Buffers.Binary;
using System.Text;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Spawning;

/// <summary>A line that the spawner adds to a file when its manager is gone without a goodbye, after all that the manager had started.</summary>
/// <param name="Path">Empty: nothing is to be said; what was to be said before is taken back.</param>
/// <param name="Line">Without its end.</param>
internal readonly record struct DeathNotice(string Path, string Line)
{
    /// <summary>Where no request has its id.</summary>
    private const uint Id = 0;

    // little endian: 0 u32 | path | line; a text is length u32 and UTF-8
    public byte[] Encode()
    {
        var (path, line) = (Encoding.UTF8.GetBytes(Path), Encoding.UTF8.GetBytes(Line));
        var message = new byte[12 + path.Length + line.Length];
        BinaryPrimitives.WriteUInt32LittleEndian(message, Id);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(4), path.Length);
        path.CopyTo(message, 8);
        BinaryPrimitives.WriteInt32LittleEndian(message.AsSpan(8 + path.Length), line.Length);
        line.CopyTo(message, 12 + path.Length);
        return message;
    }

    /// <summary>False: the message is a request.</summary>
    public static bool TryDecode(ReadOnlySpan<byte> message, out DeathNotice notice)
    {
        notice = default;
        if (BinaryPrimitives.ReadUInt32LittleEndian(message) != Id)
            return false;
        var path = message.Slice(8, BinaryPrimitives.ReadInt32LittleEndian(message[4..]));
        notice = new DeathNotice(Encoding.UTF8.GetString(path), Encoding.UTF8.GetString(message[(12 + path.Length)..]));
        return true;
    }

    public void Leave()
    {
        if (Path is { Length: > 0 })
            _ = AppendedFile.TryAdd(Path, Line);
    }
}
