using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Configuration;

/// <summary>What the base library does not tell about files: who owns them.</summary>
public static partial class FileModes
{
    private const int CurrentDirectory = -100; // AT_FDCWD
    private const int NoFollow = 0x100; // AT_SYMLINK_NOFOLLOW
    private const int EmptyPath = 0x1000; // AT_EMPTY_PATH
    private const uint WantOwner = 0x8; // STATX_UID
    private const uint WantNumber = 0x100; // STATX_INO

    /// <summary>0700.</summary>
    public const UnixFileMode PrivateDirectory = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>0600.</summary>
    public const UnixFileMode PrivateFile = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    /// <summary>The effective user id of this process.</summary>
    public static uint CurrentUser => GetEffectiveUser();

    /// <summary>The user id that owns an open file.</summary>
    public static uint OwnerOf(SafeFileHandle file)
    {
        var added = false;
        try
        {
            file.DangerousAddRef(ref added);
            return Owner((int)file.DangerousGetHandle(), "", EmptyPath);
        }
        finally
        {
            if (added)
                file.DangerousRelease();
        }
    }

    /// <summary>The user id that owns a file or directory; of a symbolic link, the link's own.</summary>
    public static uint OwnerOf(string path) => Owner(CurrentDirectory, path, NoFollow);

    /// <summary>Whether a path, over whatever links, leads to the file that is open here; not when there is none.</summary>
    public static bool IsAt(SafeFileHandle file, string path)
    {
        // struct statx: ... inode u64 at 32 | ... device u32, u32 at 136
        Span<byte> open = stackalloc byte[256];
        Span<byte> there = stackalloc byte[256];
        var added = false;
        try
        {
            file.DangerousAddRef(ref added);
            return Statx((int)file.DangerousGetHandle(), "", EmptyPath, WantNumber, ref MemoryMarshal.GetReference(open)) == 0
                && Statx(CurrentDirectory, path, 0, WantNumber, ref MemoryMarshal.GetReference(there)) == 0
                && open.Slice(32, 8).SequenceEqual(there.Slice(32, 8)) && open.Slice(136, 8).SequenceEqual(there.Slice(136, 8));
        }
        finally
        {
            if (added)
                file.DangerousRelease();
        }
    }

    /// <summary>A mode as <c>chmod</c> takes it: <c>0640</c>.</summary>
    public static string Octal(UnixFileMode mode) => "0" + Convert.ToString((int)mode, 8).PadLeft(3, '0');

    // struct statx is the same on every architecture: mask u32 | blksize u32 | attributes u64 | nlink u32 | uid u32 at 20 | ... 256 bytes
    private static uint Owner(int directory, string path, int flags)
    {
        Span<byte> answer = stackalloc byte[256];
        if (Statx(directory, path, flags, WantOwner, ref MemoryMarshal.GetReference(answer)) != 0)
            throw new IOException($"the owner of '{path}' cannot be read: {Marshal.GetLastPInvokeErrorMessage()}");
        return MemoryMarshal.Read<uint>(answer[20..]);
    }

    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint GetEffectiveUser();

    [LibraryImport("libc", EntryPoint = "statx", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int directory, string path, int flags, uint mask, ref byte answer);
}
