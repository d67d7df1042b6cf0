using System.Buffers;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace FuncX.Configuration;

/// <summary>
/// Settings of the .NET runtime that it takes from its environment alone and reads before, or just after, the first code of ours runs. A program that wants some becomes itself once more,
/// with them set: the process id, the open files and the arguments stay. They are not passed on to what it starts.
/// </summary>
public static partial class RuntimeEnvironment
{
    // Names what was added, so that the second time it is taken out again: a function that is a .NET program is none of ours to tune.
    private const string Marker = "FUNCX_RUNTIME_ENVIRONMENT";
    private const int BrokenPipe = 13; // SIGPIPE

    /// <summary>
    /// Call first, while nothing is open and no other thread matters. What the user has set himself stays as it is, and so does a run that is watched: its debugger,
    /// profiler or startup hook has begun with this process and would not expect another beginning.
    /// </summary>
    public static void Apply(params ReadOnlySpan<(string Name, string Value)> settings)
    {
        if (!OperatingSystem.IsLinux())
            return;
        if (Environment.GetEnvironmentVariable(Marker) is { } added)
        {
            UseSharedPool();
            Remove(added.Split(','));
            return;
        }

        if (!RuntimeEnvironmentRules.MayBeginAnew(Environment.GetEnvironmentVariable, Debugger.IsAttached, Environment.GetCommandLineArgs()))
            return;
        List<string> names = [];
        foreach (var (name, value) in settings)
        {
            if (!RuntimeEnvironmentRules.IsSet(name, Environment.GetEnvironmentVariable) && SetVariable(name, value, overwrite: 1) == 0)
                names.Add(name);
        }

        if (names.Count == 0 || SetVariable(Marker, string.Join(',', names), overwrite: 1) != 0)
            return;
        BecomeItself();
        // No /proc, or no memory: it runs as well without, only not as fast.
        Remove(names);
    }

    /// <summary>The shared pool reads its setting when it first keeps more than the one array that each thread has, which could be after the setting is gone.</summary>
    private static void UseSharedPool()
    {
        var (first, second) = (ArrayPool<byte>.Shared.Rent(16), ArrayPool<byte>.Shared.Rent(16));
        ArrayPool<byte>.Shared.Return(first);
        ArrayPool<byte>.Shared.Return(second);
    }

    private static void Remove(IEnumerable<string> names)
    {
        foreach (var name in names.Append(Marker))
        {
            Environment.SetEnvironmentVariable(name, null);
            _ = UnsetVariable(name);
        }
    }

    private static unsafe void BecomeItself()
    {
        byte[] words;
        try
        {
            words = File.ReadAllBytes("/proc/self/cmdline");
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            return;
        }

        var count = words.Count(static letter => letter == 0);
        if (count == 0)
            return;
        RemoveSockets();
        // The runtime ignores it, and what is ignored stays so in every program that is started from then on.
        var before = SetSignal(BrokenPipe, 0);
        var starts = new nint[count + 1];
        // By its own name, which is the one that ps shows; by the link when that name is gone.
        fixed (byte* first = words)
        fixed (byte* program = Encoding.UTF8.GetBytes(Environment.ProcessPath + '\0'))
        fixed (byte* link = "/proc/self/exe\0"u8)
        fixed (nint* arguments = starts)
        {
            for (int index = 0, at = 0; index < count; index++)
            {
                starts[index] = (nint)(first + at);
                at += words.AsSpan(at).IndexOf((byte)0) + 1;
            }

            _ = Execute(program, arguments);
            _ = Execute(link, arguments);
        }

        SetSignal(BrokenPipe, before);
    }

    /// <summary>The runtime takes away what it made for debuggers and tracers when it ends; a program that becomes another does not end.</summary>
    private static void RemoveSockets()
    {
        try
        {
            foreach (var name in RuntimeEnvironmentRules.Sockets(Environment.ProcessId, File.ReadAllText("/proc/self/stat")))
                File.Delete(Path.Combine(Path.GetTempPath(), name));
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // What is left there is a name without anybody behind it.
        }
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "unsetenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int UnsetVariable(string name);

    [LibraryImport("libc", EntryPoint = "signal")]
    private static partial nint SetSignal(int signal, nint handler);

    [LibraryImport("libc", EntryPoint = "execv")]
    private static unsafe partial int Execute(byte* program, nint* arguments);
}
