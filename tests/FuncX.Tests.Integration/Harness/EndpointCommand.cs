using System.Diagnostics;
using FuncX.Contracts;

namespace FuncX.Tests.Integration.Harness;

/// <summary>What a run of <c>funcx-endpoint</c> ended with.</summary>
public sealed record EndpointCommand(int ExitCode, string Output, string Errors)
{
    /// <summary>Runs it to its end, with <paramref name="home"/> as the user's home.</summary>
    /// <exception cref="TimeoutException">It does not end.</exception>
    public static Task<EndpointCommand> RunAsync(string home, params string[] arguments) => RunAsync(home, new Dictionary<string, string?>(), arguments);

    /// <summary>The same, with these variables on top of this process's; null removes one.</summary>
    public static async Task<EndpointCommand> RunAsync(string home, IReadOnlyDictionary<string, string?> environment, params string[] arguments)
    {
        var start = new ProcessStartInfo(Programs.Endpoint, arguments)
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = home,
        };
        start.Environment["HOME"] = home;
        start.Environment.Remove("FUNCX_CONFIG_DIR");
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{start.FileName} did not start");
        process.StandardInput.Close();
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        using var limit = new CancellationTokenSource(Eventually.Patience);
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException late)
        {
            process.Kill(entireProcessTree: true);
            throw new TimeoutException($"funcx-endpoint {string.Join(' ', arguments)} still runs after {Eventually.Patience.TotalSeconds} s:\n{await output}\n{await errors}", late);
        }

        return new EndpointCommand(process.ExitCode, await output, await errors);
    }

    /// <summary>Asserts how it ended; the failure shows all that it wrote.</summary>
    /// <param name="errors">What stderr must contain; none: it must be empty.</param>
    public EndpointCommand ShouldEnd(int exitCode, params string[] errors)
    {
        ExitCode.ShouldBe(exitCode, ToString());
        if (errors.Length == 0)
            Errors.ShouldBeEmpty(ToString());
        foreach (var text in errors)
            Errors.ShouldContain(text);
        return this;
    }
}
