using System.Globalization;

namespace FuncX.Tests.Integration.Harness;

/// <summary>From outside, with strace: as long as this is, every fsync and fdatasync of a process answers "Input/output error".</summary>
public sealed class FailingSync : IAsyncDisposable
{
    private readonly Daemon _strace;

    private FailingSync(Daemon strace) => _strace = strace;

    public static async Task<FailingSync> OfAsync(ProcessIdentity process, string log)
    {
        File.Exists("/usr/bin/strace").ShouldBeTrue("strace makes the calls fail; tests/run installs it");
        var untraced = "";
        for (var attempt = 0; attempt < 20; attempt++)
        {
            var strace = Daemon.Start(
                ["/usr/bin/strace", "-f", "-p", $"{process.Pid}", "-e", "trace=fsync,fdatasync", "-e", "inject=fsync,fdatasync:error=EIO"], log);
            await Eventually.TrueAsync(() => strace.Tail.Contains("attached", StringComparison.Ordinal), "strace is attached", seen: () => strace.Tail);

            // It goes through the list of threads once: one that begins meanwhile, of a parent it has not come to yet, stays as it was.
            untraced = string.Join(' ', Untraced(process, strace.Identity));
            if (untraced.Length == 0)
                return new FailingSync(strace);
            await strace.DisposeAsync();
        }

        throw new InvalidOperationException($"threads of process {process} that strace did not attach to: {untraced}");
    }

    public ValueTask DisposeAsync() => _strace.DisposeAsync();

    private static IEnumerable<string> Untraced(ProcessIdentity process, ProcessIdentity tracer)
    {
        var attached = $"TracerPid:\t{tracer.Pid.ToString(CultureInfo.InvariantCulture)}";
        foreach (var thread in Directory.GetDirectories($"/proc/{process}/task"))
        {
            string[] status;
            try
            {
                status = File.ReadAllLines($"{thread}/status");
            }
            catch (IOException)
            {
                // It has ended.
                continue;
            }

            if (!status.Contains(attached))
                yield return Path.GetFileName(thread);
        }
    }
}
