using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Control;
using FuncX.Endpoint.Hosting;
using FuncX.Endpoint.Identity;
using FuncX.Endpoint.Spool;
using FuncX.Providers;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint delete</c>: takes an endpoint that does not run off its service, and its files off this machine.</summary>
internal static class DeleteCommand
{
    public static Command Create()
    {
        var config = CommandOptions.Config();
        var tokenFile = CommandOptions.TokenFile("to delete it at the service");
        var force = new Option<bool>("--force") { Description = "Also with results that the service has not taken, which are lost, and with blocks that may still run, which end by themselves" };
        var command = new Command("delete", "Delete the endpoint at its service, and its state directory: tasks it has not finished end as cancelled") { config, tokenFile, force };
        command.SetAction(async (parsed, cancellation) =>
        {
            if (ConfigurationLoading.Load(parsed.GetRequiredValue(config)) is not { } file)
                return ExitCode.Usage;
            try
            {
                await RunAsync(file.Value!, parsed.GetValue(tokenFile)?.FullName, parsed.GetValue(force), cancellation);
                return ExitCode.Done;
            }
            catch (Exception problem) when (problem is EndpointRefusedException or ControlException or InvalidDataException or IOException or UnauthorizedAccessException)
            {
                await Console.Error.WriteLineAsync($"funcx-endpoint: {problem.Message}");
                return ExitCode.Failed;
            }
        });
        return command;
    }

    private static async Task RunAsync(EndpointConfiguration configuration, string? tokenFile, bool force, CancellationToken cancellation)
    {
        var (name, directory) = (configuration.Name, configuration.StateDirectory);
        if (!Directory.Exists(directory))
            throw new EndpointRefusedException($"endpoint '{name}' has no state directory {directory}: there is nothing to delete here. `funcx endpoint delete` deletes what a service knows of it");
        StateDirectory.Prepare(directory);
        using (var control = new ControlClient(directory, TimeProvider.System))
        {
            if (await control.StatusAsync(cancellation) is { } status)
                throw new EndpointRefusedException($"endpoint '{name}' is running (pid {status.Pid}). Stop it first: funcx-endpoint stop");
            if (!force && control.Owner is { IsOnThisMachine: false } elsewhere)
                throw new EndpointRefusedException($"endpoint '{name}' runs on host {elsewhere.Host} with pid {elsewhere.Pid}, or was killed there. Stop it there; --force when that host is gone");
        }

        if (!force)
            RefuseWhatWouldBeLost(configuration);
        var identity = PrivateFile.ReadJson<IdentityFile>(Path.Combine(directory, "identity.json"));
        if (identity is not null)
            await EndpointRegistration.DeleteAsync(identity, tokenFile, TimeProvider.System, cancellation);
        RemoveOwnFiles(directory);
        Console.WriteLine(identity is null
            ? $"endpoint '{name}' was registered nowhere; its state directory {directory} is removed"
            : $"endpoint '{name}' ({identity.EndpointId}) is deleted at {identity.Service}, and its state directory {directory} is removed");
    }

    private static void RefuseWhatWouldBeLost(EndpointConfiguration configuration)
    {
        var unreadable = new List<string>();
        var running = new BlockDirectories(configuration).Read((path, _) => unreadable.Add(Path.GetFileName(path))).Where(static block => !block.State.IsEnd()).Select(static block => block.Block);
        if (unreadable.Concat(running).ToList() is { Count: > 0 } blocks)
            throw new EndpointRefusedException(
                $"endpoint '{configuration.Name}' was not stopped and its blocks may still run: {string.Join(", ", blocks)}. Start and stop it; --force leaves them to end by themselves");
        if (SpoolDirectory.BytesOf(configuration.StateDirectory) is > 0 and var bytes)
            throw new EndpointRefusedException(
                $"endpoint '{configuration.Name}' has {bytes} bytes of results in its spool that a service has not taken. Start it until it has; --force deletes them");
    }

    // What is not of an endpoint stays, and the directory with it: state_dir may have been somebody's home.
    private static void RemoveOwnFiles(string directory)
    {
        foreach (var own in (string[])["blocks", "spool", "code", "logs"])
        {
            if (Directory.Exists(Path.Combine(directory, own)))
                Directory.Delete(Path.Combine(directory, own), recursive: true);
        }

        foreach (var own in (string[])["control.sock*", "control-*.sock", "endpoint.json*", "certificate.pem*", "identity.json*"])
        {
            foreach (var file in Directory.EnumerateFiles(directory, own))
                File.Delete(file);
        }

        if (!Directory.EnumerateFileSystemEntries(directory).Any())
            Directory.Delete(directory);
    }
}
