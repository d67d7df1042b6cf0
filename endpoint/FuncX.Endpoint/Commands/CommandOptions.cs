using System.CommandLine;

namespace FuncX.Endpoint.Commands;

/// <summary>Options that several commands share.</summary>
internal static class CommandOptions
{
    public static Option<FileInfo> Config() => new("--config", "-c")
    {
        Description = "The machine's file",
        Required = true,
        HelpName = "FILE.yaml",
    };

    /// <summary>The machine's file where it is what a command is about: `validate FILE`; --config is taken as well.</summary>
    public static (Argument<FileInfo?> File, Option<FileInfo?> Config) File(Command command)
    {
        var file = new Argument<FileInfo?>("FILE.yaml") { Description = "The machine's file", Arity = ArgumentArity.ZeroOrOne };
        var config = new Option<FileInfo?>("--config", "-c") { Description = "The same", HelpName = "FILE.yaml" };
        command.Arguments.Add(file);
        command.Options.Add(config);
        command.Validators.Add(result =>
        {
            if (result.GetValue(file) is null == result.GetValue(config) is null)
                result.AddError($"'{command.Name}' needs one file: {command.Name} FILE.yaml");
        });
        return (file, config);
    }

    public static Option<FileInfo?> TokenFile(string when) => new("--token-file")
    {
        Description = $"File (mode 0600) with your token, {when}; left out: what `funcx login` saved",
        HelpName = "FILE",
    };

    public static Option<double> Timeout(string what, double seconds)
    {
        var option = new Option<double>("--timeout")
        {
            Description = what,
            HelpName = "SECONDS",
            DefaultValueFactory = _ => seconds,
        };
        option.Validators.Add(result =>
        {
            if (result.GetValueOrDefault<double>() is not (> 0 and <= 86_400))
                result.AddError("--timeout must be above 0 and at most 86400 seconds");
        });
        return option;
    }
}
