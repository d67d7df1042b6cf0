using System.Net;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;
using FuncX.Providers;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>What the compute nodes themselves say, in a small job of one block's nodes; nothing is left of it.</summary>
/// <param name="patience">How long the job is waited for; null: nodes are not asked.</param>
/// <param name="tell">Takes a line for whoever waits.</param>
internal sealed class NodesCheck(EndpointConfiguration configuration, IMachine machine, TimeSpan? patience, TimeProvider time, Action<string> tell) : IDoctorCheck
{
    /// <summary>What the job asks for at most: queues let short jobs in sooner. Cobalt takes none that is shorter.</summary>
    private static readonly TimeSpan s_walltime = TimeSpan.FromMinutes(5);

    // What a node wrote is on the file server's disk before it is in this machine's view of the directory.
    private static readonly TimeSpan s_settle = TimeSpan.FromSeconds(10);

    public string Name => "nodes";

    public TimeSpan Limit => (patience ?? TimeSpan.Zero) + TimeSpan.FromMinutes(6);

    public async Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        if (BatchSchedulers.Of(Short(configuration)) is not { } scheduler)
            return [Finding.Skipped(Name, $"not needed: with provider.type {SnakeCase.Of(configuration.Provider.Type)} there are none to ask for")];
        if (patience is not { } most)
            return [Finding.Skipped(Name, "compute nodes were not asked; with --job a small job asks them whether they see state_dir, this machine's addresses and Python")];
        IReadOnlyList<IPAddress> addresses;
        try
        {
            addresses = machine.ListenAddresses(configuration);
        }
        catch (EndpointRefusedException)
        {
            return [Finding.Skipped(Name, "there is no address that nodes could dial")];
        }

        if (!Directory.Exists(configuration.StateDirectory))
            return [Finding.Skipped(Name, $"state_dir {configuration.StateDirectory} is not there")];
        return await AskAsync(scheduler, addresses, most, cancellation);
    }

    private static EndpointConfiguration Short(EndpointConfiguration configuration) => configuration.Provider.Walltime > s_walltime
        ? configuration with { Provider = configuration.Provider with { Walltime = s_walltime } }
        : configuration;

    private async Task<IReadOnlyList<Finding>> AskAsync(IBatchScheduler scheduler, IReadOnlyList<IPAddress> addresses, TimeSpan most, CancellationToken cancellation)
    {
        await using var listener = ReachListener.Start(addresses, time);
        // Not among the blocks: the endpoint, which may be running, would take it for one of its own.
        var block = Guid.NewGuid().ToString("N")[..8];
        var directory = Path.Combine(configuration.StateDirectory, $"doctor-{block}");
        Directory.CreateDirectory(directory, FileModes.PrivateDirectory);
        try
        {
            var program = Path.Combine(directory, "probe.sh");
            TemporaryScript.Write(program, NodeProbe.Script(configuration, directory, listener.Bound, listener.Word));
            TemporaryScript.Write(Path.Combine(directory, NodeProbe.PythonFile), configuration.Workers.Simulate ? "" : PythonProbe.Script(configuration.Workers));
            var request = new BlockRequest
            {
                BlockId = block,
                Endpoint = configuration.Name,
                Owner = "doctor",
                Nodes = configuration.Provider.Nodes,
                Directory = directory,
                Rendezvous = Path.Combine(directory, "none"),
                Init = configuration.Provider.Init,
                Manager = program,
            };
            var provider = new BatchProvider(scheduler, machine, configuration.Provider.PollInterval, time);
            var end = await new ProbeJob(provider, request, time, tell).RunAsync(most, cancellation);
            return await ConcludeAsync(end, directory, most, cancellation);
        }
        catch (BlockProviderException problem)
        {
            return [Finding.Refused(Name, problem.Message, "see the findings about scheduler and script")];
        }
        finally
        {
            await RemoveAsync(directory);
        }
    }

    private async Task<IReadOnlyList<Finding>> ConcludeAsync(ProbeEnd end, string directory, TimeSpan most, CancellationToken cancellation)
    {
        var reports = Read(directory);
        for (var begun = time.GetTimestamp(); end.Status.State == BlockState.Completed && reports.Count < configuration.Provider.Nodes && time.GetElapsedTime(begun) < s_settle; reports = Read(directory))
            await Task.Delay(TimeSpan.FromMilliseconds(250), time, cancellation);
        var findings = NodeFindings.Of(Name, configuration, reports, Needed()).ToList();
        var missing = configuration.Provider.Nodes - reports.Count;
        if (!end.Status.State.IsEnd())
        {
            findings.Insert(0, Finding.Problem(Name, $"job {end.JobId} had not ended after {most.TotalSeconds:F0} s and was cancelled{(end.Status.Reason.Length > 0 ? $": {end.Status.Reason}" : "")}",
                "wait longer with --timeout SECONDS, or have the file ask for what is sooner to be had"));
        }
        else if (missing > 0)
        {
            var log = LogTail.Read(Path.Combine(directory, "batch.log"));
            findings.Insert(0, Finding.Problem(Name,
                $"{missing} of {configuration.Provider.Nodes} nodes of job {end.JobId} left no word in {configuration.StateDirectory}{Said(end.Status.Reason)}{(end.Status.Reason.Contains(log, StringComparison.Ordinal) ? "" : Said(log))}",
                "name a state_dir on a file system that nodes share with this machine; what the job itself complained about is in these words"));
        }

        return findings.Count > 0 ? findings : [Finding.Ok(Name, Describe(end, reports))];
    }

    private static string Said(string text) => text.Length > 0 ? $"; {text.ReplaceLineEndings(" / ")}" : "";

    private static string Describe(ProbeEnd end, IReadOnlyList<NodeReport> reports)
    {
        var glibc = string.Join(", ", reports.Select(static report => report.Glibc).OfType<Version>().Distinct().Order());
        var python = string.Join(", ", reports.Select(static report => report.Python?.Version ?? "").Where(static version => version.Length > 0).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
        var addresses = string.Join(", ", reports.SelectMany(static report => report.Reached).Select(static target => target.Split('/')[0]).Distinct(StringComparer.Ordinal));
        var apart = reports.Select(static report => report.Ahead ?? TimeSpan.Zero).Max(static ahead => ahead.Duration());
        return $"{NodeFindings.Names(reports.Select(static report => report.Node))} of job {end.JobId} may write state_dir and reach {addresses}; glibc {glibc}{(python.Length > 0 ? $", Python {python}" : "")}, clocks within {Math.Ceiling(apart.TotalSeconds):F0} s";
    }

    private IReadOnlyList<NodeReport> Read(string directory)
    {
        var reports = new List<NodeReport>();
        foreach (var log in Directory.EnumerateFiles(directory, "node-*.log").Order(StringComparer.Ordinal))
        {
            if (NodeReport.Parse(File.ReadAllText(log), configuration.Workers) is { } report)
                reports.Add(report);
        }

        return reports;
    }

    private Version? Needed()
    {
        try
        {
            return GlibcNeed.Of(File.ReadAllBytes(machine.FindManager().Path));
        }
        catch (EndpointRefusedException)
        {
            return null;
        }
    }

    // The job's own shell, or a file server, may be having its last word.
    private async Task RemoveAsync(string directory)
    {
        for (var begun = time.GetTimestamp(); ;)
        {
            try
            {
                Directory.Delete(directory, recursive: true);
                return;
            }
            catch (IOException) when (time.GetElapsedTime(begun) < s_settle)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), time, CancellationToken.None);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                tell($"{directory} could not be removed: {problem.Message}");
                return;
            }
        }
    }
}
