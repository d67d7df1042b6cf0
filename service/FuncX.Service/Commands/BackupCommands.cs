using System.CommandLine;
using FuncX.Service.Hosting;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;

namespace FuncX.Service.Commands;

/// <summary><c>funcx-service backup</c> and <c>check</c>: a copy of what the service keeps, and whether a copy or the original is sound.</summary>
internal static class BackupCommands
{
    public static Command CreateBackup()
    {
        var dataDirectory = CommandEdge.DataDirectory("The service's data directory; the service may run.");
        var to = new Option<string>("--to") { Description = "Directory for the copy; made with mode 0700. To restore, start a service on it, or put it in the place of the data directory.", HelpName = "DIR", Required = true };
        var command = new Command("backup", "Copy the data directory, and check the copy.") { dataDirectory, to };
        command.SetAction((parsed, _) => CommandEdge.RunAsync(() =>
        {
            var (from, target) = (Path.GetFullPath(parsed.GetValue(dataDirectory)!), Path.GetFullPath(parsed.GetValue(to)!));
            Backup.Make(from, target);
            Check(target, $"the backup of {from} in {target}");
            return Task.CompletedTask;
        }));
        return command;
    }

    public static Command CreateCheck()
    {
        var dataDirectory = CommandEdge.DataDirectory("The data directory of a service that does not run, or a backup.");
        var command = new Command("check", "Read all that a data directory keeps and compare it with its checksums; exit 1 when something is wrong.") { dataDirectory };
        command.SetAction((parsed, _) => CommandEdge.RunAsync(() =>
        {
            var directory = Path.GetFullPath(parsed.GetValue(dataDirectory)!);
            DataDirectory.RefuseOther(directory);
            Check(directory, directory);
            return Task.CompletedTask;
        }));
        return command;
    }

    private static void Check(string directory, string name)
    {
        using var taken = DataDirectory.Take(directory);
        // First: of a database that is broken in itself the rest cannot be read.
        string[] broken = [.. DatabaseIntegrity.Check(Path.Combine(directory, "tasks.db")), .. DatabaseIntegrity.Check(Path.Combine(directory, "registry.db"))];
        RefuseDamaged(name, broken);
        var report = StoreCheck.Run(directory);
        Console.Out.WriteLine(
            $"{name}: {report.Chunks} commits with {report.Submitted} tasks submitted and {report.Results} results, {report.Unfinished} tasks unfinished, {report.Bodies} large bodies of {report.BodyBytes} bytes, {report.Labels} labels of groups");
        RefuseDamaged(name, report.Problems);
        Console.Out.WriteLine("all of it is sound");
    }

    private static void RefuseDamaged(string name, IReadOnlyList<string> problems)
    {
        foreach (var problem in problems)
            Console.Error.WriteLine($"funcx-service: {problem}");
        if (problems.Count > 0)
            throw new ServiceRefusedException($"{name} is damaged: {(problems.Count >= StoreCheck.MostProblems ? "at least " : "")}{problems.Count} problems, above.");
    }
}
