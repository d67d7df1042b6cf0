using System.Runtime.InteropServices;
using System.Text;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Spawning;

/// <summary>
/// Starts a program by posix_spawn: nothing of this process is copied, so it is safe with threads and with memory registered for a network.
/// The child has default signals and only the descriptors it was given.
/// </summary>
internal static unsafe class Spawn
{
    private const short SetSignalDefaults = 0x04;
    private const short SetSignalMask = 0x08;
    private const short SetSession = 0x80;

    // posix_spawnattr_t is 336 bytes in glibc, posix_spawn_file_actions_t 80; a signal set is 128
    private const int Opaque = 1024;
    private const int SignalSet = 128;

    /// <summary>Returns the child's pid, or minus the error's number.</summary>
    /// <param name="request">What to start.</param>
    /// <param name="descriptors">Become 0, 1, 2, ... of the child. Their own numbers are above the count of them.</param>
    /// <param name="ownSession">It leads a session of its own; else it belongs to this process's session and group.</param>
    public static int Start(SpawnRequest request, ReadOnlySpan<int> descriptors, bool ownSession = true)
    {
        var actions = NativeMemory.AllocZeroed(Opaque);
        var attributes = NativeMemory.AllocZeroed(Opaque);
        var directory = Text(request.Directory);
        var program = Text(request.Program);
        var arguments = Vector(request.Arguments);
        var environment = Vector(request.Environment);
        try
        {
            _ = Libc.FileActionsInit(actions);
            _ = Libc.AttributesInit(attributes);
            for (var i = 0; i < descriptors.Length; i++)
                _ = Libc.FileActionsDup(actions, descriptors[i], i);
            if (request.Directory.Length > 0)
                _ = Libc.FileActionsChdir(actions, directory);
            var all = stackalloc byte[SignalSet];
            new Span<byte>(all, SignalSet).Fill(0xff);
            _ = Libc.AttributesDefaults(attributes, all);
            var none = stackalloc byte[SignalSet];
            new Span<byte>(none, SignalSet).Clear();
            _ = Libc.AttributesMask(attributes, none);
            _ = Libc.AttributesFlags(attributes, (short)(SetSignalDefaults | SetSignalMask | (ownSession ? SetSession : 0)));
            int pid;
            var error = Libc.PosixSpawn(&pid, program, actions, attributes, arguments, environment);
            return error == 0 ? pid : -error;
        }
        finally
        {
            _ = Libc.FileActionsDestroy(actions);
            _ = Libc.AttributesDestroy(attributes);
            NativeMemory.Free(actions);
            NativeMemory.Free(attributes);
            NativeMemory.Free(directory);
            NativeMemory.Free(program);
            Free(arguments);
            Free(environment);
        }
    }

    /// <summary>Finds a program as execvp would, in the PATH of the environment it will have.</summary>
    public static string? Find(string program, IReadOnlyList<string> environment)
    {
        if (program.Contains('/'))
            return File.Exists(program) ? program : null;
        var path = "/usr/local/bin:/usr/bin:/bin";
        foreach (var variable in environment)
        {
            if (variable.StartsWith("PATH=", StringComparison.Ordinal))
                path = variable["PATH=".Length..];
        }

        foreach (var directory in path.Split(':'))
        {
            var candidate = Path.Combine(directory.Length == 0 ? "." : directory, program);
            if (File.Exists(candidate) && (File.GetUnixFileMode(candidate) & (UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute)) != 0)
                return candidate;
        }

        return null;
    }

    private static byte* Text(string text)
    {
        var length = Encoding.UTF8.GetByteCount(text);
        var bytes = (byte*)NativeMemory.Alloc((nuint)length + 1);
        Encoding.UTF8.GetBytes(text, new Span<byte>(bytes, length));
        bytes[length] = 0;
        return bytes;
    }

    private static byte** Vector(IReadOnlyList<string> texts)
    {
        var vector = (byte**)NativeMemory.Alloc((nuint)((texts.Count + 1) * sizeof(byte*)));
        for (var i = 0; i < texts.Count; i++)
            vector[i] = Text(texts[i]);
        vector[texts.Count] = null;
        return vector;
    }

    private static void Free(byte** vector)
    {
        for (var i = 0; vector[i] is not null; i++)
            NativeMemory.Free(vector[i]);
        NativeMemory.Free(vector);
    }
}
