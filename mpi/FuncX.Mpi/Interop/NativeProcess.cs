using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace FuncX.Mpi.Interop;

/// <summary>The end of this process without exit handlers, which could wait for other ranks.</summary>
internal static partial class NativeProcess
{
    [DoesNotReturn]
    public static void ExitNow(int code)
    {
        Exit(code);
        throw new InvalidOperationException("_exit returned");
    }

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void Exit(int code);
}
