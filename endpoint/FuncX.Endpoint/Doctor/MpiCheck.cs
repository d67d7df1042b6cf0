using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Core.Launching;
using FuncX.Endpoint.Identity;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>With <c>transport: mpi</c>: the launcher that a block's agent would take, the library that ranks would load, and whether they belong together.</summary>
internal sealed class MpiCheck(EndpointConfiguration configuration, IMachine machine) : IDoctorCheck
{
    private LauncherConfiguration Launcher => configuration.Launcher ?? new LauncherConfiguration();

    private string Where => configuration.Provider.Type == ProviderKind.Local ? "" : "; this is this machine's, and nodes may differ";

    // Worlds of the local provider have the environment of whoever starts the endpoint.
    private string Load(string what) => configuration.Provider.Type is ProviderKind.Local or ProviderKind.Allocation ? $"load {what} (module load) in the shell that runs `start`" : $"load {what} (module load) in provider.init";

    public string Name => "mpi";

    public async Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        if (configuration.Transport != TransportKind.Mpi)
            return [Finding.Skipped(Name, "not needed: transport is tcp")];
        ManagerProgram manager;
        try
        {
            manager = machine.FindManager();
        }
        catch (EndpointRefusedException)
        {
            return [Finding.Skipped(Name, "there is no manager that could be a rank")];
        }

        using var script = new TemporaryScript(MpiProbe.Script(configuration.Provider.Init, manager.Path));
        var output = await machine.RunAsync(new SchedulerCommand("/bin/bash", script.Path), Path.GetTempPath(), cancellation);
        if (output.TimedOut || MpiProbe.Read(MarkedOutput.Parse(output.Output)) is not { } answer)
            return [Finding.Problem(Name, $"provider.init {(output.TimedOut ? "took too long" : $"ended its shell (exit {output.ExitCode})")}: {output.Said}", "run its lines in bash to see what stops them; an `exit` among them ends a batch script before anything is started")];
        return [Conclude(answer)];
    }

    private Finding Conclude(MpiAnswer answer)
    {
        var choice = new LauncherChoice(program => answer.Launchers.FirstOrDefault(launcher => launcher.Program == program)?.Version);
        var name = Launcher.Type == LauncherKind.Detect ? choice.Detect(BlockAllocation.KindsOf(configuration.Provider.Type), answer.Library?.IsOpenMpi ?? true, SrunServes(answer)) : SnakeCase.Of(Launcher.Type);
        if (name is null || choice.ProgramOf(name) is not { } program)
        {
            var there = answer.Launchers.Count > 0 ? string.Join(", ", answer.Launchers.Select(static launcher => launcher.Path)) : "none";
            return Finding.Problem(Name, $"no launcher is there that launcher.type {SnakeCase.Of(Launcher.Type)} can be; what was found: {there}{Where}",
                $"{Load("the MPI of the machine")}, or name another one in launcher.type");
        }

        var path = answer.Launchers.First(launcher => launcher.Program == program).Path;
        if (answer.Library is not { } library)
            return Finding.Problem(Name, $"{path} is there, and no MPI library that its ranks could load: {answer.LibraryProblem}{Where}", $"{Load("the library of that launcher")}, or name it in FUNCX_MPI_LIBRARY there");
        var loads = $"{library.Path} ({library.Version})";
        // Of the others mpirun alone is Open MPI's.
        if (name == "srun" ? SrunServes(answer) : (name == "mpirun") == library.IsOpenMpi)
            return Finding.Ok(Name, $"{path} starts ranks, which load {loads}{Where}");
        var missing = name == "srun"
            ? $"srun has no --mpi={SlurmMpi.Needed(library)}, which that library needs (it has {string.Join(' ', SlurmMpi.Kinds(answer.SlurmKinds))})"
            : $"{path} starts ranks of another MPI: each would be a world of its own";
        return Finding.Problem(Name, $"ranks would load {loads}, which has {(library.IsOpenMpi ? "Open MPI's ABI" : "MPICH's ABI")}, and {missing}{Where}",
            $"{Load("one MPI only")}, name its library in FUNCX_MPI_LIBRARY there, or another launcher in launcher.type");
    }

    // The file's own arguments may say how ranks find each other.
    private bool SrunServes(MpiAnswer answer) => Launcher.Arguments.Any(SlurmMpi.IsArgument) || SlurmMpi.Problem(answer.Library, answer.SlurmKinds, static _ => "").Length == 0;
}
