using System.Runtime.InteropServices;

namespace FuncX.Mpi.Interop;

/// <summary>
/// Keeps the signals of the .NET runtime the runtime's. It turns a SIGSEGV into a NullReferenceException; a library that takes the signal
/// turns the same null reference into the end of the process.
/// </summary>
internal sealed unsafe partial class RuntimeSignals
{
    // x86-64 and arm64: HUP INT QUIT ILL TRAP ABRT BUS FPE SEGV PIPE TERM CHLD CONT, the ones that the runtime handles or ignores.
    private static readonly int[] Numbers = [1, 2, 3, 4, 5, 6, 7, 8, 11, 13, 15, 17, 18];

    // struct sigaction of glibc is 152 bytes; nothing in here looks inside.
    private const int ActionBytes = 256;

    private readonly byte[] _actions = new byte[Numbers.Length * ActionBytes];

    private RuntimeSignals()
    {
    }

    /// <summary>Tells the libraries that are known for it to leave signals alone, unless the user has said something else.</summary>
    public static void AskLibraries()
    {
        // UCX (MPICH's and Open MPI's usual network layer) prints a backtrace on SIGSEGV and others.
        NativeEnvironment.SetDefault("UCX_ERROR_SIGNALS", "");
        NativeEnvironment.SetDefault("UCX_HANDLE_ERRORS", "none");
        // Open MPI itself: 6,7,8,11 by default.
        NativeEnvironment.SetDefault("OMPI_MCA_opal_signal", "");
        // PSM2 (Omni-Path). Open MPI sets it too, MPICH does not.
        NativeEnvironment.SetDefault("HFI_NO_BACKTRACE", "1");
    }

    /// <summary>Remembers what every signal does now.</summary>
    public static RuntimeSignals Capture()
    {
        var signals = new RuntimeSignals();
        fixed (byte* actions = signals._actions)
        {
            for (var i = 0; i < Numbers.Length; i++)
                _ = SigAction(Numbers[i], null, actions + (i * ActionBytes));
        }

        return signals;
    }

    /// <summary>Takes back what a library has taken in spite of being asked not to: an older version, or a setting of the user's.</summary>
    public void Restore()
    {
        fixed (byte* actions = _actions)
        {
            for (var i = 0; i < Numbers.Length; i++)
                _ = SigAction(Numbers[i], actions + (i * ActionBytes), null);
        }
    }

    [LibraryImport("libc", EntryPoint = "sigaction")]
    private static partial int SigAction(int signal, byte* action, byte* previous);
}
