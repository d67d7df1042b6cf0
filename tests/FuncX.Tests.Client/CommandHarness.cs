using FuncX.Cli;
using FuncX.Tests.Client.Fake;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>
/// The command inside the test's process, against the fake service. Classes that derive from it are of one collection, so one test runs at a time: where logins are
/// kept is a variable of the process.
/// </summary>
public abstract class CommandHarness : IAsyncLifetime
{
    protected string DirectoryPath { get; } = Directory.CreateTempSubdirectory("funcx-cli-tests-").FullName;

    protected FakeService Service { get; private set; } = null!;

    protected string TokenFile => Path.Combine(DirectoryPath, "token");

    public async ValueTask InitializeAsync()
    {
        Environment.SetEnvironmentVariable("FUNCX_CONFIG_DIR", DirectoryPath);
        Service = await FakeService.StartAsync();
        await File.WriteAllTextAsync(TokenFile, FakeService.Token + "\n");
    }

    public async ValueTask DisposeAsync()
    {
        await Service.DisposeAsync();
        Directory.Delete(DirectoryPath, recursive: true);
        GC.SuppressFinalize(this);
    }

    protected async Task<string> SubmitOneAsync(string group = "g", bool wait = true)
    {
        var (function, endpoint) = (Service.State.AddFunction("same"), Service.State.AddEndpoint("lab"));
        await using var client = Service.Client(new FuncX.Client.FuncXClientOptions { Group = group });
        var handle = await client.SubmitAsync<int, int>(function, endpoint, 7);
        await handle.Accepted;
        if (wait)
            await handle;
        return handle.Id.ToString();
    }

    protected Task<(int Code, string Output, string Error)> ServiceAsync(params string[] arguments) => ServiceInputAsync("", arguments);

    protected Task<(int Code, string Output, string Error)> ServiceInputAsync(string input, params string[] arguments) => RunAsync(input, ToService(arguments));

    protected string[] ToService(params string[] arguments)
    {
        // Before "--": after it everything is an argument.
        var end = Array.IndexOf(arguments, "--");
        string[] globals = ["--service", Service.Address.ToString(), "--token-file", TokenFile];
        return end < 0 ? [.. arguments, .. globals] : [.. arguments[..end], .. globals, .. arguments[end..]];
    }

    protected static Task<(int Code, string Output, string Error)> RunAsync(string input, params string[] arguments) => RunAsync(input, arguments, isInteractive: false);

    protected static async Task<(int Code, string Output, string Error)> RunAsync(string input, string[] arguments, bool isInteractive)
    {
        using var output = new StringWriter { NewLine = "\n" };
        using var error = new StringWriter { NewLine = "\n" };
        var terminal = new Terminal(output, error, new StringReader(input), isInteractive, inputIsRedirected: true, width: 200);
        var code = await new CommandLine(terminal).RunAsync(arguments);
        return (code, output.ToString(), error.ToString());
    }
}
