using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Publishing;

/// <summary>The archive of <c>eng/publish</c>, unpacked once for all tests of a class.</summary>
public sealed class Release : IAsyncLifetime
{
    private readonly string _directory = LocalCluster.NewDirectory("release");

    public static string Archive { get; } = Environment.GetEnvironmentVariable("FUNCX_TESTS_RELEASE") is { Length: > 0 } named
        ? named
        : "";

    public const string NotPacked = "no release is packed (FUNCX_TESTS_RELEASE): tests/run --full";

    public static bool IsPacked => File.Exists(Archive);

    public static string Name => $"funcx-{ProtocolVersion.Product}-linux-x64";

    /// <summary>The unpacked directory.</summary>
    public string Root => Path.Combine(_directory, Name);

    /// <summary>A place beside it that goes with it.</summary>
    public string Scratch => _directory;

    public async ValueTask InitializeAsync()
    {
        if (IsPacked)
            await RunAsync("tar", "--extract", "--gzip", "--file", Archive, "--directory", _directory);
    }

    /// <summary>Runs a program to its good end.</summary>
    /// <returns>All it wrote.</returns>
    public async Task<string> RunAsync(params string[] command)
    {
        var (exitCode, output) = await TryAsync(command);
        exitCode.ShouldBe(0, $"{string.Join(' ', command)}: {output}");
        return output;
    }

    /// <summary>Runs a program to its end. What this machine has of .NET and FuncX is not told to it.</summary>
    public Task<(int ExitCode, string Output)> TryAsync(params string[] command) => Daemon.RunAsync(
        command,
        Path.Combine(_directory, "output.log"),
        TimeSpan.FromMinutes(2),
        new Dictionary<string, string?>
        {
            ["FUNCX_MANAGER"] = null,
            ["FUNCX_SERVICE"] = null,
            ["FUNCX_ENDPOINT"] = null,
            ["FUNCX_CONFIG_DIR"] = Path.Combine(_directory, "config"),
            ["DOTNET_ROOT"] = null,
            ["TMPDIR"] = _directory,
        });

    public ValueTask DisposeAsync()
    {
        Directory.Delete(_directory, recursive: true);
        return ValueTask.CompletedTask;
    }
}
