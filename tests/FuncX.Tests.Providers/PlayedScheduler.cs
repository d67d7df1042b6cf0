using FuncX.Providers;
using FuncX.Providers.Batch;
using FuncX.Providers.Cobalt;
using FuncX.Providers.Pbs;

namespace FuncX.Tests.Providers;

/// <summary>PBS or Cobalt as commands that really run the jobs (<c>tests/lib/fake_pbs</c>, <c>fake_cobalt</c>), in a directory of its own.</summary>
internal sealed class PlayedScheduler : ICommandRunner, IDisposable
{
    private static readonly Dictionary<string, string[]> s_commands = new(StringComparer.Ordinal)
    {
        ["pbs"] = ["qsub", "qstat", "qdel", "qrerun", "qselect", "pbsdsh"],
        ["cobalt"] = ["qsub", "qstat", "qdel", "cqadm", "aprun"],
    };

    private readonly CommandRunner _runner = new(TimeSpan.FromSeconds(30));
    private readonly string _kind;
    private readonly string _root = Directory.CreateTempSubdirectory("funcx-s-").FullName;

    public PlayedScheduler(string kind)
    {
        _kind = kind;
        Directory.CreateDirectory(Path.Combine(_root, "bin"));
        Directory.CreateDirectory(State);
        foreach (var command in s_commands[kind])
            File.CreateSymbolicLink(Path.Combine(_root, "bin", command), Path.Combine(BlockScratch.Repository, "tests/lib", $"fake_{kind}"));
    }

    /// <summary>All of it; a job's own watcher is started from here, too.</summary>
    public string Root => _root;

    private string State => Path.Combine(_root, "state");

    /// <summary>Runs the same commands and waits for none of them longer than two seconds.</summary>
    public ICommandRunner Hasty => new HastyRunner(Path.Combine(_root, "bin"));

    /// <summary>Lines of a script that find the commands, the scheduler's launcher among them: a job's PATH does not have them.</summary>
    public string Init => $"PATH=\"{Path.Combine(_root, "bin")}:$PATH\"";

    /// <summary>The commands that were run, oldest first.</summary>
    public List<string> Commands { get; } = [];

    public IBatchScheduler Scheduler(TimeSpan? walltime = null, string? queue = null, string? account = null, params IReadOnlyList<string> directives) => _kind == "pbs"
        ? new PbsScheduler(new PbsSettings { Walltime = walltime ?? TimeSpan.FromMinutes(10), Queue = queue, Account = account, Directives = directives })
        : new CobaltScheduler(new CobaltSettings { Walltime = walltime ?? TimeSpan.FromMinutes(10), Queue = queue, Account = account, Directives = directives });

    /// <summary>Cobalt, with variables for its jobs.</summary>
    public BatchProvider Provider(IReadOnlyDictionary<string, string> environment, params IReadOnlyList<string> directives) => new(
        new CobaltScheduler(new CobaltSettings { Walltime = TimeSpan.FromMinutes(10), Environment = environment, Directives = directives }), this, TimeSpan.FromMilliseconds(5), TimeProvider.System);

    public BatchProvider Provider(TimeSpan? walltime = null, string? queue = null, string? account = null, params IReadOnlyList<string> directives) =>
        new(Scheduler(walltime, queue, account, directives), this, TimeSpan.FromMilliseconds(5), TimeProvider.System);

    /// <summary>Makes the server go away, or stand still (<c>hung</c>), until it is disposed.</summary>
    public IDisposable Without(string how = "down") => new Flag(Path.Combine(State, how));

    /// <summary>The node dies, with every job that began on it; it stays away until it is disposed.</summary>
    public IDisposable WithoutNode(string name) => new Flag(Path.Combine(State, "lost"), name);

    public void Configure(string json) => File.WriteAllText(Path.Combine(State, "config.json"), json);

    /// <summary>Takes every job out of the server's memory, which goes on running.</summary>
    public void Forget()
    {
        foreach (var job in Directory.EnumerateFiles(Path.Combine(State, "jobs")).Where(static file => Path.GetFileName(file).All(char.IsAsciiDigit)))
            File.Move(job, $"{job}.forgotten");
    }

    public Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation)
    {
        Commands.Add(command.ToString());
        return _runner.RunAsync(command with { Program = Path.Combine(_root, "bin", command.Program) }, workingDirectory, cancellation);
    }

    public void Dispose()
    {
        try
        {
            Directory.Delete(_root, recursive: true);
        }
        catch (IOException)
        {
            // A job that ends this moment may still write.
        }
    }

    private sealed class HastyRunner(string directory) : ICommandRunner
    {
        private readonly CommandRunner _runner = new(TimeSpan.FromSeconds(2));

        public Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation) =>
            _runner.RunAsync(command with { Program = Path.Combine(directory, command.Program) }, workingDirectory, cancellation);
    }

    private sealed class Flag : IDisposable
    {
        private readonly string _path;

        public Flag(string path, string text = "")
        {
            _path = path;
            File.WriteAllText(path, text);
        }

        public void Dispose() => File.Delete(_path);
    }
}
