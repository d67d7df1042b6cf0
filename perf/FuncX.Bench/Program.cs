using System.CommandLine;
using FuncX.Bench;
using FuncX.Bench.Broadcast;
using FuncX.Bench.Engine;
using FuncX.Bench.Footprint;
using FuncX.Bench.Latency;
using FuncX.Bench.Mpi;
using FuncX.Bench.PythonSdk;
using FuncX.Bench.Scale;
using FuncX.Bench.Schedulers;
using FuncX.Bench.Store;
using FuncX.Bench.Throughput;
using FuncX.Configuration;

// As sdk/README.md advises a program with hundreds of unary calls on their way. What is started does not inherit it.
RuntimeEnvironment.Apply(("DOTNET_SYSTEM_BUFFERS_SHAREDARRAYPOOL_MAXARRAYSPERPARTITION", "512"));
IBench[] benches = [new ThroughputBench(), new EngineBench(), new LatencyBench(), new StoreBench(), new FootprintBench(), new MpiBench(), new ScaleBench(), new BroadcastBench(), new SchedulersBench(), new PythonSdkBench()];

var quick = new Option<bool>("--quick") { Description = "a small run: shows that it works, its figures mean little" };
var json = new Option<bool>("--json") { Description = "the figures as one line of JSON, last" };
var peers = new Option<bool>("--no-peers") { Description = "leave the other systems out" };
var tasks = new Option<int?>("--tasks") { Description = "tasks of a run" };
var runs = new Option<int?>("--runs") { Description = "runs, of which the figure is the median" };
var workers = new Option<int>("--workers") { Description = "worker processes", DefaultValueFactory = static _ => 2 };
var kind = new Option<string>("--kind") { Description = "throughput: python, command or dotnet", DefaultValueFactory = static _ => "python" };
kind.AcceptOnlyFromAmong("python", "command", "dotnet");
var watched = new Option<bool>("--watched") { Description = "throughput of Python: with metrics on and read once a second, and a thousandth of the tasks traced" };
var grid = new Option<bool>("--grid") { Description = "scale: the curves of strong and weak scaling, as CSV and PNG; takes most of an hour" };
var launcher = new Option<string>("--launcher") { Description = "scale: as launcher.type in an endpoint's file; mpirun (Open MPI) or mpiexec (MPICH), in a job also detect, srun, aprun, pals", DefaultValueFactory = static _ => "mpirun" };
launcher.AcceptOnlyFromAmong("mpirun", "mpiexec", "detect", "srun", "aprun", "pals");
var nodes = new Option<int?>("--nodes") { Description = "scale: the curves on the nodes of the job that this runs in, of which there are so many" };
var workersPerNode = new Option<int>("--workers-per-node") { Description = "with --nodes", DefaultValueFactory = static _ => 64 };
var real = new Option<bool>("--real") { Description = "with --nodes: Python workers instead of simulated ones" };
var walltime = new Option<string?>("--walltime") { Description = "with --nodes: how long the job lasts (90m), where the scheduler does not tell inside (PBS)" };
var directory = new Option<string?>("--directory") { Description = "where results go and, with --nodes, the endpoint's state: a directory that all nodes see" };
var only = new Option<string?>("--only") { Description = "throughput, mpi, scale, python-sdk: only figures whose name begins so, to profile one part" };

var root = new RootCommand("Measures FuncX with its real processes; perf/README.md says what each figure is.");
var list = new Command("list", "names the benches and what each needs");
list.SetAction(_ =>
{
    foreach (var bench in benches)
        Console.WriteLine($"{bench.Name,-12} {bench.Needs}");
});
root.Add(list);
var all = new Command("all", "runs every bench") { quick, json, peers, tasks, runs, workers };
all.SetAction((parsed, _) => RunAsync(benches, parsed));
root.Add(all);
foreach (var bench in benches)
{
    var command = new Command(bench.Name, bench.Needs) { quick, json, peers, tasks, runs, workers, only, kind, watched, grid, launcher, nodes, workersPerNode, real, walltime, directory };
    command.SetAction((parsed, _) => RunAsync([bench], parsed));
    root.Add(command);
}

// This program links the service for the bench of its store; what is started is the product's own output.
var product = Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "../../../../../service/FuncX.Service/bin/Release/net10.0/funcx-service"));
if (Environment.GetEnvironmentVariable("FUNCX_SERVICE") is null && File.Exists(product))
    Environment.SetEnvironmentVariable("FUNCX_SERVICE", product);
return await root.Parse(args).InvokeAsync();

async Task<int> RunAsync(IBench[] chosen, ParseResult parsed)
{
    var settings = new BenchSettings
    {
        Quick = parsed.GetValue(quick),
        Peers = !parsed.GetValue(peers) && !parsed.GetValue(quick),
        Tasks = parsed.GetValue(tasks),
        Runs = parsed.GetValue(runs),
        Workers = parsed.GetValue(workers),
        Only = parsed.GetValue(only),
        Watched = parsed.GetValue(watched),
        Grid = parsed.GetValue(grid),
        Launcher = parsed.GetValue(launcher) ?? "mpirun",
        Nodes = parsed.GetValue(nodes),
        WorkersPerNode = parsed.GetValue(workersPerNode),
        Real = parsed.GetValue(real),
        Walltime = parsed.GetValue(walltime),
        Kind = parsed.GetValue(kind) ?? "python",
    };
    var results = parsed.GetValue(directory);
    if (results is not null && settings.Nodes is not null)
        Environment.SetEnvironmentVariable("FUNCX_TESTS_DIRECTORY", Directory.CreateDirectory(results).FullName);
    foreach (var bench in chosen)
    {
        var report = new Report(bench.Name, results);
        report.Print($"== {bench.Name}{(settings.Quick ? " (quick: a small run, not a measurement)" : "")}");
        report.Print(Machine.Describe());
        report.Note(MachineSpeed.Describe());
        await bench.RunAsync(settings, report);
        if (settings.Only is not null && !report.HasFigures)
        {
            Console.Error.WriteLine($"--only '{settings.Only}': no figure of {bench.Name} was measured whose name begins so; perf/README.md names them");
            return 1;
        }

        report.PrintFigures();
        report.Save();
        if (parsed.GetValue(json))
            Console.WriteLine(report.Json());
    }

    return 0;
}
