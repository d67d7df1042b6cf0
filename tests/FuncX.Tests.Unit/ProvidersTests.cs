using System.Diagnostics;
using FuncX.Configuration;
using FuncX.Providers;
using FuncX.Providers.Local;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class ProvidersTests : IDisposable
{
    /// <summary>Goes on for ever and keeps its arguments, by which a manager is found.</summary>
    private const string Patient = "while :; do sleep 0.05; done";

    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly ConfigurationScratch _scratch = new();
    private readonly LocalProvider _provider = new(TimeProvider.System);
    private readonly List<SubmittedBlock> _submitted = [];

    [Fact]
    public async Task A_block_is_one_process_per_node_in_a_session_of_its_own_that_knows_its_rendezvous()
    {
        var block = await SubmitAsync("exec sleep 600", nodes: 2);
        await EventuallyAsync(() => StateAsync(block), BlockState.Running);
        var pids = Pids(block);
        pids.Length.ShouldBe(2);
        foreach (var pid in pids)
            await EventuallyAsync(async () => (await File.ReadAllTextAsync($"/proc/{pid}/stat")).Split(')')[1].Split(' ')[4], pid);
        await EventuallyAsync(async () => (await LogAsync(block, 1)).Contains("--rendezvous", StringComparison.Ordinal), true);
        (await LogAsync(block, 1)).ShouldContain($"arguments: --rendezvous {block.Block.Rendezvous} --node {Environment.MachineName}-1 --directory {block.Block.Directory}/node-1");
        File.GetUnixFileMode(Path.Combine(block.Block.Directory, "node-0.log")).ShouldBe(FileModes.PrivateFile);
    }

    [Fact]
    public void In_its_own_job_a_block_is_one_agent_that_finds_the_nodes_itself()
    {
        var block = new BlockRequest { BlockId = "b1", Endpoint = "a", Nodes = 3, Directory = "/d", Rendezvous = "/d/r", Manager = "/m", OverMpi = true };
        var (here, own) = (new LocalProvider(TimeProvider.System), new LocalProvider(TimeProvider.System, ownJob: true, TimeSpan.FromHours(1)));
        here.Arguments(block, 0).ShouldBe(["--block", "--rendezvous", "/d/r", "--directory", "/d/node-0", "--hosts", "localhost,localhost,localhost"]);
        own.Arguments(block, 0).ShouldBe(["--block", "--rendezvous", "/d/r", "--directory", "/d/node-0", "--walltime", "3600"]);
        (here.ProcessesOf(block), own.ProcessesOf(block)).ShouldBe((1, 1));
        var tcp = block with { OverMpi = false };
        own.Arguments(tcp, 0).ShouldBe(["--block", "--tcp", "--rendezvous", "/d/r", "--directory", "/d/node-0", "--walltime", "3600"]);
        (here.ProcessesOf(tcp), own.ProcessesOf(tcp)).ShouldBe((3, 1));
        (here.Name, here.IsOnce, own.Name, own.IsOnce).ShouldBe(("local", false, "allocation", true));
    }

    [Fact]
    public async Task No_secret_of_the_endpoint_reaches_the_environment_of_a_manager()
    {
        Environment.SetEnvironmentVariable("FUNCX_TEST_TOKEN", "geheim");
        Environment.SetEnvironmentVariable("FUNCX_TEST_OTHER", "plain");
        try
        {
            var block = await SubmitAsync("echo done");
            await EventuallyAsync(async () => (await LogAsync(block, 0)).Contains("done", StringComparison.Ordinal), true);
            var log = await LogAsync(block, 0);
            log.ShouldContain("FUNCX_TEST_OTHER=plain");
            var umask = File.ReadLines("/proc/self/status").Single(static line => line.StartsWith("Umask:", StringComparison.Ordinal)).Split('\t')[1];
            log.ShouldContain($"FUNCX_UMASK={umask}");
            log.ShouldNotContain("geheim");
        }
        finally
        {
            Environment.SetEnvironmentVariable("FUNCX_TEST_TOKEN", null);
            Environment.SetEnvironmentVariable("FUNCX_TEST_OTHER", null);
        }
    }

    [Fact]
    public async Task A_manager_that_fails_says_how_and_what_it_wrote_last()
    {
        var block = await SubmitAsync("echo the disk is gone; exit 3");
        await EventuallyAsync(() => StateAsync(block), BlockState.Failed);
        var reason = (await StatusAsync(block)).Reason;
        reason.ShouldContain("exited with status 3");
        reason.ShouldContain("the disk is gone");
    }

    [Fact]
    public async Task A_killed_manager_is_a_failed_block_and_one_that_left_is_a_completed_one()
    {
        var killed = await SubmitAsync("kill -9 $$");
        var left = await SubmitAsync("exit 0");
        await EventuallyAsync(() => StateAsync(killed), BlockState.Failed);
        (await StatusAsync(killed)).Reason.ShouldContain("ended by signal 9");
        await EventuallyAsync(() => StateAsync(left), BlockState.Completed);
    }

    [Fact]
    public async Task A_manager_that_vanished_without_an_exit_record_is_lost_and_never_completed()
    {
        var block = await SubmitAsync("exit 0");
        await EventuallyAsync(() => StateAsync(block), BlockState.Completed);
        File.Delete(Directory.GetFiles(block.Block.Directory, "exit-*").Single());
        (await StatusAsync(block)).State.ShouldBe(BlockState.Lost);
    }

    [Fact]
    public async Task A_process_id_that_was_given_to_another_process_is_not_taken_for_the_manager()
    {
        var block = await SubmitAsync("exec sleep 600");
        var pid = Pids(block).Single();
        var other = block with { JobId = block.JobId.Replace($"{pid}.", $"{Environment.ProcessId}.", StringComparison.Ordinal) };
        (await StatusAsync(other)).State.ShouldBe(BlockState.Lost);
        await _provider.CancelAsync(other, CancellationToken.None);
    }

    [Fact]
    public async Task Cancelling_ends_a_manager_politely_and_one_that_does_not_listen_by_force()
    {
        var polite = await SubmitAsync("trap 'echo asked; exit 0' TERM; while :; do sleep 0.05; done");
        await EventuallyAsync(() => StateAsync(polite), BlockState.Running);
        await EventuallyAsync(async () => (await LogAsync(polite, 0)).Contains("arguments", StringComparison.Ordinal), true);
        var deaf = await SubmitAsync("trap '' TERM; echo deaf; while :; do sleep 0.05; done");
        await EventuallyAsync(async () => (await LogAsync(deaf, 0)).Contains("deaf", StringComparison.Ordinal), true);
        await Task.WhenAll(_provider.CancelAsync(polite, CancellationToken.None), _provider.CancelAsync(deaf, CancellationToken.None));
        (await LogAsync(polite, 0)).ShouldContain("asked");
        await EventuallyAsync(() => StateAsync(deaf), BlockState.Failed);
        Pids(deaf).ShouldAllBe(pid => !File.Exists($"/proc/{pid}/stat") || File.ReadAllText($"/proc/{pid}/stat").Contains(") Z"));
    }

    [Fact]
    public async Task A_job_whose_id_was_never_written_down_is_found_by_its_rendezvous_file()
    {
        var block = await SubmitAsync(Patient);
        await EventuallyAsync(async () => await _provider.FindAsync(block.Block, CancellationToken.None), block.JobId);
        (await _provider.FindAsync(block.Block with { Rendezvous = "/none" }, CancellationToken.None)).ShouldBeNull();
    }

    [Fact]
    public async Task A_lost_node_is_started_again_and_the_others_are_left_alone()
    {
        var block = await SubmitAsync(Patient, nodes: 3);
        await EventuallyAsync(async () => (await LogAsync(block, 1)).Split("arguments:").Length, 2);
        var before = Pids(block);
        Process.GetProcessById(int.Parse(before[1])).Kill();
        await EventuallyAsync(async () => (await StatusAsync(block)).NodesLost, 1);

        var repaired = await RepairAsync(block);

        var after = Pids(repaired);
        after.Length.ShouldBe(3);
        (after[0], after[2]).ShouldBe((before[0], before[2]));
        after[1].ShouldNotBe(before[1]);
        (await StatusAsync(repaired)).ShouldBe(new BlockStatus(BlockState.Running, ""));
        await EventuallyAsync(async () => (await LogAsync(block, 1)).Split("arguments:").Length, 3);
        (await RepairAsync(repaired)).JobId.ShouldBe(repaired.JobId);
    }

    [Fact]
    public async Task A_child_that_a_dead_manager_has_forked_is_not_taken_for_the_manager()
    {
        // It has the manager's arguments, as every child has until it executes something; this one does so for two seconds.
        var block = await SubmitAsync($"(echo child begun; i=0; while [ $i -lt 40 ]; do sleep 0.05; i=$((i + 1)); done; echo child over) & {Patient}");
        await EventuallyAsync(async () => (await LogAsync(block, 0)).Contains("child begun", StringComparison.Ordinal), true);
        Process.GetProcessById(int.Parse(Pids(block)[0])).Kill();
        await EventuallyAsync(async () => (await StateAsync(block)).IsEnd(), true);

        (await _provider.FindAsync(block.Block, CancellationToken.None)).ShouldBeNull();
        var repaired = await RepairAsync(block);

        (await StatusAsync(repaired)).ShouldBe(new BlockStatus(BlockState.Running, ""));
        await EventuallyAsync(async () => (await LogAsync(block, 0)).Split("arguments:").Length, 3);
        await _provider.CancelAsync(repaired, CancellationToken.None);
        await EventuallyAsync(async () => (await LogAsync(block, 0)).Contains("child over", StringComparison.Ordinal), true);
    }

    [Fact]
    public async Task A_node_that_was_started_again_by_an_endpoint_that_died_is_taken_up_and_not_started_twice()
    {
        var block = await SubmitAsync(Patient, nodes: 2);
        await EventuallyAsync(async () => (await _provider.FindAsync(block.Block, CancellationToken.None))?.Split(',').Length, 2);
        Process.GetProcessById(int.Parse(Pids(block)[0])).Kill();
        await EventuallyAsync(async () => (await StatusAsync(block)).NodesLost, 1);
        var repaired = await RepairAsync(block);
        await EventuallyAsync(async () => (await _provider.FindAsync(block.Block, CancellationToken.None))?.Split(',').Length, 2);

        // The old id, as if the new one had never been written down.
        (await RepairAsync(block)).JobId.ShouldBe(repaired.JobId);
        await _provider.CancelAsync(block, CancellationToken.None);
        await EventuallyAsync(async () => (await StateAsync(repaired)).IsEnd(), true);
    }

    [Fact]
    public async Task A_program_that_cannot_be_run_is_a_failed_block_that_says_so()
    {
        var block = await SubmitAsync("exit 0", program: "/no/such/manager");
        await EventuallyAsync(() => StateAsync(block), BlockState.Failed);
        (await StatusAsync(block)).Reason.ShouldContain("/no/such/manager");
    }

    [Fact]
    public async Task A_job_of_another_boot_or_machine_is_lost()
    {
        var block = await SubmitAsync("exec sleep 600");
        var parts = block.JobId.Split('/');
        var status = await StatusAsync(block with { JobId = $"elsewhere/00000000/{parts[2]}" });
        status.State.ShouldBe(BlockState.Lost);
        status.Reason.ShouldContain("elsewhere");
        (await StatusAsync(block with { JobId = "42" })).State.ShouldBe(BlockState.Lost);
    }

    public void Dispose()
    {
        foreach (var block in _submitted)
        {
            foreach (var pid in Pids(block))
            {
                try
                {
                    Process.GetProcessById(int.Parse(pid)).Kill();
                }
                catch (ArgumentException)
                {
                    // It ended by itself.
                }
            }
        }

        _scratch.Dispose();
    }

    private async Task<SubmittedBlock> SubmitAsync(string body, int nodes = 1, string? program = null)
    {
        var id = $"b{_submitted.Count}";
        var directory = Path.Combine(_scratch.Path, id);
        Directory.CreateDirectory(directory);
        var manager = Path.Combine(directory, "manager");
        File.Copy(_scratch.WriteManager(body), manager);
        var request = new BlockRequest
        {
            BlockId = id,
            Endpoint = "test",
            Nodes = nodes,
            Directory = directory,
            Rendezvous = Path.Combine(directory, "rendezvous.json"),
            Manager = program ?? manager,
        };
        var block = new SubmittedBlock(request, await _provider.SubmitAsync(request, CancellationToken.None));
        _submitted.Add(block);
        return block;
    }

    private async Task<SubmittedBlock> RepairAsync(SubmittedBlock block)
    {
        var repaired = block with { JobId = await _provider.RepairAsync(block, CancellationToken.None) };
        _submitted.Add(repaired);
        return repaired;
    }

    private static string[] Pids(SubmittedBlock block) => [.. block.JobId.Split('/')[2].Split(',').Select(node => node.Split('.')[0])];

    private async Task<BlockStatus> StatusAsync(SubmittedBlock block) => (await _provider.QueryAsync([block], CancellationToken.None)).Single();

    private async Task<BlockState> StateAsync(SubmittedBlock block) => (await StatusAsync(block)).State;

    private static async Task<string> LogAsync(SubmittedBlock block, int node)
    {
        var path = Path.Combine(block.Block.Directory, $"node-{node}.log");
        return File.Exists(path) ? await File.ReadAllTextAsync(path) : "";
    }

    private static async Task EventuallyAsync<T>(Func<Task<T>> look, T expected)
    {
        var begun = Stopwatch.StartNew();
        while (true)
        {
            var seen = await look();
            if (Equals(seen, expected))
                return;
            if (begun.Elapsed > s_patience)
                seen.ShouldBe(expected);
            await Task.Delay(20);
        }
    }
}
