using System.Runtime.InteropServices;

namespace FuncX.Service.Storage;

/// <summary>Makes the names in a directory durable: a file whose directory entry was not synced may be gone after a power cut.</summary>
internal static partial class DirectorySync
{
    public static void Flush(string directory)
    {
        var descriptor = Open(directory, 0);
        if (descriptor < 0)
            throw new IOException($"cannot open {directory} to sync it (errno {Marshal.GetLastPInvokeError()})");
        var result = Sync(descriptor);
        _ = Close(descriptor);
        if (result != 0)
            throw new IOException($"cannot sync {directory} (errno {Marshal.GetLastPInvokeError()})");
    }

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string path, int flags);

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    private static partial int Sync(int descriptor);

    [LibraryImport("libc", EntryPoint = "close", SetLastError = true)]
    private static partial int Close(int descriptor);
}
