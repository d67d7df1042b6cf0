using FuncX.Contracts;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>A block on four hosts, each a network namespace, with the endpoint on a fifth: a host's cable is cut while calls run, and joined again.</summary>
[Trait(Beside.Name, Beside.Suites)]
public sealed class CutCableTests
{
    private const int Hosts = 4;
    private const int RanksOfWorld = 2;
    private const int Calls = 120;

    // Over the hosts' own cables and nothing else.
    private static readonly Dictionary<string, string?> s_network = new(StringComparer.Ordinal) { ["UCX_NET_DEVICES"] = "eth0", ["UCX_TLS"] = "tcp,self", ["FI_PROVIDER"] = "tcp", ["FI_TCP_IFACE"] = "eth0" };

    [Theory]
    [InlineData("mpirun", "--mca, plm_rsh_agent, REMOTE, --mca, oob_tcp_if_include, eth0, --mca, btl_tcp_if_include, eth0, --mca, btl, \"self,tcp\"")]
    [LongData("mpiexec", "-launcher, ssh, -launcher-exec, REMOTE, -iface, eth0")]
    public async Task A_host_whose_cable_is_cut_costs_no_call_its_value_and_is_back_when_it_is_joined(string launcher, string arguments)
    {
        var (lab, missing) = await NetLab.StartAsync(SourceTree.Root, Hosts);
        Assert.SkipWhen(lab is null, missing);
        var device = lab.Device;
        await using (lab)
        {
            var (manager, remote) = (await WriteManagerAsync(lab), await WriteRemoteShellAsync(lab));
            var options = new EndpointOptions
            {
                Nodes = Hosts,
                WorkersPerNode = 1,
                Transport = "mpi",
                MoreYaml = $$"""
                    interfaces: [{{device}}]
                    launcher: {type: {{launcher}}, ranks_per_world: {{RanksOfWorld}}, arguments: [{{arguments.Replace("REMOTE", remote, StringComparison.Ordinal)}}]}
                    """,
            };
            await Scenario.RunAsync(options, CutAndJoinAsync(lab), endpointEnvironment: new Dictionary<string, string?>(s_network, StringComparer.Ordinal) { ["FUNCX_MANAGER"] = manager });
        }

        Directory.Exists($"/sys/class/net/{device}").ShouldBeFalse("a device of the lab is left");
    }

    private static Func<LocalCluster, Task> CutAndJoinAsync(NetLab lab) => async cluster =>
    {
        await cluster.WaitOnlineAsync(Hosts);
        var worlds = await WorldsAsync(cluster);
        var work = await WorldWork.BeginAsync(cluster, "cut", Calls, milliseconds: 100);
        await work.RunsOnAsync(worlds);
        worlds.SelectMany(static world => world.Ranks).Select(static rank => new FileInfo($"/proc/{rank.Pid}/ns/net").LinkTarget).Distinct().Count().ShouldBe(Hosts, "each rank is on a host of its own");

        // The second world's other rank: its leader, and the whole other world, can still be reached.
        await lab.CutAsync("n4");
        var attempts = await work.FinishAsync();
        attempts.Values.ShouldContain(static count => count > 1, "nothing was lost, so nothing was shown");
        work.Executions().Where(execution => worlds[0].Ranks.Any(execution.IsBelow)).CountBy(static execution => execution.Call).ShouldAllBe(static call => call.Value == 1);
        await lab.JoinAsync("n4");

        // Whether the same world goes on or a new one begins is a matter of how long it was cut; both of its hosts have to work again, and the other world has not noticed.
        await Eventually.TrueAsync(async () => (await cluster.Api.EndpointAsync(cluster.EndpointId)).Status.Managers == Hosts && RunningWorld.Of(cluster, RanksOfWorld).Count == 2, "both worlds are there");
        var after = await WorldsAsync(cluster);
        after[0].IsSameAs(worlds[0]).ShouldBeTrue();
        var more = await WorldWork.BeginAsync(cluster, "joined", Calls, milliseconds: 50);
        await more.FinishAsync();
    };

    private static async Task<IReadOnlyList<RunningWorld>> WorldsAsync(LocalCluster cluster)
    {
        IReadOnlyList<RunningWorld> worlds = [];
        await Eventually.TrueAsync(() => (worlds = RunningWorld.Of(cluster, RanksOfWorld)).Count == 2, "two worlds run", seen: () => string.Join("; ", worlds));
        return worlds;
    }

    // The local provider starts the agent on this machine and names it for each node: it goes to the first host instead, and is told the names of all.
    private static Task<string> WriteManagerAsync(NetLab lab) => WriteScriptAsync(lab, "funcx-manager", $$"""
        for ((i = 1; i <= $#; i++)); do
            if [[ ${!i} == --hosts ]]; then set -- "${@:1:i}" {{string.Join(',', Enumerable.Range(1, Hosts).Select(static n => $"n{n}"))}} "${@:i+2}"; fi
        done
        exec {{string.Join(' ', lab.In("n1"))}} {{Programs.Manager}} "$@"
        """);

    // What mpirun and Hydra take for ssh: [-x] HOST COMMAND.
    private static Task<string> WriteRemoteShellAsync(NetLab lab) => WriteScriptAsync(lab, "remote-shell", $"""
        while [[ $1 == -* ]]; do shift; done
        host=$1
        shift
        exec {string.Join(' ', lab.In("$host"))} bash -c "$*"
        """);

    private static async Task<string> WriteScriptAsync(NetLab lab, string name, string text)
    {
        var path = Path.Combine(lab.DirectoryPath, name);
        await File.WriteAllTextAsync(path, $"#!/usr/bin/env bash\n{text}\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }
}
