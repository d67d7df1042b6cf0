using System.Text.RegularExpressions;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Commands;

/// <summary><c>funcx-endpoint render</c>: the script alone on stdout, on stderr the commands, the launchers' lines and the environment; nothing is submitted and nothing is written.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed partial class RenderCommandTests : IDisposable
{
    private static readonly string[] s_commands = ["sbatch", "squeue", "sacct", "scontrol", "scancel", "srun", "qsub", "qstat", "qdel", "qselect", "aprun", "mpirun", "mpiexec"];

    // Of the unchanged file.
    private static List<string>? s_before;

    private readonly string _home = LocalCluster.NewDirectory("render");

    public RenderCommandTests()
    {
        Directory.CreateDirectory(Path.Combine(_home, "bin"));
        foreach (var command in s_commands)
        {
            var stub = Path.Combine(_home, "bin", command);
            File.WriteAllText(stub, $"#!/bin/sh\necho \"$0 $*\" >>'{Called}'\n");
            File.SetUnixFileMode(stub, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        File.WriteAllText(Manager, "");
    }

    public static TheoryData<string> Machines => [.. Directory.EnumerateFiles(Path.Combine(SourceTree.Root, "configs"), "*.yaml").Select(static file => Path.GetFileNameWithoutExtension(file)!).Order(StringComparer.Ordinal)];

    private string Called => Path.Combine(_home, "called");

    private string Manager => Path.Combine(_home, "funcx-manager");

    // Of the user; nothing may be made in it.
    private string Ann => Path.Combine(_home, "ann");

    [Theory]
    [MemberData(nameof(Machines))]
    public async Task The_script_of_a_machine_stands_on_stdout_alone_and_the_commands_on_stderr(string name)
    {
        var file = Path.Combine(SourceTree.Root, "configs", $"{name}.yaml");
        var rendered = await RenderAsync(file);
        rendered.ExitCode.ShouldBe(0, rendered.ToString());
        var golden = Path.Combine(SourceTree.Root, "tests/FuncX.Tests.Unit/Golden", $"{name}.sh");
        rendered.Output.ShouldBe(File.Exists(golden) ? AsRendered(await File.ReadAllTextAsync(golden)) : StartedByItself(name));
        var said = rendered.Errors.TrimEnd().Split('\n').Where(line => !line.StartsWith($"{file}:", StringComparison.Ordinal)).ToList();
        said.ShouldAllBe(static line => line.StartsWith("# ", StringComparison.Ordinal));
        foreach (var line in Commands(rendered.Output))
            said.ShouldContain(line);
        NothingHappened();
    }

    [Theory]
    [InlineData("poll_interval: 30s", "poll_interval: 5s", "every 5s one question about all blocks: squeue ")]
    [InlineData("type: srun", "type: aprun", "  aprun -b -n 4 -N 1 -cc none -L 1-4 MANAGER --world --ranks 4 ...")]
    [LongData("type: srun", "type: pals", "  mpiexec --hostfile HOSTS -n 4 --ppn 1 --cpu-bind none --no-transfer --no-abort-on-failure MANAGER --world --ranks 4 ...")]
    [LongData("type: srun", "type: mpiexec", "  mpiexec -f HOSTS -n 4 -bind-to none MANAGER --world --ranks 4 ...")]
    [LongData("type: srun", "type: mpirun", "  mpirun --hostfile HOSTS -np 4 --bind-to none ROOT-x PATH -x LD_LIBRARY_PATH -x FUNCX_UMASK MANAGER --world --ranks 4 ...|Open MPI 4 is told --enable-recovery besides.")]
    [LongData("arguments: []", "arguments: [--label, '--export=A B']", "  srun --nodes=4 --ntasks=4 --nodelist=HOSTS --overlap --cpu-bind=none --cpus-per-task=8 --no-kill --kill-on-bad-exit=0 --input=none --unbuffered --mpi=KIND --label '--export=A B' MANAGER --world --ranks 4 ...")]
    [InlineData("arguments: []", "arguments: [--mpi=pmi2]", "  srun --nodes=4 --ntasks=4 --nodelist=HOSTS --overlap --cpu-bind=none --cpus-per-task=8 --no-kill --kill-on-bad-exit=0 --input=none --unbuffered --mpi=pmi2 MANAGER --world --ranks 4 ...")]
    [LongData("arguments: []", "leader_only: true", "  srun --nodes=4 --ntasks=4 --nodelist=HOSTS --overlap --cpu-bind=none --cpus-per-task=8 --no-kill --kill-on-bad-exit=0 --input=none --unbuffered --mpi=KIND MANAGER --world --ranks 4 --leader-only ...")]
    [InlineData("ranks_per_world: 128", "ranks_per_world: 3", "The agent (--block) launches the managers of its 4 nodes as MPI ranks, a world of 2 at most, 2 in all, by:|  srun --nodes=2 --ntasks=2 ")]
    [LongData("nodes_per_block: 4", "nodes_per_block: 1", "The agent (--block) launches the managers of its node as MPI ranks, a world of 1, by:|  srun --nodes=1 --ntasks=1 ")]
    [LongData("cores_per_worker: 2", "cores_per_worker: 3", "  srun --nodes=4 --ntasks=4 --nodelist=HOSTS --overlap --cpu-bind=none --cpus-per-task=12 |  OMP_NUM_THREADS=3|  OPENBLAS_NUM_THREADS=3|  MKL_NUM_THREADS=3|  NUMEXPR_NUM_THREADS=3")]
    [LongData("accelerators: [0, 1]", "accelerators: [4, 5, 6, 7, 8, 9, 10, 11]", "  CUDA_VISIBLE_DEVICES=4,5|  ROCR_VISIBLE_DEVICES=4,5|  ZE_AFFINITY_MASK=4,5")]
    [InlineData("stage_in: []", "stage_in: [/data/model]", "  FUNCX_STAGE_DIR=DIRECTORY")]
    [LongData("name: a", "name: a", "  FUNCX_UMASK=0027", "FUNCX_UMASK", "0027")]
    [InlineData("type: srun", "type: mpirun", "  mpirun --hostfile HOSTS -np 4 --bind-to none ROOT-x PATH -x LD_LIBRARY_PATH -x FUNCX_UMASK -x FUNCX_MPI_LIBRARY MANAGER --world --ranks 4 ...|Open MPI 4 is told --enable-recovery besides.|  FUNCX_MPI_LIBRARY=/opt/libmpi.so", "FUNCX_MPI_LIBRARY", "/opt/libmpi.so")]
    [InlineData("name: a", "name: a", "", "FUNCX_TOKEN", "geheim")]
    public async Task A_changed_key_changes_its_own_lines(string key, string changed, string lines, string? variable = null, string? value = null)
    {
        var before = s_before ??= Said(await RenderAsync(Write(Yaml)));
        Yaml.ShouldContain(key);
        var after = Said(await RenderAsync(Write(Yaml.Replace(key, changed, StringComparison.Ordinal)), variable, value));
        var news = after.Except(before, StringComparer.Ordinal).ToList();
        string[] expected = lines.Length == 0 ? [] : lines.Split('|');
        news.Count.ShouldBe(expected.Length, string.Join('\n', after));
        for (var i = 0; i < expected.Length; i++)
        {
            if (expected[i].EndsWith(' '))
                news[i].ShouldStartWith(expected[i]);
            else
                news[i].ShouldBe(expected[i]);
        }

        NothingHappened();
    }

    [Fact]
    public async Task Where_the_launcher_is_found_out_all_that_it_may_be_are_shown_in_their_order()
    {
        (await LaunchersAsync("{type: slurm, walltime: 1h}")).ShouldBe(["srun", "mpiexec --hostfile", "mpirun", "mpiexec -f"]);
        (await LaunchersAsync("{type: pbs, walltime: 1h}")).ShouldBe(["aprun", "mpiexec --hostfile", "mpirun", "mpiexec -f"]);
        (await LaunchersAsync("{type: allocation}")).ShouldBe(["srun", "aprun", "mpiexec --hostfile", "mpirun", "mpiexec -f"]);
        (await LaunchersAsync("{type: local}")).ShouldBe(["mpiexec --hostfile", "mpirun", "mpiexec -f"]);
        (await LaunchersAsync("{type: allocation}", "tcp")).ShouldBe(["srun", "aprun", "mpiexec --hostfile", "mpiexec -f", "mpirun"]);
        (await LaunchersAsync("{type: slurm, walltime: 1h}", "tcp")).ShouldBeEmpty("the script has its own");
        NothingHappened();
    }

    [Fact]
    public async Task What_cannot_be_rendered_is_said_and_stdout_stays_empty()
    {
        var wrong = await RenderAsync(Write("name: a\nservice: http://127.0.0.1:9\nstate_dir: /tmp/a\nprovider: {type: slurm}\n"));
        (wrong.ExitCode, wrong.Output).ShouldBe((2, ""), wrong.Errors);
        wrong.Errors.ShouldContain("walltime");
        var none = await RenderAsync(Path.Combine(_home, "none.yaml"));
        (none.ExitCode, none.Output).ShouldBe((2, ""));
        none.Errors.ShouldContain("there is no such file");
        var quote = Write("name: a\nservice: http://127.0.0.1:9\nstate_dir: /tmp/a\nworkers: {per_node: 1}\nprovider: {type: pbs, walltime: 1h, queue: 'a\"b'}\n");
        var refused = await RenderAsync(quote);
        (refused.ExitCode, refused.Output).ShouldBe((2, ""));
        refused.Errors.ShouldContain($"{quote}:5:44: error: 'provider.queue' is 'a\"b'");
        (await EndpointCommand.RunAsync(_home, "render")).ShouldEnd(2, "'render' needs one file");
        NothingHappened();
    }

    [Fact]
    public async Task Without_a_manager_the_script_names_the_program_and_stderr_what_is_missing()
    {
        File.Delete(Manager);
        var rendered = await RenderAsync(Write(Yaml));
        rendered.ExitCode.ShouldBe(0);
        rendered.Output.ShouldContain("manager='funcx-manager'\n");
        rendered.Errors.ShouldContain($"# FUNCX_MANAGER names '{Manager}', which does not exist.");
    }

    public void Dispose() => Directory.Delete(_home, recursive: true);

    private string Yaml => $$"""
        name: a
        service: http://127.0.0.1:9
        state_dir: {{Ann}}/state
        provider: {type: slurm, walltime: 1h, nodes_per_block: 4, poll_interval: 30s}
        transport: mpi
        launcher: {type: srun, ranks_per_world: 128, arguments: []}
        workers: {per_node: 4, cores_per_worker: 2, accelerators: [0, 1]}
        stage_in: []
        """;

    private Task<EndpointCommand> RenderAsync(string file, string? variable = null, string? value = null)
    {
        var environment = new Dictionary<string, string?>
        {
            ["HOME"] = Ann, ["PATH"] = $"{_home}/bin:{Environment.GetEnvironmentVariable("PATH")}", ["FUNCX_MANAGER"] = Manager, ["FUNCX_UMASK"] = null, ["FUNCX_MPI_LIBRARY"] = null,
        };
        if (variable is not null)
            environment[variable] = value;
        return EndpointCommand.RunAsync(_home, environment, "render", file);
    }

    // As in the unit tests' files, with what this installation calls it.
    private string AsRendered(string golden) => OldBlock().Replace(golden, "BLOCK").Replace("0123456789", "OWNER", StringComparison.Ordinal)
        .Replace("/home/ann", Ann, StringComparison.Ordinal).Replace("/opt/funcx/funcx-manager", Manager, StringComparison.Ordinal);

    private string StartedByItself(string name)
    {
        var block = $"{Ann}/.funcx/{name}/blocks/BLOCK";
        return name == "job"
            ? $"{Manager} --block --rendezvous {block}/rendezvous.json --directory {block}/node-0 --walltime 3600\n"
            : $"{Manager} --rendezvous {block}/rendezvous.json --node {Environment.MachineName} --directory {block}/node-0\n";
    }

    private static IEnumerable<string> Commands(string script)
    {
        var block = BlockOf().Match(script).Groups[1].Value;
        return script.Split('\n')[1].Split(' ')[0] switch
        {
            "#SBATCH" => [$"# {block}/batch.sh is submitted by: sbatch --parsable {block}/batch.sh", "# and to end it: scancel JOB"],
            "#PBS" => [$"# {block}/batch.sh is submitted by: qsub -j oe -o {block}/batch.log {block}/batch.sh", "# and to end it: qdel JOB"],
            "#COBALT" => [$"# {block}/batch.sh is submitted by: qsub -O {block}/funcx-OWNER-BLOCK --cwd {block} --mode script {block}/batch.sh", "# and to end it: qdel JOB"],
            _ => script.Contains("--block", StringComparison.Ordinal)
                ? ["# The allocation provider submits nothing: in the job that it is started in the endpoint starts this itself, in a session of its own, with its output in node-0.log."]
                : ["# The local provider submits nothing: it starts these itself, each in a session of its own, with its output in node-N.log."],
        };
    }

    private async Task<IReadOnlyList<string>> LaunchersAsync(string provider, string transport = "mpi")
    {
        var rendered = await RenderAsync(Write($"name: a\nservice: http://127.0.0.1:9\nstate_dir: {Ann}/state\nworkers: {{per_node: 1}}\ntransport: {transport}\nprovider: {provider}\n"));
        rendered.ExitCode.ShouldBe(0, rendered.Errors);
        return [.. Said(rendered).Select(static line => Launcher().Match(line)).Where(static match => match.Success).Select(static match => match.Groups[1].Value)];
    }

    private List<string> Said(EndpointCommand rendered)
    {
        rendered.ExitCode.ShouldBe(0, rendered.Errors);
        rendered.Errors.ShouldNotContain("geheim");
        return [.. rendered.Errors.TrimEnd().Split('\n').Select(line => line[2..].Replace($"{Ann}/state/blocks/BLOCK/agent/world-1.hosts", "HOSTS", StringComparison.Ordinal).Replace(Manager, "MANAGER", StringComparison.Ordinal).Replace(_home, "", StringComparison.Ordinal)
            .Replace("--allow-run-as-root ", "ROOT", StringComparison.Ordinal).Replace("none -x", "none ROOT-x", StringComparison.Ordinal))];
    }

    private void NothingHappened()
    {
        File.Exists(Called).ShouldBeFalse(File.Exists(Called) ? File.ReadAllText(Called) : "");
        Directory.Exists(Ann).ShouldBeFalse();
    }

    private string Write(string text)
    {
        var path = Path.Combine(_home, $"{Guid.NewGuid():N}.yaml");
        File.WriteAllText(path, text);
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        return path;
    }

    [GeneratedRegex(@"\bb1\b")]
    private static partial Regex OldBlock();

    [GeneratedRegex("(?m)^block='(.*)'$")]
    private static partial Regex BlockOf();

    [GeneratedRegex("^  (srun|aprun|mpirun|mpiexec --hostfile|mpiexec -f) ")]
    private static partial Regex Launcher();
}
