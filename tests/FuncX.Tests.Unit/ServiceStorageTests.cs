using System.Diagnostics;
using FsCheck.Xunit;
using FuncX.Contracts.V1;
using FuncX.Service.Storage;
using FuncX.Tests.Unit.ServiceTasks;
using FuncX.Wire;
using Grpc.Core;
using Grpc.Health.V1;
using Microsoft.Data.Sqlite;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceStorage;

public sealed class ServiceStorageTests
{
    [Property(MaxTest = 200)]
    public bool A_result_section_reads_as_it_was_written_and_no_cut_of_it_does(int seed)
    {
        var random = new Random(seed);
        var results = new TaskResult[random.Next(1, 40)];
        for (var row = 0; row < results.Length; row++)
            results[row] = AnyResult(random, row, row + 1 < results.Length ? row + 1 : -1);
        var key = new BatchKey(BatchId.New(random.Next()), random.Next());
        var buffer = new ChunkBuffer();
        ResultSectionWriter.Write(buffer, key, 77, 99, 1_000_123, 1_000_000, results, 0, results.Length);
        var rows = new ResultRows();
        rows.Read(buffer.Written, 1_000_000);
        rows.Batch.ShouldBe(key);
        (rows.Group, rows.BatchNumber, rows.Count, rows.BatchCommitted).ShouldBe((99ul, 77L, results.Length, 1_000_123L));
        var at = rows.BodiesOffset;
        for (var row = 0; row < results.Length; row++)
        {
            var result = results[row];
            (rows.Index[row], rows.Attempt[row], rows.Outcome[row], rows.ContentType[row], rows.Code[row]).ShouldBe((result.Index, result.Attempt, result.Outcome, result.ContentType, result.Code));
            (rows.ValueBytes[row], rows.StdoutBytes[row], rows.StderrBytes[row], rows.Large[row]).ShouldBe((result.ValueBytes, result.StdoutBytes, result.StderrBytes, result.Large));
            rows.Time(ResultTimes.Sent, row).ShouldBe(result.Sent);
            rows.Time(ResultTimes.WorkerEnded, row).ShouldBe(result.WorkerEnded);
            rows.Time(ResultTimes.ServiceBack, row).ShouldBe(result.ServiceBack);
            if (!result.Large.IsNone)
                continue;
            buffer.Written.Slice(at, result.BodyBytes).SequenceEqual(result.Body.Span).ShouldBeTrue();
            at += result.BodyBytes;
        }

        var cut = random.Next(buffer.Length);
        Should.Throw<ChunkException>(() => new ResultRows().Read(buffer.WrittenMemory[..cut].Span, 0));
        return true;
    }

    [Property(MaxTest = 200)]
    public bool A_submission_reads_as_it_was_written_and_no_cut_of_it_does(int seed)
    {
        var random = new Random(seed);
        var record = AnySubmission(random);
        var buffer = new ChunkBuffer();
        SubmissionCodec.WriteHead(buffer, record);
        buffer.Bytes(record.Bodies.Span);
        var read = SubmissionCodec.Read(buffer.WrittenMemory);
        (read with { Offsets = null, Bodies = default, Large = null, LargeBytes = null })
            .ShouldBe(record with { Offsets = null, Bodies = default, Large = null, LargeBytes = null });
        for (var index = 0; index < record.Count; index++)
            read.BytesOf(index).ShouldBe(record.BytesOf(index));
        read.Bodies.Span.SequenceEqual(record.Bodies.Span).ShouldBeTrue();
        var cut = random.Next(buffer.Length);
        Should.Throw<ChunkException>(() => SubmissionCodec.Read(buffer.WrittenMemory[..cut]));
        return true;
    }

    [Property(MaxTest = 100)]
    public bool A_chunk_with_one_byte_changed_or_cut_off_is_refused(int seed)
    {
        var random = new Random(seed);
        var chunk = new byte[ChunkHeader.Size + random.Next(500)];
        random.NextBytes(chunk);
        new ChunkHeader(5, 1, 2, 3, 0, 0).Write(chunk);
        ChunkHeader.Read(chunk, 5).FirstBatch.ShouldBe(3);
        Should.Throw<ChunkException>(() => ChunkHeader.Read(chunk, 6));
        Should.Throw<ChunkException>(() => ChunkHeader.Read(chunk.AsSpan(0, random.Next(chunk.Length)), 5));
        chunk[random.Next(chunk.Length)] ^= (byte)random.Next(1, 256);
        Should.Throw<ChunkException>(() => ChunkHeader.Read(chunk, 5));
        return true;
    }

    [Fact]
    public void Journal_mode_and_synchronous_are_those_that_make_a_commit_durable()
    {
        using var harness = new EngineHarness();
        harness.Store.JournalMode.ShouldBe("wal");
        harness.Store.Synchronous.ShouldBe("2");
    }

    [Fact]
    public async Task A_damaged_chunk_is_named_instead_of_read()
    {
        using var harness = new EngineHarness();
        await harness.SubmitAsync(3);
        await harness.SubmitAsync(3);
        harness.Engine.Dispose();
        harness.Store.Dispose();
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(harness.Directory, "tasks.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "UPDATE chunk SET data = substr(data, 1, length(data) - 1) || x'ff' WHERE id = 2";
            command.ExecuteNonQuery();
        }

        Should.Throw<ChunkException>(() => harness.Restart()).Message.ShouldContain("chunk 2");
        File.Delete(Path.Combine(harness.Directory, "tasks.db"));
        harness.Restart();
    }

    [Fact]
    public void A_database_of_a_newer_release_is_refused_with_both_schemas()
    {
        using var harness = new EngineHarness();
        harness.Engine.Dispose();
        harness.Store.Dispose();
        SetSchema(harness.Directory, 99);
        var refused = Should.Throw<InvalidDataException>(() => harness.Restart());
        refused.Message.ShouldContain("99");
        refused.Message.ShouldContain($"up to {TaskDatabase.SchemaVersion}");
        SetSchema(harness.Directory, TaskDatabase.SchemaVersion);
        harness.Restart();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task A_directory_of_an_earlier_schema_or_of_a_first_start_that_was_killed_is_opened_with_what_is_in_it(int schema)
    {
        using var harness = new EngineHarness();
        await harness.SubmitAsync(3);
        harness.Engine.Dispose();
        harness.Store.Dispose();
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(harness.Directory, "tasks.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = $"DELETE FROM SchemaVersions WHERE ScriptName <> '0001-chunks'; DROP TABLE group_label; PRAGMA user_version={schema}";
            command.ExecuteNonQuery();
        }

        harness.Restart();
        (await harness.Engine.LookAsync(static state => state.Unfinished)).ShouldBe(3);
        Version(harness.Directory).ShouldBe(TaskDatabase.SchemaVersion);
    }

    [Fact]
    public async Task Results_expire_and_their_chunks_and_index_go()
    {
        using var harness = new EngineHarness(limits: new Service.Limits.ServiceLimits { ResultRetention = TimeSpan.FromHours(1) });
        var link = await harness.ConnectAsync();
        using (var receiver = harness.Receiver(link))
        {
            await harness.SubmitAsync(2, "old");
            var sent = await harness.TakeAsync(link);
            await receiver.ReceiveAsync(EngineHarness.Message(1, [.. sent.Tasks.Select(task => (task.Task, task.Attempt, TaskOutcome.Value, new byte[3]))]), inline: true);
        }

        (await harness.ReadAsync("old")).Count.ShouldBe(1);
        await harness.Engine.SnapshotAsync();
        harness.Time.Advance(TimeSpan.FromHours(2));
        await harness.SubmitAsync(2, "new");
        for (var tick = 0; tick < 4; tick++)
        {
            harness.Time.Advance(TimeSpan.FromMinutes(40));
            await harness.Engine.LookAsync(static _ => true);
            await harness.Engine.SnapshotAsync();
        }

        (await harness.Engine.LookAsync(state => state.Groups.ContainsKey((EngineHarness.Owner, "old")))).ShouldBeFalse();
        harness.Store.ReadChunk(1).ShouldBeNull();
        harness.Restart();
        (await harness.Engine.LookAsync(static state => state.Unfinished)).ShouldBe(2);
    }

    [Fact]
    public async Task What_has_expired_goes_as_fast_as_single_commits_made_it()
    {
        using var harness = new EngineHarness(limits: new Service.Limits.ServiceLimits { ResultRetention = TimeSpan.FromHours(1) });
        var chunks = await MakeExpiredAsync(harness, 3_000);
        harness.Store.Prune(harness.Engine.Now, new HashSet<long>(), chunks, TimeSpan.FromSeconds(60), static (_, _) => false).ShouldBeFalse();
        harness.Store.ReadChunk(chunks).ShouldBeNull();
        harness.Store.ReadChunk(chunks + 1).ShouldNotBeNull();
    }

    [Fact]
    public async Task Housekeeping_that_fails_does_not_end_the_service()
    {
        using var harness = new EngineHarness(limits: new Service.Limits.ServiceLimits { ResultRetention = TimeSpan.FromHours(1) });
        // Before anything expires: the engine's own thread prunes when it is told the time.
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(harness.Directory, "tasks.db")};Pooling=False"))
        {
            connection.Open();
            using var command = connection.CreateCommand();
            command.CommandText = "CREATE TRIGGER kept BEFORE DELETE ON chunk BEGIN SELECT RAISE(ABORT, 'not today'); END";
            command.ExecuteNonQuery();
        }

        await MakeExpiredAsync(harness, 10);
        for (var tick = 0; tick < 3; tick++)
        {
            harness.Time.Advance(TimeSpan.FromMinutes(40));
            await harness.Engine.LookAsync(static _ => true);
            await harness.Engine.SnapshotAsync();
        }

        harness.Store.ReadChunk(1).ShouldNotBeNull();
        await harness.SubmitAsync(1, "after");
    }

    [Fact]
    public async Task A_full_disk_refuses_submissions_keeps_what_was_accepted_and_goes_on_when_there_is_room()
    {
        var mount = Path.Combine(Path.GetTempPath(), $"funcx-full-{Guid.NewGuid():N}");
        Directory.CreateDirectory(mount);
        Assert.SkipUnless(Run("mount", "-t", "tmpfs", "-o", "size=24m", "funcx-test", mount), "a small file system cannot be mounted here (needs root)");
        try
        {
            var data = Path.Combine(mount, "data");
            using var harness = new EngineHarness(data);
            var accepted = 0;
            var refusals = new List<string>();
            for (var batch = 0; batch < 200 && refusals.Count < 3; batch++)
            {
                var outcome = await harness.Engine.SubmitAsync(harness.Batch(100, bytes: 5_000), "e", "f", inline: true);
                if (outcome.Status == StatusCode.OK)
                    accepted += 100;
                else
                    refusals.Add(outcome.Message);
            }

            refusals.ShouldNotBeEmpty();
            refusals.ShouldAllBe(message => message.Contains(data, StringComparison.Ordinal));
            accepted.ShouldBeGreaterThan(0);
            (await harness.Engine.LookAsync(static state => state.Unfinished)).ShouldBe(accepted);
            Run("mount", "-o", "remount,size=200m", mount).ShouldBeTrue();
            harness.Time.Advance(TimeSpan.FromSeconds(5));
            await Eventually(async () =>
            {
                harness.Time.Advance(TimeSpan.FromSeconds(2));
                return (await harness.Engine.SubmitAsync(harness.Batch(100), "e", "f", inline: true)).Status == StatusCode.OK;
            });
            harness.Restart();
            (await harness.Engine.LookAsync(static state => state.Unfinished)).ShouldBe(accepted + 100);
        }
        finally
        {
            Run("umount", "-l", mount);
            Directory.Delete(mount);
        }
    }

    [Fact]
    public async Task A_look_in_the_turn_that_finds_the_disk_full_is_answered_from_what_is_durable()
    {
        await using var disk = Disk.Mount("24m");
        using var harness = new EngineHarness(disk.Path);
        var accepted = 0;
        while (true)
        {
            using var turn = new ManualResetEventSlim();
            var held = Task.Run(async () => await harness.Engine.LookAsync(_ => turn.Wait(TimeSpan.FromSeconds(20))), TestContext.Current.CancellationToken);
            var submit = harness.Engine.SubmitAsync(harness.Batch(100, bytes: 5_000), "e", "f", inline: false).AsTask();
            var look = harness.Engine.LookAsync(static state => state.Unfinished).AsTask();
            turn.Set();
            await held;
            if ((await submit).Status != StatusCode.OK)
            {
                (await look).ShouldBe(accepted);
                return;
            }

            await look;
            accepted += 100;
        }
    }

    [Fact]
    public async Task Health_says_that_submissions_are_refused_for_want_of_space()
    {
        await using var disk = Disk.Mount("24m");
        await using var service = await ServiceFront.RunningService.StartAsync(directory: Path.Combine(disk.Path, "data"));
        var health = new Health.HealthClient(service.Channel);
        (await health.CheckAsync(new HealthCheckRequest { Service = "funcx.v1.Tasks" })).Status.ShouldBe(HealthCheckResponse.Types.ServingStatus.Serving);
        disk.Fill(leaveBytes: 600 << 10);
        await Eventually(async () => (await health.CheckAsync(new HealthCheckRequest { Service = "funcx.v1.Tasks" })).Status == HealthCheckResponse.Types.ServingStatus.NotServing);
        (await health.CheckAsync(new HealthCheckRequest())).Status.ShouldBe(HealthCheckResponse.Types.ServingStatus.Serving);
        disk.Clear();
        await Eventually(async () => (await health.CheckAsync(new HealthCheckRequest { Service = "funcx.v1.Tasks" })).Status == HealthCheckResponse.Types.ServingStatus.Serving);
    }

    /// <summary>Single commits that have all expired but the last; says how many.</summary>
    [Fact]
    public void A_snapshot_that_the_disk_does_not_take_leaves_nothing_and_the_one_before_stays()
    {
        var directory = Directory.CreateTempSubdirectory("funcx-snapshots-").FullName;
        var files = new SnapshotFiles(directory);
        files.Write(1, "one"u8);
        // What is written to it answers that there is no space.
        File.CreateSymbolicLink(Path.Combine(directory, "0000000000000002.snapshot.new"), "/dev/full");

        Should.Throw<IOException>(() => files.Write(2, "two"u8));

        Directory.GetFiles(directory).ShouldBe([Path.Combine(directory, "0000000000000001.snapshot")]);
        files.Read().ShouldHaveSingleItem().Chunk.ShouldBe(1);
        files.Write(3, "three"u8);
        files.Read().Select(static snapshot => snapshot.Chunk).ShouldBe([3, 1]);
        Directory.Delete(directory, recursive: true);
    }

    private static async Task<long> MakeExpiredAsync(EngineHarness harness, int batches)
    {
        for (var batch = 0; batch < batches; batch++)
            await harness.SubmitAsync(1, "old");
        await harness.Engine.CancelAsync(EngineHarness.Owner, [], "old");
        var last = harness.Store.LastChunk;
        harness.Time.Advance(TimeSpan.FromHours(2));
        await harness.SubmitAsync(1, "new");
        return last;
    }

    private static async Task Eventually(Func<Task<bool>> condition)
    {
        var watch = Stopwatch.StartNew();
        while (!await condition())
        {
            watch.Elapsed.ShouldBeLessThan(TimeSpan.FromSeconds(20));
            await Task.Delay(20);
        }
    }

    private static bool Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true, UseShellExecute = false });
        process!.WaitForExit();
        return process.ExitCode == 0;
    }

    private static long Version(string directory)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(directory, "tasks.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA user_version";
        return (long)command.ExecuteScalar()!;
    }

    /// <summary>A small file system of its own.</summary>
    private sealed class Disk : IAsyncDisposable
    {
        private string? _filler;

        private Disk(string path) => Path = path;

        public string Path { get; }

        public static Disk Mount(string size)
        {
            var path = System.IO.Path.Combine(System.IO.Path.GetTempPath(), $"funcx-full-{Guid.NewGuid():N}");
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            Assert.SkipUnless(Run("mount", "-t", "tmpfs", "-o", $"size={size}", "funcx-test", path), "a small file system cannot be mounted here (needs root)");
            return new Disk(path);
        }

        public void Fill(long leaveBytes)
        {
            _filler = System.IO.Path.Combine(Path, "filler");
            File.WriteAllBytes(_filler, new byte[new DriveInfo(Path).AvailableFreeSpace - leaveBytes]);
        }

        public void Clear() => File.Delete(_filler!);

        public ValueTask DisposeAsync()
        {
            Run("umount", "-l", Path);
            Directory.Delete(Path);
            return ValueTask.CompletedTask;
        }
    }

    private static void SetSchema(string directory, int version)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(directory, "tasks.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = $"PRAGMA user_version={version}";
        command.ExecuteNonQuery();
    }

    private static TaskResult AnyResult(Random random, int row, int next)
    {
        var output = random.Next(3) == 0;
        var large = random.Next(10) == 0;
        var body = new byte[random.Next(30)];
        random.NextBytes(body);
        var stdout = output ? random.Next(body.Length + 1) : 0;
        return new TaskResult
        {
            Index = random.Next(2) == 0 ? row : random.Next(10_000),
            Attempt = (ushort)random.Next(1, 4),
            Outcome = random.Next(3) == 0 ? (TaskOutcome)random.Next(1, 10) : TaskOutcome.Value,
            ContentType = (ContentType)random.Next(1, 4),
            Code = (short)random.Next(-20, 20),
            StdoutBytes = stdout,
            Sent = random.Next(2) * random.NextInt64(2_000_000_000_000_000),
            WorkerEnded = random.NextInt64(2_000_000_000_000_000),
            ServiceBack = 1_000_000,
            BodyBytes = body.Length,
            Body = large ? default : body,
            Large = large ? new SegmentReference(random.Next(1, 9), random.NextInt64(1L << 40), (ulong)random.NextInt64()) : default,
            Next = next,
        };
    }

    private static SubmissionRecord AnySubmission(Random random)
    {
        var count = random.Next(1, 50);
        var same = random.Next(2) == 0;
        var offsets = new int[count + 1];
        for (var index = 0; index < count; index++)
            offsets[index + 1] = offsets[index] + random.Next(40);
        var length = random.Next(20);
        var bodies = new byte[same ? count * length : offsets[count]];
        random.NextBytes(bodies);
        return new SubmissionRecord
        {
            Key = new BatchKey(BatchId.New(random.Next()), random.Next()),
            Function = random.Next(),
            Endpoint = random.Next(),
            Group = new string('g', random.Next(1, 65)),
            ContentType = (ContentType)random.Next(1, 4),
            Priority = (byte)random.Next(256),
            MaxAttempts = (ushort)random.Next(1, 1000),
            WalltimeMilliseconds = (uint)random.NextInt64(uint.MaxValue),
            Deadline = random.NextInt64(2_000_000_000_000_000),
            Content = new UInt128((ulong)random.NextInt64(), (ulong)random.NextInt64()),
            ClientSent = random.NextInt64(2_000_000_000_000_000),
            Accepted = random.NextInt64(2_000_000_000_000_000),
            Count = count,
            Offsets = same ? null : offsets,
            SameLength = same ? length : 0,
            Bodies = bodies,
        };
    }
}
