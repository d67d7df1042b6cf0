using FuncX.Manager.Pools;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>Which way the memory of workers is bounded, by what the system has. Directories stand in for it here: ResourceTests has the real one.</summary>
public sealed class MemoryLimitsTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("funcx-memory-").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public void Without_a_limit_there_is_nothing_to_keep()
    {
        Write("proc/self/cgroup", "0::/job");
        var limits = MemoryLimits.Create(0, _root);
        limits.Means.ShouldBe("none");
        limits.Limit(0, Environment.ProcessId).ShouldBeNull();
    }

    [Fact]
    public void In_a_group_of_version_2_that_is_its_own_the_manager_moves_aside_and_each_place_gets_a_group()
    {
        Write("proc/self/cgroup", "0::/job");
        Write("sys/fs/cgroup/job/cgroup.controllers", "cpu memory pids");
        Write("sys/fs/cgroup/job/cgroup.procs", $"{Environment.ProcessId}");
        Write("sys/fs/cgroup/job/cgroup.subtree_control", "");
        var leaf = $"sys/fs/cgroup/job/funcx-{Environment.ProcessId}-manager";
        Write($"{leaf}/cgroup.procs", "");
        var group = $"sys/fs/cgroup/job/funcx-{Environment.ProcessId}-3";
        foreach (var file in (string[])["memory.max", "memory.swap.max", "memory.oom.group", "cgroup.procs"])
            Write($"{group}/{file}", "");
        Write($"{group}/memory.events", "low 0\nhigh 0\nmax 4\noom 1\noom_kill 1\n");

        var limits = MemoryLimits.Create(1000, _root);

        limits.Means.ShouldBe("cgroup v2");
        Read($"{leaf}/cgroup.procs").ShouldBe($"{Environment.ProcessId}");
        Read("sys/fs/cgroup/job/cgroup.subtree_control").ShouldBe("+memory");
        var memory = limits.Limit(3, 4711)!;
        memory.IsWatched.ShouldBeFalse();
        Read($"{group}/memory.max").ShouldBe("1000");
        Read($"{group}/memory.swap.max").ShouldBe("0");
        Read($"{group}/memory.oom.group").ShouldBe("1");
        Read($"{group}/cgroup.procs").ShouldBe("4711");
        memory.TakeKill().ShouldBeNull("what was killed before is not its");
        Write($"{group}/memory.events", "oom_kill 2\n");
        memory.TakeKill().ShouldBe("was killed by the kernel for its memory; workers.memory_per_worker is 1000 bytes (cgroup v2)");
        memory.TakeKill().ShouldBeNull();

        foreach (var file in Directory.GetFiles(Path.Combine(_root, group)).Append(Path.Combine(_root, leaf, "cgroup.procs")))
            File.Delete(file);
        Write("sys/fs/cgroup/job/cgroup.procs", "");
        limits.Remove(TimeSpan.FromSeconds(60));
        Directory.GetDirectories(Path.Combine(_root, "sys/fs/cgroup/job")).ShouldBeEmpty();
        Read("sys/fs/cgroup/job/cgroup.subtree_control").ShouldBe("-memory", "the group may have processes again");
        Read("sys/fs/cgroup/job/cgroup.procs").ShouldBe($"{Environment.ProcessId}");
    }

    [Theory]
    [InlineData("0::/job", "cpu memory", "1", "somebody else is in it")]
    [InlineData("0::/job", "cpu pids", "", "it has no memory controller")]
    [InlineData("0::/elsewhere", "cpu memory", "", "it cannot be seen")]
    [InlineData("", "cpu memory", "", "there is none")]
    [InlineData("nonsense", "cpu memory", "", "it is said in another way")]
    public void Where_it_may_make_none_the_memory_is_watched(string cgroup, string controllers, string others, string why)
    {
        Write("proc/self/cgroup", cgroup);
        Write("sys/fs/cgroup/job/cgroup.controllers", controllers);
        Write("sys/fs/cgroup/job/cgroup.procs", others);

        var limits = MemoryLimits.Create(1L << 40, _root);

        limits.Means.ShouldBe(MemoryLimits.Watched, why);
        using var child = System.Diagnostics.Process.Start("sleep", "60");
        try
        {
            var memory = limits.Limit(0, child.Id)!;
            memory.IsWatched.ShouldBeTrue();
            memory.Excess().ShouldBeNull();
            File.ReadAllText($"/proc/{child.Id}/limits").ShouldMatch(@"Max data size\s+2199023255552\s+2199023255552");
        }
        finally
        {
            child.Kill();
        }
    }

    [Fact]
    public async Task A_group_is_removed_when_the_last_process_in_it_has_died()
    {
        Write("proc/self/cgroup", "4:memory:/job");
        Write("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "0");
        var group = $"sys/fs/cgroup/memory/job/funcx-{Environment.ProcessId}-0";
        foreach (var file in (string[])["memory.limit_in_bytes", "memory.memsw.limit_in_bytes", "cgroup.procs"])
            Write($"{group}/{file}", "");
        var limits = MemoryLimits.Create(1000, _root);
        limits.Means.ShouldBe("cgroup v1");
        limits.Limit(0, 4711).ShouldNotBeNull();

        limits.Remove(TimeSpan.Zero);
        Directory.Exists(Path.Combine(_root, group)).ShouldBeTrue("something is in it");
        var removal = Task.Run(() => limits.Remove(TimeSpan.FromSeconds(60)), TestContext.Current.CancellationToken);
        await Task.Delay(30, TestContext.Current.CancellationToken);
        foreach (var file in Directory.GetFiles(Path.Combine(_root, group)))
            File.Delete(file);
        await removal;
        Directory.Exists(Path.Combine(_root, group)).ShouldBeFalse();
    }

    private void Write(string path, string text)
    {
        path = Path.Combine(_root, path);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllText(path, text);
    }

    private string Read(string path) => File.ReadAllText(Path.Combine(_root, path));
}
