using System.Diagnostics;
using FuncX.Tests.Client.Fake;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>The command as a process of its own, beside the fake service; it ends with its test.</summary>
public abstract class LiveCommandHarness : IAsyncLifetime
{
    private Process? _process;

    // In its own output: the copy beside this program lacks what the web framework of the fake service brings here.
    protected static string Program { get; } = Path.GetFullPath(Path.Combine(
        AppContext.BaseDirectory, "..", "..", "..", "..", "..", "sdk", "FuncX.Cli", "bin", Path.GetFileName(Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, ".."))), "net10.0", "funcx"));

    protected static CancellationToken Token => TestContext.Current.CancellationToken;

    protected string DirectoryPath { get; } = Directory.CreateTempSubdirectory("funcx-live-tests-").FullName;

    protected FakeService Service { get; private set; } = null!;

    /// <summary>What tells the command where the service is and who asks.</summary>
    protected IReadOnlyList<string> ToService => ["--service", Service.Address.ToString(), "--token-file", Path.Combine(DirectoryPath, "token")];

    public virtual async ValueTask InitializeAsync()
    {
        Service = await FakeService.StartAsync();
        await File.WriteAllTextAsync(Path.Combine(DirectoryPath, "token"), FakeService.Token, Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { HasExited: false })
            _process.Kill(entireProcessTree: true);
        _process?.Dispose();
        await Service.DisposeAsync();
        Directory.Delete(DirectoryPath, recursive: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Starts the command with pipes in the place of its streams.</summary>
    protected Process Start(params IEnumerable<string> arguments) =>
        Start(new ProcessStartInfo(Program, arguments.Concat(ToService)) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false });

    protected Process Start(ProcessStartInfo start)
    {
        start.Environment["FUNCX_CONFIG_DIR"] = DirectoryPath;
        return _process = Process.Start(start)!;
    }
}
