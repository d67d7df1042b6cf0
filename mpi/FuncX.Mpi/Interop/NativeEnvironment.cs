using System.Runtime.InteropServices;

namespace FuncX.Mpi.Interop;

/// <summary>The environment that native libraries read. The runtime keeps a copy of its own, and what is set there never reaches getenv.</summary>
internal static partial class NativeEnvironment
{
    /// <summary>Sets a variable unless somebody has set it, to anything.</summary>
    public static void SetDefault(string name, string value)
    {
        if (SetEnv(name, value, overwrite: 0) != 0)
            throw new InvalidOperationException($"setenv of {name} failed: errno {Marshal.GetLastPInvokeError()}");
    }

    [LibraryImport("libc", EntryPoint = "setenv", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnv(string name, string value, int overwrite);
}
