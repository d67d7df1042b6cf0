using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Manager.Interop;

/// <summary>Whose a file is, what it is, who may do what with it, and how many names it has.</summary>
internal readonly record struct FileOwnership(uint Owner, int Kind, UnixFileMode Mode, uint Links)
{
    public const int RegularFile = 0x8000; // S_IFREG
    public const int SymbolicLink = 0xA000; // S_IFLNK

    private const int KindBits = 0xF000; // S_IFMT

    public static uint CurrentUser => Libc.GetEffectiveUser();

    /// <summary>Of a symbolic link, the link's own.</summary>
    /// <exception cref="IOException">It cannot be read; there may be none.</exception>
    public static FileOwnership Of(string path) => Ask(Libc.AT_FDCWD, path, Libc.AT_SYMLINK_NOFOLLOW);

    /// <inheritdoc cref="Of(string)"/>
    public static FileOwnership Of(SafeFileHandle file) => Ask((int)file.DangerousGetHandle(), "", Libc.AT_EMPTY_PATH);

    // struct statx is the same on every architecture: mask u32 | blksize u32 | attributes u64 | nlink u32 at 16 | uid u32 at 20 | gid u32 | mode u16 at 28 | ... 256 bytes
    private static FileOwnership Ask(int directory, string path, int flags)
    {
        Span<byte> answer = stackalloc byte[256];
        if (Libc.Statx(directory, path, flags, Libc.STATX_TYPE | Libc.STATX_MODE | Libc.STATX_NLINK | Libc.STATX_UID, ref MemoryMarshal.GetReference(answer)) != 0)
            throw new IOException(Libc.LastError());
        var mode = MemoryMarshal.Read<ushort>(answer[28..]);
        return new FileOwnership(MemoryMarshal.Read<uint>(answer[20..]), mode & KindBits, (UnixFileMode)(mode & ~KindBits), MemoryMarshal.Read<uint>(answer[16..]));
    }
}
