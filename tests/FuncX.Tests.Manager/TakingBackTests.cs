using System.Collections.Concurrent;
using System.Diagnostics;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;
using FuncX.Manager.Workers;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>Tasks are taken back from a worker that goes on meanwhile (protocol/README.md): none is lost, none runs twice.</summary>
public sealed class TakingBackTests(ITestOutputHelper output)
{
    private const int Continue = 18;
    private const int Stop = 19;
    private const ulong MostAhead = 60;

    private static readonly int Most = Environment.GetEnvironmentVariable("FUNCX_TESTS_FULL") is "1" ? 3_000_000 : 300_000;
    private static readonly TimeSpan s_length = TimeSpan.FromSeconds(Environment.GetEnvironmentVariable("FUNCX_TESTS_FULL") is "1" ? 30 : 3);
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    /// <summary>As on a node with more to do than it can: workers that were sent tasks are not given a processor while another owner wants their place.</summary>
    /// <param name="measured">Calls before that show how short they are, so that several are sent ahead; without one each worker has one.</param>
    [Theory]
    [InlineData(200)]
    [InlineData(0)]
    public void A_worker_that_is_to_go_and_had_begun_nothing_makes_room(int measured)
    {
        using var node = new NodeUnderTest(NodeUnderTest.Settings(perNode: 2)).Ready();
        var begun = Enumerable.Range(0, 2).Select(_ => node.Submit("nap_then_pid", "[0.3]")).ToArray();
        var workers = begun.Select(id => int.Parse(node.Result(id).Value!)).ToArray();
        workers.Distinct().Count().ShouldBe(2);
        foreach (var id in Enumerable.Range(0, measured).Select(_ => node.Submit("echo", "[1]")).ToArray())
            node.Result(id);
        foreach (var worker in workers)
            Libc.Kill(worker, Stop).ShouldBe(0);
        try
        {
            var ahead = Enumerable.Range(0, 40).Select(_ => node.Submit("echo", "[2]")).ToArray();
            node.Run("echo", "[3]", owner: 2).Value.ShouldBe("3");

            foreach (var worker in workers)
                _ = Libc.Kill(worker, Continue);
            foreach (var id in ahead)
                node.Result(id).Value.ShouldBe("2");
        }
        finally
        {
            foreach (var worker in workers)
                _ = Libc.Kill(worker, Continue);
        }
    }

    /// <summary>A worker written from the protocol, in a thread that pauses at every point of its reading, against the manager's own ring and its own account.</summary>
    [Fact]
    public void A_worker_at_any_point_runs_each_task_once()
    {
        var seed = Environment.GetEnvironmentVariable("FUNCX_TESTS_SEED") is { Length: > 0 } given ? int.Parse(given) : Random.Shared.Next(1_000_000);
        using var worker = new PlayedWorker(seed);
        var table = new TaskTable();
        var queue = new TaskQueue(table);
        var sent = new SentTasks(table);
        var ran = new int[Most];
        var chance = new Random(seed);
        var (tasks, done, takenBack, doubts) = (0, 0, 0, 0);
        var (clock, progress, doneThen) = (Stopwatch.StartNew(), Stopwatch.StartNew(), 0);
        while (done < tasks || (tasks < Most && clock.Elapsed < s_length))
        {
            if (done != doneThen)
            {
                doneThen = done;
                progress.Restart();
            }
            else if (progress.Elapsed > s_patience)
            {
                Assert.Fail($"stands still at {done} of {tasks} with FUNCX_TESTS_SEED={seed}: {sent.Count} at the worker, in doubt {sent.InDoubt}, {worker}");
            }

            for (; queue.Count < 100 && tasks < Most && clock.Elapsed < s_length; tasks++)
            {
                var slot = table.Add();
                table[slot].Id = new TaskId(default, (uint)tasks);
                queue.AddLast(slot);
            }

            for (var more = chance.Next(40); more > 0 && queue.First >= 0 && !sent.InDoubt && sent.Next - worker.Ring.Started < MostAhead; more--)
            {
                var slot = queue.First;
                queue.Remove(slot);
                sent.Add(slot);
            }

            worker.Sent(sent.Next);
            Thread.SpinWait(chance.Next(100));
            Collect();
            if (sent.InDoubt)
            {
                var (started, forgotten) = (worker.Ring.Started, worker.Ring.Forgotten);
                Collect();
                _ = sent.Resolve(started, forgotten, queue);
            }
            else if (chance.Next(20) == 0 && sent.Count > 0)
            {
                TakeBack();
            }
        }

        ran.Take(tasks).ShouldAllBe(static times => times == 1);
        takenBack.ShouldBeGreaterThan(0);
        output.WriteLine($"FUNCX_TESTS_SEED={seed}: {tasks} tasks, {takenBack} of them taken back, {doubts} in doubt, {worker}");

        void TakeBack()
        {
            var before = worker.Ring.Skip(sent.Next);
            if (before >= sent.Next)
                return;
            if (chance.Next(2) == 0)
                Thread.SpinWait(chance.Next(30));
            var after = worker.Ring.Started;
            if (after != before)
                Collect();
            var count = sent.Count;
            sent.TakeBack(before, after, queue);
            takenBack += count - sent.Count;
            doubts += sent.InDoubt ? 1 : 0;
        }

        void Collect()
        {
            while (worker.Answers.TryDequeue(out var number))
            {
                number.ShouldBeLessThan(sent.Next);
                number.ShouldBeGreaterThanOrEqualTo(sent.Begin, $"with FUNCX_TESTS_SEED={seed}: it ran a task that was taken back");
                var slot = sent.SlotOf(number);
                slot.ShouldBeGreaterThanOrEqualTo(0, $"with FUNCX_TESTS_SEED={seed}: it ran a task that was taken back");
                sent.Remove(slot);
                ran[table[slot].Id.Index]++;
                done++;
            }
        }
    }

    /// <summary>The manager stands still between its two looks at the worker, which goes on: the last task is in doubt, and nothing else would have anybody fed again.</summary>
    [Fact]
    public void A_task_in_doubt_that_was_forgotten_runs_although_nobody_says_another_word()
    {
        using var node = WithDoubt();
        var ids = Doubt(node, static _ => { });
        for (var i = 0; i < ids.Length; i++)
            node.Result(ids[i]).Value.ShouldBe($"{i}");
        node.Endpoint.Results.Values.ShouldAllBe(answers => answers.Count == 1);
    }

    /// <summary>A cancel that comes then ends the worker; the task goes with it. One that comes milliseconds later finds it run already: so several tries.</summary>
    [Fact]
    public void A_task_in_doubt_that_is_being_cancelled_does_not_come_back()
    {
        for (var attempt = 1; ; attempt++)
        {
            using var node = WithDoubt();
            var ids = Doubt(node, id => node.Endpoint.Cancel(id));
            for (var i = 0; i < ids.Length - 1; i++)
                node.Result(ids[i]).Value.ShouldBe($"{i}");
            var outcome = node.Result(ids[^1]).Prefix.Outcome;
            node.Endpoint.Results.Values.ShouldAllBe(answers => answers.Count == 1);
            if (outcome == TaskOutcome.Cancelled)
                return;
            outcome.ShouldBe(TaskOutcome.Value);
            attempt.ShouldBeLessThan(40, "it came back, and ran, each time");
        }
    }

    private static NodeUnderTest WithDoubt() => new NodeUnderTest(NodeUnderTest.Settings(perNode: 1), failPoint: "after-skip:1:stop").Ready();

    /// <summary>Ten tasks, each of which gives its number. The first holds the others up until they are taken back; the last comes into doubt.</summary>
    /// <param name="node">The manager.</param>
    /// <param name="meanwhile">Done with the last while the manager stands still.</param>
    private static TaskId[] Doubt(NodeUnderTest node, Action<TaskId> meanwhile)
    {
        for (var i = 0; i < 50; i++)
            node.Run("wait_for", $"[null,{i}]");
        var worker = int.Parse(node.Run("pid").Value);
        var gate = Path.Combine(node.Folder, "gate");
        TaskId[] ids = [.. Enumerable.Range(0, 10).Select(i => node.Submit("wait_for", i == 0 ? $"[\"{gate}\",0]" : $"[null,{i}]"))];
        node.Eventually(() => Proc(node.Process.Id, "stat").Contains(") T ", StringComparison.Ordinal), "the manager to have taken back what waits behind a task");
        meanwhile(ids[^1]);
        File.WriteAllText(gate, "");
        node.Eventually(() => Proc(worker, "wchan").StartsWith("unix_stream", StringComparison.Ordinal), "the worker to have forgotten the others");
        _ = Libc.Kill(node.Process.Id, Continue);
        return ids;
    }

    private static string Proc(int pid, string name)
    {
        try
        {
            return File.ReadAllText($"/proc/{pid}/{name}");
        }
        catch (IOException)
        {
            return "";
        }
    }

    private sealed unsafe class PlayedWorker : IDisposable
    {
        private const int RingBytes = 4096;

        private readonly byte* _memory;
        private readonly Random _chance;
        private readonly Thread _thread;
        private ulong _sent;
        private bool _ends;

        public PlayedWorker(int seed)
        {
            _chance = new Random(seed + 1);
            var descriptor = Libc.MemFdCreate("ring", 0);
            Libc.Truncate(descriptor, ResultRing.HeaderBytes + RingBytes).ShouldBe(0);
            Ring = ResultRing.Map(descriptor);
            _memory = (byte*)Libc.Mmap(null, ResultRing.HeaderBytes + RingBytes, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, descriptor, 0);
            _ = Libc.Close(descriptor);
            _thread = new Thread(Work);
            _thread.Start();
        }

        public ResultRing Ring { get; }

        /// <summary>Numbers of the tasks it ran, where a real one has results in its ring.</summary>
        public ConcurrentQueue<ulong> Answers { get; } = new();

        /// <summary>What the socket would hold: every task below this number.</summary>
        public void Sent(ulong next) => Volatile.Write(ref _sent, next);

        public void Dispose()
        {
            Volatile.Write(ref _ends, true);
            _thread.Join();
            _ = Libc.Munmap(_memory, ResultRing.HeaderBytes + RingBytes);
            Ring.Unmap();
        }

        public override string ToString() => $"worker: {Ring.Started} taken up of {_sent} sent, {Ring.Forgotten} forgotten";

        private void Work()
        {
            ulong forgotten = 0;
            for (ulong number = 0; ; number++)
            {
                while (Volatile.Read(ref _sent) <= number)
                {
                    if (Volatile.Read(ref _ends))
                        return;
                    Thread.Yield();
                }

                Volatile.Write(ref At(8), number + 1);
                Interlocked.MemoryBarrier();
                Pause();
                if (Volatile.Read(ref _memory[128]) != 0 && IsSkipped(number))
                    Volatile.Write(ref At(16), ++forgotten);
                else
                    Answers.Enqueue(number);
            }
        }

        private bool IsSkipped(ulong number)
        {
            while (true)
            {
                Pause();
                var skips = Volatile.Read(ref At(136));
                Pause();
                var range = 144 + (16 * (int)(skips % 2));
                var from = Volatile.Read(ref At(range));
                Pause();
                var to = Volatile.Read(ref At(range + 8));
                Pause();
                if (Volatile.Read(ref At(136)) == skips)
                    return from <= number && number < to;
            }
        }

        private ref ulong At(int offset) => ref *(ulong*)(_memory + offset);

        // As if it were interrupted.
        private void Pause()
        {
            Interlocked.MemoryBarrier();
            if (_chance.Next(40) == 0)
                Thread.SpinWait(_chance.Next(400));
        }
    }
}
