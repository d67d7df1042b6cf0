using FuncX.Client;

namespace FuncX.Cli;

/// <summary>What <c>funcx</c> says to the program that started it; documented in sdk/README.md.</summary>
internal static class ExitCodes
{
    public const int Ok = 0;

    /// <summary>A task failed, or the service refused or failed.</summary>
    public const int Failed = 1;

    /// <summary>The command line, a file it names, or an argument is wrong.</summary>
    public const int Usage = 2;

    public const int Unreachable = 3;

    public const int NotAuthorised = 4;

    public const int NotFound = 5;

    /// <summary>Ctrl-C, SIGTERM or SIGHUP.</summary>
    public const int Interrupted = 130;

    public static int For(FuncXErrorKind kind) => kind switch
    {
        FuncXErrorKind.Unreachable => Unreachable,
        FuncXErrorKind.NotAuthorised => NotAuthorised,
        FuncXErrorKind.NotFound => NotFound,
        _ => Failed,
    };
}
