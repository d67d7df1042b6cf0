using System.CommandLine;

namespace FuncX.Cli;

/// <summary>Options that every command takes.</summary>
internal sealed class GlobalOptions
{
    public Option<string?> Service { get; } = new("--service")
    {
        Description = "Address of the service; the one you logged in to last when left out.",
        HelpName = "address",
        Recursive = true,
    };

    public Option<string?> TokenFile { get; } = new("--token-file")
    {
        Description = "File that holds the token; the stored login when left out.",
        HelpName = "file",
        Recursive = true,
    };

    public Option<bool> Json { get; } = new("--json")
    {
        Description = "Machine output: JSON on standard output and nothing else there.",
        Recursive = true,
    };
}
