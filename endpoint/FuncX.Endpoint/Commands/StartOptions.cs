using System.CommandLine;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Hosting;
using FuncX.Endpoint.Identity;
using FuncX.Providers;

namespace FuncX.Endpoint.Commands;

/// <summary>What <c>start</c> and <c>restart</c> take, and what is checked before either begins.</summary>
internal sealed class StartOptions(string timeout)
{
    private readonly Option<FileInfo> _config = CommandOptions.Config();
    private readonly Option<FileInfo?> _tokenFile = CommandOptions.TokenFile("for the first start");
    private readonly Option<LogLevel> _logLevel = new("--log-level") { Description = "Least level that is logged", DefaultValueFactory = _ => LogLevel.Information };
    private readonly Option<double> _timeout = CommandOptions.Timeout(timeout, 60);

    // Of `funcx quickstart`, which says so: it works before anything was published.
    private readonly Option<bool> _jitManager = new(StartCommand.JitManager) { Hidden = true };

    public void AddTo(Command command)
    {
        command.Options.Add(_config);
        command.Options.Add(_tokenFile);
        command.Options.Add(_logLevel);
        command.Options.Add(_timeout);
        command.Options.Add(_jitManager);
    }

    /// <summary>Checks file and manager and goes on with what was given; what is refused is said on stderr.</summary>
    public async Task<int> RunAsync(ParseResult parsed, Func<StartArguments, Task<int>> start)
    {
        if (ConfigurationLoading.Load(parsed.GetRequiredValue(_config)) is not { } file)
            return ExitCode.Usage;
        var unsupported = EndpointSupport.Unsupported(file);
        if (unsupported.Count > 0)
        {
            ConfigurationLoading.Print(unsupported, "error");
            return ExitCode.Usage;
        }

        ManagerProgram manager;
        try
        {
            manager = ManagerProgram.Find(mayNeedRuntime: parsed.GetValue(_jitManager));
        }
        catch (EndpointRefusedException problem)
        {
            await Console.Error.WriteLineAsync($"funcx-endpoint: {problem.Message}");
            return ExitCode.Usage;
        }

        try
        {
            return await start(new StartArguments(file.Value!, manager, parsed.GetValue(_jitManager), Path.GetFullPath(file.File), parsed.GetValue(_tokenFile)?.FullName,
                parsed.GetValue(_logLevel), TimeSpan.FromSeconds(parsed.GetValue(_timeout))));
        }
        catch (Exception problem) when (problem is EndpointRefusedException or BlockProviderException or IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync($"funcx-endpoint: {problem.Message}");
            return ExitCode.Failed;
        }
    }
}
