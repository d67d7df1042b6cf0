using System.Globalization;

namespace FuncX.Tests.Integration.Harness;

/// <summary>From outside, with strace: as long as this is, each fsync and fdatasync (or other calls) of a process, or of one of its threads, answers "Input/output error".</summary>
public sealed class FailingSync : IAsyncDisposable
{
    private const string Syncs = "fsync,fdatasync";

    private readonly Daemon _strace;

    private FailingSync(Daemon strace) => _strace = strace;

    /// <summary>In the thread of that name alone.</summary>
    /// <param name="process">The process.</param>
    /// <param name="thread">The thread's name.</param>
    /// <param name="when">Which calls: strace's <c>:when=</c>, or nothing for all.</param>
    /// <param name="log">Where strace writes.</param>
    public static async Task<FailingSync> OfThreadAsync(ProcessIdentity process, string thread, string when, string log)
    {
        var number = Directory.GetDirectories($"/proc/{process}/task").Single(task => Read(Path.Combine(task, "comm")) is [var name] && name == thread);
        return new FailingSync(await AttachAsync(["-p", Path.GetFileName(number)], Syncs, when, log));
    }

    /// <summary>In all threads.</summary>
    /// <param name="process">The process.</param>
    /// <param name="log">Where strace writes.</param>
    /// <param name="file">Only of this file.</param>
    /// <param name="calls">The system calls, with commas between.</param>
    public static async Task<FailingSync> OfAsync(ProcessIdentity process, string log, string? file = null, string calls = Syncs)
    {
        var untraced = "";
        for (var attempt = 0; attempt < 20; attempt++)
        {
            var strace = await AttachAsync(["-f", "-p", $"{process}", .. file is null ? Array.Empty<string>() : ["-P", file]], calls, "", log);

            // It goes through the list of threads once: one that begins meanwhile, of a parent it has not come to yet, stays as it was.
            untraced = string.Join(' ', Untraced(process, strace.Identity));
            if (untraced.Length == 0)
                return new FailingSync(strace);
            await strace.DisposeAsync();
        }

        throw new InvalidOperationException($"threads of process {process} that strace did not attach to: {untraced}");
    }

    public ValueTask DisposeAsync() => _strace.DisposeAsync();

    private static async Task<Daemon> AttachAsync(string[] target, string calls, string when, string log)
    {
        File.Exists("/usr/bin/strace").ShouldBeTrue("strace makes the calls fail; tests/run installs it");
        var strace = Daemon.Start(["/usr/bin/strace", .. target, "-e", $"trace={calls}", "-e", $"inject={calls}:error=EIO{when}"], log);
        await Eventually.TrueAsync(() => strace.Tail.Contains("attached", StringComparison.Ordinal), "strace is attached", seen: () => strace.Tail);
        return strace;
    }

    private static IEnumerable<string> Untraced(ProcessIdentity process, ProcessIdentity tracer)
    {
        var attached = $"TracerPid:\t{tracer.Pid.ToString(CultureInfo.InvariantCulture)}";
        return Directory.GetDirectories($"/proc/{process}/task")
            .Where(thread => Read($"{thread}/status") is { Length: > 0 } status && !status.Contains(attached))
            .Select(static thread => Path.GetFileName(thread));
    }

    /// <summary>Empty when the thread has ended meanwhile.</summary>
    private static string[] Read(string path)
    {
        try
        {
            return File.ReadAllLines(path);
        }
        catch (IOException)
        {
            return [];
        }
    }
}
