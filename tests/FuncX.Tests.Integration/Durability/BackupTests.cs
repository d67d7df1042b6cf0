using FuncX.Contracts;
using FuncX.Tests.Integration.Harness;
using Microsoft.Data.Sqlite;

namespace FuncX.Tests.Integration.Durability;

/// <summary><c>funcx-service backup</c> and <c>check</c>.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class BackupTests
{
    private const string Turn = "def turn(text):\n    return text[::-1]\n";
    private static readonly string s_large = new string('a', 200_000) + "b";
    private static readonly string s_turned = "b" + new string('a', 200_000);

    [Fact]
    public Task A_backup_of_a_running_service_has_all_that_was_acknowledged_before_it() => Scenario.RunAsync(async cluster =>
    {
        var square = await cluster.Api.RegisterAsync(Python.Square, "square");
        var turn = await cluster.Api.RegisterAsync(Turn, "turn");
        var nap = await cluster.Api.RegisterAsync(Python.Nap, "nap");
        var batches = await cluster.SubmitRangeAsync(square, "squares", 5_000);
        await cluster.Api.SubmitAsync(ServiceApi.Request(turn, cluster.EndpointId, "large", Enumerable.Repeat($"[\"{s_large}\"]", 5)));
        await cluster.Api.WaitAsync("squares", 5_000);
        await cluster.Api.WaitAsync("large", 5);
        var unfinished = ServiceApi.Request(nap, cluster.EndpointId, "unfinished", Enumerable.Repeat($"[30, \"{s_large}\"]", 4));
        unfinished.Labels["kept"] = "yes";
        await cluster.Api.SubmitAsync(unfinished);

        // Others go on submitting while it is made.
        using var enough = new CancellationTokenSource();
        var others = KeepSubmittingAsync(cluster, square, enough.Token);
        var target = Path.Combine(cluster.DirectoryPath, "backup");
        for (var number = 0; number < 3; number++)
        {
            var (exitCode, output) = await RunAsync(cluster, "backup", "--data-dir", cluster.Service.DataDirectory, "--to", $"{target}{number}");
            exitCode.ShouldBe(0, output);
            output.ShouldContain("all of it is sound");
        }

        await enough.CancelAsync();
        await others;
        var (again, refusal) = await RunAsync(cluster, "backup", "--data-dir", cluster.Service.DataDirectory, "--to", $"{target}0");
        again.ShouldBe(1);
        refusal.ShouldContain($"{target}0 is not empty");
        var (inUse, active) = await RunAsync(cluster, "check", "--data-dir", cluster.Service.DataDirectory);
        inUse.ShouldBe(1);
        active.ShouldContain($"pid {cluster.Service.Identity.Pid} is active on the data directory");

        await cluster.Api.Tasks.CancelAsync(new CancelRequest { Group = "unfinished" }, cluster.Api.Headers);
        await using var restored = new ServiceProcess($"{target}2", Path.Combine(cluster.DirectoryPath, "restored.log"));
        await restored.StartAsync();
        var api = new ServiceApi(restored.Address, (await File.ReadAllTextAsync(restored.AdminTokenFile)).Trim());
        (await api.WaitAsync("squares", 5_000)).ShouldBeSquares(batches, 5_000);
        (await api.WaitAsync("large", 5)).Values.ShouldAllBe(static result => result.Text == $"\"{s_turned}\"");
        var group = await api.GroupAsync("unfinished");
        (group.Tasks, group.Done, group.Labels["kept"]).ShouldBe((4, 0, "yes"));
        File.GetUnixFileMode($"{target}2").ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        await restored.StopAsync();
    });

    [Fact]
    public async Task A_check_finds_what_is_damaged_and_names_it()
    {
        string sound = "";
        await Scenario.RunAsync(async cluster =>
        {
            var turn = await cluster.Api.RegisterAsync(Turn, "turn");
            await cluster.Api.SubmitAsync(ServiceApi.Request(turn, cluster.EndpointId, "large", Enumerable.Repeat($"[\"{s_large}\"]", 3)));
            await cluster.Api.WaitAsync("large", 3);
            var square = await cluster.Api.RegisterAsync(Python.Square, "square");
            await cluster.SubmitRangeAsync(square, "squares", 1_000);
            await cluster.Api.WaitAsync("squares", 1_000);
            await cluster.Endpoint.StopAsync();
            var waits = ServiceApi.Request(turn, cluster.EndpointId, "waits", [$"[\"{s_large}\"]"]);
            (waits.Labels["a"], waits.Labels["b"]) = ("1", "2");
            await cluster.Api.SubmitAsync(waits);
            await cluster.Service.StopAsync();
            sound = LocalCluster.NewDirectory("sound");
            await CopyAsync(cluster.Service.DataDirectory, sound);
        });
        var home = LocalCluster.NewDirectory("check");
        try
        {
            var (exitCode, output) = await CheckAsync(_ => { });
            exitCode.ShouldBe(0, output);
            output.ShouldContain("1004 tasks submitted and 1003 results, 1 tasks unfinished, 4 large bodies");
            output.ShouldContain("bytes, 2 labels of groups");
            await FindsAsync("group 'nobodys' of user 1 has labels and no tasks", directory => Sql(directory, "INSERT INTO group_label VALUES(1, 'nobodys', 'a', '1')"));

            await FindsAsync("does not match its digest", directory => Flip(Largest(directory)));
            await FindsAsync("is gone; a body of", directory => File.Delete(Largest(directory)));
            await FindsAsync("before the body at", directory =>
            {
                using var file = File.OpenHandle(Largest(directory), FileMode.Open, FileAccess.Write);
                RandomAccess.SetLength(file, RandomAccess.GetLength(file) - 1);
            });
            await FindsAsync("does not match its checksum", directory => Sql(directory, "UPDATE chunk SET data = substr(data, 1, length(data) - 1) || x'00' WHERE id = (SELECT max(id) FROM chunk)"));
            await FindsAsync("is missing before chunk", directory =>
            {
                foreach (var snapshot in Directory.EnumerateFiles(Path.Combine(directory, "snapshots")))
                    File.Delete(snapshot);
                Sql(directory, "DELETE FROM chunk WHERE id = 2");
            });
            await FindsAsync("tasks.db: ", directory =>
            {
                var path = Path.Combine(directory, "tasks.db");
                using (var connection = new SqliteConnection($"Data Source={path};Pooling=False"))
                {
                    connection.Open();
                    using var command = connection.CreateCommand();
                    command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE)";
                    command.ExecuteNonQuery();
                }

                // The last pages: of the chunks, not of what a start reads first.
                using var file = File.OpenHandle(path, FileMode.Open, FileAccess.Write);
                RandomAccess.Write(file, new byte[2 * 4096], RandomAccess.GetLength(file) - (3 * 4096));
            });
            (await CheckAsync(directory => File.Delete(Path.Combine(directory, "tasks.db")))).Output.ShouldContain("is no data directory of a service");
        }
        finally
        {
            Directory.Delete(home, recursive: true);
            Directory.Delete(sound, recursive: true);
        }

        async Task FindsAsync(string said, Action<string> damage)
        {
            var (exitCode, output) = await CheckAsync(damage);
            exitCode.ShouldBe(1, output);
            output.ShouldContain(said);
            output.ShouldContain("is damaged");
        }

        async Task<(int ExitCode, string Output)> CheckAsync(Action<string> damage)
        {
            var copy = Path.Combine(home, $"{Guid.NewGuid():N}");
            await CopyAsync(sound, copy);
            damage(copy);
            return await Daemon.RunAsync([Programs.Service, "check", "--data-dir", copy], Path.Combine(home, "check.log"), Eventually.Patience);
        }
    }

    private static async Task KeepSubmittingAsync(LocalCluster cluster, string function, CancellationToken enough)
    {
        for (var number = 0; !enough.IsCancellationRequested; number++)
            await cluster.Api.SubmitAsync(ServiceApi.Request(function, cluster.EndpointId, "others", Enumerable.Range(0, 20).Select(static i => $"[{i}]").Append($"[{new string('1', 100_000)}]")));
    }

    private static Task<(int ExitCode, string Output)> RunAsync(LocalCluster cluster, params string[] arguments) =>
        Daemon.RunAsync([Programs.Service, .. arguments], Path.Combine(cluster.DirectoryPath, "keeping.log"), Eventually.Patience);

    private static async Task CopyAsync(string from, string to) =>
        (await Daemon.RunAsync(["cp", "-a", from + "/.", to], to + ".log", Eventually.Patience)).ExitCode.ShouldBe(0);

    // The directory has results and arguments in one file or in several.
    private static string Largest(string directory) => Directory.EnumerateFiles(Path.Combine(directory, "segments")).MaxBy(static path => new FileInfo(path).Length)!;

    private static void Flip(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[^10] ^= 1;
        File.WriteAllBytes(path, bytes);
    }

    private static void Sql(string directory, string sql)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(directory, "tasks.db")};Pooling=False");
        connection.Open();
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
