using DbUp;
using DbUp.Engine.Output;
using FuncX.Contracts.V1;
using FuncX.Service.Auth;
using FuncX.Service.Hosting;
using FuncX.Service.Links;
using FuncX.Service.Registry;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Tests.Unit.ServiceTasks;
using FuncX.Wire;
using Microsoft.Data.Sqlite;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceFront;

/// <summary>Data directories of earlier releases, made by the scripts that those had, and such as this release did not make.</summary>
public sealed class ServiceMigrationTests
{
    private const string RegistryScripts = "FuncX.Service.Registry.Migrations.";

    [Fact]
    public async Task Tasks_of_the_first_schema_are_all_there_afterwards_and_go_on()
    {
        using var made = new EngineHarness();
        var (dispatched, queued) = await WorkAsync(made);
        var picture = await made.Engine.PictureAsync();
        var ended = Texts(await made.ReadAsync("ended"));
        ended.Count.ShouldBe(4);
        using var directory = new ScratchDirectory();
        var rows = MakeFirstSchema(made, directory.Path);

        using (var opened = new EngineHarness(directory.Path))
        {
            Number(Tasks(directory), "PRAGMA user_version").ShouldBe(TaskDatabase.SchemaVersion);
            Number(Tasks(directory), "SELECT count(*) FROM SchemaVersions").ShouldBe(TaskSchema.Scripts.Count);
            Rows(directory.Path).ShouldBe(rows);
            (await opened.Engine.PictureAsync()).ShouldBe(picture);
            Texts(await opened.ReadAsync("ended")).ShouldBe(ended, ignoreOrder: true);

            // What the first schema could not say: the loss of an execution. The other task was never sent.
            var link = await opened.ConnectAsync("two", new InventoryEntry(dispatched, 1, HeldState.Running));
            using var receiver = opened.Receiver(link);
            await receiver.ReceiveAsync(EngineHarness.Message(1, (dispatched, 1, TaskOutcome.AttemptLost, [])), inline: true);
            (await opened.TakeAsync(link)).Tasks.ShouldBe([(dispatched, (ushort)2), (queued, (ushort)1)], ignoreOrder: true);
            await receiver.ReceiveAsync(EngineHarness.Message(2, (dispatched, 2, TaskOutcome.Value, [7]), (queued, 1, TaskOutcome.Value, [8])), inline: true);
        }

        using (var again = new EngineHarness(directory.Path))
        {
            EngineHarness.Outcomes(await again.ReadAsync("open")).ShouldBe(new Dictionary<TaskId, Outcome> { [dispatched] = Outcome.Value, [queued] = Outcome.Value }, ignoreOrder: true);
            Texts(await again.ReadAsync("ended")).ShouldBe(ended, ignoreOrder: true);
        }
    }

    [Fact]
    public async Task A_snapshot_of_an_earlier_schema_is_the_same_state_without_losses_and_retries()
    {
        using var harness = new EngineHarness();
        await WorkAsync(harness);
        await harness.Engine.IndexAllAsync();
        var picture = await harness.Engine.PictureAsync();
        // Of the open batch, which stands last: a run for each of its two tasks (how many, state, attempt, losses, retries, a byte each). Version 1 had no losses, 2 no retries.
        foreach (var zero in (int[])[1, 2, 6, 7])
            picture[^zero].ShouldBe((byte)0);
        byte[] first = [1, .. picture.AsSpan(1..^7), .. picture.AsSpan(^5..^2)];
        byte[] second = [2, .. picture.AsSpan(1..^6), .. picture.AsSpan(^5..^1)];
        SnapshotCodec.Write(SnapshotCodec.Read(first)).Written.ToArray().ShouldBe(picture);
        SnapshotCodec.Write(SnapshotCodec.Read(second)).Written.ToArray().ShouldBe(picture);
        byte[] third = [3, .. picture.AsSpan(1)];
        SnapshotCodec.Write(SnapshotCodec.Read(third)).Written.ToArray().ShouldBe(picture, "3 had nothing that waits");
        first[0] = 5;
        Should.Throw<ChunkException>(() => SnapshotCodec.Read(first)).Message.ShouldBe("snapshot has version 5; this release reads 1 to 4");
    }

    [Fact]
    public async Task A_registry_of_the_first_schema_keeps_users_tokens_functions_and_endpoints()
    {
        using var directory = new ScratchDirectory();
        var path = Path.Combine(directory.Path, "registry.db");
        Apply(path, builder => builder.WithScriptsEmbeddedInAssembly(typeof(RegistryDatabase).Assembly, static name => name == $"{RegistryScripts}0001_registry.sql"));
        var (token, credential, revoked) = (TokenText.Create(TokenText.UserPrefix), TokenText.Create(TokenText.EndpointPrefix), TokenText.Create(TokenText.UserPrefix));
        var code = "def double(x):\n    return 2 * x\n"u8.ToArray();
        var function = FunctionIdentity.Compute("python", "double", code);
        Execute(path, """
            INSERT INTO users VALUES (5, 'ann', 1000);
            INSERT INTO endpoints VALUES (3, 5, 'f00d', 'lab', 'the old one', 2000, NULL), (4, 5, 'dead', 'gone', '', 2000, 3000);
            INSERT INTO tokens VALUES ('t1', $token, 5, NULL, 'laptop', 1500, NULL, 1700, NULL, NULL), ('t2', $credential, 5, 3, '', 2000, NULL, NULL, NULL, NULL),
                ('t3', $revoked, 5, NULL, '', 1500, NULL, NULL, 1600, 'lost');
            INSERT INTO revocations (token_id) VALUES ('t3');
            INSERT INTO functions VALUES (9, 5, $function, 'python', 'double', 'double', 'twice', 2500, NULL, $code);
            """, ("$token", TokenText.Hash(token)), ("$credential", TokenText.Hash(credential)), ("$revoked", TokenText.Hash(revoked)), ("$function", function), ("$code", code));

        await using var running = await RunningService.StartAsync(directory: directory.Path);
        var ann = RunningService.Bearer(token);
        running.Functions.Get(new GetFunctionRequest { Function = "double", IncludeCode = true }, ann).ShouldBe(new FunctionInfo
        {
            FunctionId = function,
            Kind = FunctionKind.Python,
            Name = "double",
            Entry = "double",
            Description = "twice",
            RegisteredAt = 2500,
            Code = Google.Protobuf.ByteString.CopyFrom(code),
        });
        running.Endpoints.List(new ListEndpointsRequest(), ann).Endpoints.ShouldHaveSingleItem().ShouldBe(
            new EndpointInfo { EndpointId = "f00d", Name = "lab", Description = "the old one", RegisteredAt = 2000 });
        running.Get<Authenticator>().Authenticate($"Bearer {credential}", out _)!.Caller.EndpointId.ShouldBe("f00d");
        running.Get<Authenticator>().Authenticate($"Bearer {revoked}", out var refusal).ShouldBeNull();
        refusal.ShouldContain("lost");
        // Numbers go on behind those that were given: tasks refer to them.
        var endpoint = running.Endpoints.Register(new RegisterEndpointRequest { Name = "new" }, ann);
        running.Get<EndpointCatalog>().TryGetByNumber(5, out var added).ShouldBeTrue();
        added!.EndpointId.ShouldBe(endpoint.EndpointId);
        Number(path, "SELECT count(*) FROM SchemaVersions").ShouldBe(4);
    }

    [Theory]
    [InlineData("CREATE TABLE notes(text TEXT)", "has tables but no schema number: it was not written by funcx-service.")]
    [InlineData("CREATE TABLE chunk(id INTEGER PRIMARY KEY, data BLOB)", "has tables but no schema number: it was not written by funcx-service.")]
    [InlineData("PRAGMA user_version = 99", "has schema 99; this release knows schemas up to 3. Start the release that wrote it, or a newer one.")]
    [InlineData("", "is not a task database: ")]
    public void Tasks_that_this_release_did_not_write_are_refused_and_left_as_they_are(string made, string reason)
    {
        using var directory = new ScratchDirectory();
        var path = Path.Combine(directory.Path, "tasks.db");
        Make(path, made);
        var before = File.ReadAllBytes(path);
        Should.Throw<InvalidDataException>(() => TaskStore.Open(directory.Path, logBytes: 1 << 20)).Message.ShouldStartWith($"{path} {reason}");
        File.ReadAllBytes(path).ShouldBe(before);
    }

    [Theory]
    [InlineData("CREATE TABLE notes(text TEXT)", "has tables but no record of schema versions: it was not written by funcx-service.")]
    [InlineData("CREATE TABLE users(name TEXT)", "has tables but no record of schema versions: it was not written by funcx-service.")]
    [InlineData("", "cannot be ")]
    public void A_registry_that_this_release_did_not_write_is_refused_and_left_as_it_is(string made, string reason)
    {
        using var directory = new ScratchDirectory();
        var path = Path.Combine(directory.Path, "registry.db");
        Make(path, made);
        var before = File.ReadAllBytes(path);
        Should.Throw<ServiceRefusedException>(() => RegistryDatabase.Open(directory.Path)).Message.ShouldStartWith($"{path} {reason}");
        File.ReadAllBytes(path).ShouldBe(before);
    }

    /// <summary>A group of four that have ended, one with a large value and three in the index, and a group of which one task is sent and one waits.</summary>
    private static async Task<(TaskId Dispatched, TaskId Queued)> WorkAsync(EngineHarness harness)
    {
        var batch = await harness.SubmitAsync(3, "ended");
        var single = await harness.SubmitAsync(1, "ended");
        var link = await harness.ConnectAsync();
        using (var receiver = harness.Receiver(link))
        {
            await harness.TakeAsync(link);
            await receiver.ReceiveAsync(EngineHarness.Message(1, [.. Enumerable.Range(0, 3).Select(index => (new TaskId(batch.Key.Id, (uint)index), (ushort)1, TaskOutcome.Value, new[] { (byte)('a' + index) }))]), inline: true);
            await harness.Engine.IndexAllAsync();
            var large = new byte[200_000];
            Array.Fill(large, (byte)'L');
            await receiver.ReceiveAsync(EngineHarness.Message(2, (new TaskId(single.Key.Id, 0), 1, TaskOutcome.Value, large)), inline: true);
        }

        harness.Engine.Disconnect(link);
        var narrow = new LinkSession(EngineHarness.Owner, "ann", "one", "1.0");
        (await harness.Engine.ConnectAsync(narrow, EngineHarness.Endpoint, "a newer one")).ShouldBeTrue();
        harness.Engine.Credit(narrow, 1, 1UL << 40, inline: true);
        (await harness.Engine.ReconcileAsync(narrow, [])).ShouldBeTrue();
        var open = await harness.SubmitAsync(2, "open");
        (await harness.TakeAsync(narrow)).Tasks.ShouldHaveSingleItem().Task.Index.ShouldBe(0u);
        harness.Engine.Disconnect(narrow);
        (await harness.ReadAsync("ended")).Sum(static chunk => chunk.Index.Count).ShouldBe(4);
        return (new TaskId(open.Key.Id, 0), new TaskId(open.Key.Id, 1));
    }

    /// <summary>A directory as the first release left it, with what another one has in it.</summary>
    private static List<string> MakeFirstSchema(EngineHarness made, string directory)
    {
        made.Engine.Dispose();
        made.Store.Dispose();
        var path = Path.Combine(directory, "tasks.db");
        Execute(path, "PRAGMA page_size=4096; PRAGMA journal_mode=WAL");
        Apply(path, static builder => builder.WithScripts(TaskSchema.Scripts[0]));
        // The release that had only this script wrote the number itself, after the tables.
        Execute(path, $"""
            PRAGMA user_version = 1;
            ATTACH DATABASE '{Path.Combine(made.Directory, "tasks.db")}' AS made;
            INSERT INTO chunk SELECT * FROM made.chunk;
            INSERT INTO finished SELECT * FROM made.finished;
            INSERT INTO finished_group SELECT * FROM made.finished_group;
            """);
        Directory.CreateDirectory(Path.Combine(directory, "segments"));
        foreach (var segment in Directory.EnumerateFiles(Path.Combine(made.Directory, "segments")))
            File.Copy(segment, Path.Combine(directory, "segments", Path.GetFileName(segment)));
        var rows = Rows(directory);
        rows.Count.ShouldBeGreaterThan(5);
        made.Restart();
        return rows;
    }

    private static List<string> Rows(string directory)
    {
        using var connection = Open(Path.Combine(directory, "tasks.db"));
        using var command = connection.CreateCommand();
        command.CommandText = """
            SELECT 'chunk ' || id || ' ' || hex(data) FROM chunk
            UNION ALL SELECT 'finished ' || id || ' ' || hex(first) || hex(last) || newest || hex(filter) || hex(data) FROM finished
            UNION ALL SELECT 'group ' || owner || name || segment || batches || tasks || failed || last_chunk || hex(chunks) FROM finished_group
            """;
        using var reader = command.ExecuteReader();
        var rows = new List<string>();
        while (reader.Read())
            rows.Add(reader.GetString(0));
        return rows;
    }

    private static List<(TaskId Task, string Value)> Texts(IEnumerable<ResultChunk> chunks) => [.. chunks.SelectMany(EngineHarness.Values)];

    private static void Apply(string path, Func<DbUp.Builder.UpgradeEngineBuilder, DbUp.Builder.UpgradeEngineBuilder> scripts)
    {
        var result = scripts(DeployChanges.To.SqliteDatabase(ConnectionString(path))).WithTransaction().LogTo(new NoOpUpgradeLog()).Build().PerformUpgrade();
        result.Successful.ShouldBeTrue(result.Error?.Message);
        result.Scripts.Count().ShouldBe(1);
    }

    /// <summary>A database with what a statement makes; without one, a file that is none.</summary>
    private static void Make(string path, string statement)
    {
        if (statement.Length == 0)
            File.WriteAllText(path, new string('x', 5_000));
        else
            Execute(path, statement);
    }

    private static void Execute(string path, string sql, params (string Name, object Value)[] parameters)
    {
        using var connection = Open(path);
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        foreach (var (name, value) in parameters)
            command.Parameters.AddWithValue(name, value);
        command.ExecuteNonQuery();
    }

    private static string Tasks(ScratchDirectory directory) => Path.Combine(directory.Path, "tasks.db");

    private static long Number(string path, string sql)
    {
        using var connection = Open(path);
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        return (long)command.ExecuteScalar()!;
    }

    private static SqliteConnection Open(string path)
    {
        var connection = new SqliteConnection(ConnectionString(path));
        connection.Open();
        return connection;
    }

    private static string ConnectionString(string path) => new SqliteConnectionStringBuilder { DataSource = path, Pooling = false }.ToString();
}
