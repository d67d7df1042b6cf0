using FuncX.Configuration;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>The workers' Python as this machine has it.</summary>
internal sealed class PythonCheck(EndpointConfiguration configuration, IMachine machine) : IDoctorCheck
{
    private string Where => configuration.Provider.Type == ProviderKind.Local ? "" : "; this is this machine's, and nodes may differ";

    public string Name => "python";

    public async Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        var workers = configuration.Workers;
        if (workers.Simulate)
            return [Finding.Skipped(Name, "not needed: workers.simulate")];
        if (workers.Init.Contains("FUNCX_STAGE_DIR", StringComparison.Ordinal))
            return [Finding.Skipped(Name, "not tried: workers.init looks for the files of stage_in, which only nodes have")];
        using var script = new TemporaryScript(PythonProbe.Script(workers));
        var output = await machine.RunAsync(new SchedulerCommand("/bin/bash", script.Path), Path.GetTempPath(), cancellation);
        var answer = PythonProbe.Read(MarkedOutput.Parse(output.Output), output.TimedOut ? null : output.ExitCode, workers);
        if (answer.Problem.Length > 0)
            return [Finding.Problem(Name, $"{answer.Problem}{Where}", answer.Cure)];
        return [Finding.Ok(Name, $"{answer.Version}, {answer.Path}{(workers.Preload.Count > 0 ? $", imports {string.Join(", ", workers.Preload)}" : "")}{Where}")];
    }
}
