using System.CommandLine;
using System.Text;
using FuncX.Configuration;
using FuncX.Contracts;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint init</c>: a file for this machine that works as it is.</summary>
internal static class InitCommand
{
    public static Command Create()
    {
        var name = new Option<string?>("--name") { Description = "Name of the endpoint; left out: this machine's" };
        var service = new Option<string?>("--service") { Description = "Address of the service; left out: where `funcx login` logged in", HelpName = "URL" };
        var output = new Option<FileInfo?>("--output", "-o") { Description = "File to write; left out: NAME.yaml", HelpName = "FILE.yaml" };
        var force = new Option<bool>("--force") { Description = "Replace a file that is there" };
        var command = new Command("init", "Write a commented file for this machine") { name, service, output, force };
        command.SetAction(parsed => Run(parsed.GetValue(name), parsed.GetValue(service), parsed.GetValue(output), parsed.GetValue(force)));
        return command;
    }

    private static int Run(string? name, string? service, FileInfo? output, bool force)
    {
        string? current = null;
        try
        {
            current = CredentialsFile.Read(CredentialsFile.DefaultPath).Current;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            Console.Error.WriteLine($"funcx-endpoint: {problem.Message}");
            if (service is null)
                return ExitCode.Failed;
        }

        service ??= current;
        if (service is null)
        {
            Console.Error.WriteLine("funcx-endpoint: no service is known; name it with --service URL, or run `funcx login` first");
            return ExitCode.Usage;
        }

        name ??= OfMachine();
        var text = InitialConfiguration.Write(name, service);
        // What init writes must be valid: a name or address that is not is told in the words of validate.
        var result = EndpointConfigurationFile.Parse("(init)", text);
        if (!result.IsValid)
        {
            foreach (var error in result.Errors)
                Console.Error.WriteLine($"funcx-endpoint: {error.Message}");
            return ExitCode.Usage;
        }

        var path = output?.ToString() ?? $"{name}.yaml";
        try
        {
            using var stream = new FileStream(path, new FileStreamOptions
            {
                Mode = force ? FileMode.Create : FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = FileModes.PrivateFile,
            });
            stream.Write(Encoding.UTF8.GetBytes(text));
        }
        catch (IOException) when (!force && File.Exists(path))
        {
            Console.Error.WriteLine($"funcx-endpoint: {path} is there already; choose another name with --output, or replace it with --force");
            return ExitCode.Failed;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"funcx-endpoint: {path} cannot be written: {problem.Message}");
            return ExitCode.Failed;
        }

        Console.WriteLine($"{path} written. Start the endpoint with: funcx-endpoint start --config {path}");
        return ExitCode.Done;
    }

    private static string OfMachine()
    {
        var letters = Environment.MachineName.ToLowerInvariant().Where(letter => char.IsAsciiLetterOrDigit(letter) || letter is '.' or '-').Take(64);
        var name = new string([.. letters]);
        return name.Length > 0 ? name : "local";
    }
}
