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
