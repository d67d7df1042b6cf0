using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Configuration;

/// <summary>
/// Makes files and the names in directories durable, or says that it did not: <see cref="RandomAccess.FlushToDisk"/> and <see cref="FileStream.Flush(bool)"/>
/// return as if nothing were wrong when the disk has failed.
/// </summary>
public static partial class DiskSync
{
    private const int Interrupted = 4; // EINTR
    private const int CloseOnExecute = 0x80000; // O_CLOEXEC
    private const int DontNeed = 4; // POSIX_FADV_DONTNEED

    /// <summary>Returns when the file's bytes and its length are on the disk.</summary>
    /// <exception cref="IOException">They may not be; its HResult is the system's error number, as with any other write. The system may have forgotten what it could not write: another call that succeeds says nothing of it.</exception>
    public static void Flush(SafeFileHandle file, string path)
    {
        while (SynchronizeData(file) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != Interrupted)
                throw new IOException($"{path} was not written to the disk: {Marshal.GetPInvokeErrorMessage(error)}", error);
        }
    }

    /// <summary>Has the system forget a part of a file that is on the disk; what is not stays. Advice: one that is not taken changes nothing but memory.</summary>
    public static void Forget(SafeFileHandle file, long offset, long bytes) => _ = Advise(file, offset, bytes, DontNeed);

    /// <summary>Returns when the names in a directory are on the disk: a file whose directory entry was not synced may be gone after a power cut.</summary>
    /// <exception cref="IOException">They may not be.</exception>
    public static void FlushDirectory(string directory)
    {
        using var opened = OpenDirectory(directory, CloseOnExecute);
        if (opened.IsInvalid)
            throw new IOException($"{directory} cannot be opened to make it durable: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");
        while (Synchronize(opened) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error != Interrupted)
                throw new IOException($"{directory} was not written to the disk: {Marshal.GetPInvokeErrorMessage(error)}");
        }
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial SafeFileHandle OpenDirectory(string path, int flags);

    [LibraryImport("libc", EntryPoint = "posix_fadvise64")]
    private static partial int Advise(SafeFileHandle file, long offset, long bytes, int advice);

    [LibraryImport("libc", EntryPoint = "fdatasync", SetLastError = true)]
    private static partial int SynchronizeData(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Synchronize(SafeFileHandle file);
}
