using System.Net;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Doctor;
using FuncX.Endpoint.Identity;
using FuncX.Providers.Batch;

namespace FuncX.Tests.Unit;

/// <summary>A machine on which all is well, until a test breaks one thing of it. bash and what it starts are real; a scheduler's commands are played.</summary>
internal sealed class EndpointDoctorMachine(string manager) : IMachine
{
    private readonly CommandRunner _commands = new(TimeSpan.FromSeconds(30));

    /// <summary>The commands that are in PATH, and what each answers; others are really started.</summary>
    public Dictionary<string, Func<SchedulerCommand, Task<CommandOutput>>> Played { get; } = new(StringComparer.Ordinal)
    {
        ["sbatch"] = static _ => Answer(0, "", "sbatch: Job 7 to start at 2026-01-01T00:00:00 using 8 processors on nodes n1 in partition debug\n"),
        ["squeue"] = static _ => Answer(0, ""),
        ["scancel"] = static _ => Answer(0, ""),
        ["sacct"] = static _ => Answer(0, ""),
        ["scontrol"] = static _ => Answer(0, ""),
    };

    public string HostName => "login1";

    public Version? Glibc { get; set; } = new(2, 36);

    public ulong OpenFiles { get; set; } = 1_048_576;

    public DiskSpace Space { get; set; } = new(500L << 30, 1_000_000);

    /// <summary>What a write to the state directory ends with; null: it works.</summary>
    public Exception? WriteProblem { get; set; }

    public ServiceAnswer Service { get; set; } = new(ServiceReach.Answered, Ahead: TimeSpan.FromMilliseconds(-300));

    public IReadOnlyList<IPAddress> Addresses { get; set; } = [IPAddress.Parse("10.1.2.3")];

    /// <summary>Why there are no addresses; null: there are.</summary>
    public string? AddressProblem { get; set; }

    public IReadOnlyList<IPAddress> OwnName { get; set; } = [IPAddress.Parse("10.1.2.3")];

    /// <summary>Why there is no manager; null: there is.</summary>
    public string? ManagerProblem { get; set; }

    public static Task<CommandOutput> Answer(int exitCode, string output, string errors = "") => Task.FromResult(new CommandOutput(exitCode, output, errors));

    public string? Find(string program) => Played.ContainsKey(program) ? $"/opt/scheduler/bin/{program}" : null;

    public ManagerProgram FindManager() => ManagerProblem is { } problem ? throw new EndpointRefusedException(problem) : new ManagerProgram(manager);

    public Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation) =>
        Played.TryGetValue(command.Program, out var answer) ? answer(command) : _commands.RunAsync(command, workingDirectory, cancellation);

    public void Write(string directory, int bytes)
    {
        if (WriteProblem is { } problem)
            throw problem;
    }

    public DiskSpace SpaceOf(string directory) => Space;

    public Task<ServiceAnswer> AskAsync(string service, CancellationToken cancellation) => Task.FromResult(Service);

    public IReadOnlyList<IPAddress> ListenAddresses(EndpointConfiguration configuration) => AddressProblem is { } problem ? throw new EndpointRefusedException(problem) : Addresses;

    public Task<IReadOnlyList<IPAddress>> ResolveAsync(string name, CancellationToken cancellation) => Task.FromResult(OwnName);
}
