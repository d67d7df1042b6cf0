using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Commands;

/// <summary><c>funcx-endpoint validate</c>: everything wrong with a file, as compilers print it.</summary>
internal static class ValidateCommand
{
    public static Command Create()
    {
        var command = new Command("validate", "Check a machine's file; exit 2 and one line per error when it is wrong");
        var (argument, config) = CommandOptions.File(command);
        command.SetAction(parsed => Run((parsed.GetValue(argument) ?? parsed.GetValue(config))!));
        return command;
    }

    private static int Run(FileInfo config)
    {
        if (ConfigurationLoading.Load(config) is not { } file)
            return ExitCode.Usage;
        // Right, but not for this release: worth knowing before it is started.
        ConfigurationLoading.Print(EndpointSupport.Unsupported(file), "note");
        Console.WriteLine($"{file.File}: endpoint '{file.Value!.Name}' is valid");
        return ExitCode.Done;
    }
}
