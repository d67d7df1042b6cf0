using System.Globalization;

namespace FuncX.Tests.Integration.Harness;

/// <summary>A test on a cluster of its own, or on an endpoint of its own at a service that is shared. On failure its logs are in the message; at the end nothing of it may run any more.</summary>
public static class Scenario
{
    public static Task RunAsync(Func<LocalCluster, Task> body) => RunAsync(new EndpointOptions(), body);

    public static async Task RunAsync(
        EndpointOptions options,
        Func<LocalCluster, Task> body,
        IReadOnlyDictionary<string, string?>? serviceEnvironment = null,
        IReadOnlyDictionary<string, string?>? endpointEnvironment = null,
        string? dataDirectory = null) =>
        await RunAsync(await LocalCluster.StartAsync(options, serviceEnvironment, endpointEnvironment, dataDirectory), body);

    /// <summary>Runs on a service that others share: for scenarios that leave it as it is and look at nothing that others change.</summary>
    public static Task SharingAsync(Func<LocalCluster, Task> body) => SharingAsync(new EndpointOptions(), body);

    public static async Task SharingAsync(
        EndpointOptions options, Func<LocalCluster, Task> body, IReadOnlyDictionary<string, string?>? endpointEnvironment = null) =>
        await RunAsync(await LocalCluster.StartSharingAsync(options, endpointEnvironment), body);

    /// <summary>Runs on a cluster that was started already, and ends it.</summary>
    public static async Task RunAsync(LocalCluster cluster, Func<LocalCluster, Task> body)
    {
        await using (cluster)
        {
            try
            {
                await body(cluster);
            }
            catch (Exception failure) when (failure is not Xunit.Sdk.IAssertionException || failure is ShouldAssertException)
            {
                throw new ScenarioException($"{failure.Message}\n{await cluster.ReportAsync()}", failure);
            }

            NothingLeft(await cluster.StopAsync());
        }
    }

    public static void NothingLeft(IReadOnlyList<ProcessEntry> left) =>
        left.Select(static entry => $"{entry.Pid} {string.Join(' ', entry.Arguments)}").ShouldBeEmpty("processes are left running after a clean stop");

    /// <summary>The tests run with <c>--full</c>.</summary>
    public static bool Full => Environment.GetEnvironmentVariable("FUNCX_TESTS_FULL") == "1";

    /// <summary>What random choices of a test begin from; the test prints it, and <c>FUNCX_TESTS_SEED</c> repeats it.</summary>
    public static int Seed { get; } = Environment.GetEnvironmentVariable("FUNCX_TESTS_SEED") is { Length: > 0 } given
        ? int.Parse(given, CultureInfo.InvariantCulture)
        : Random.Shared.Next();

    /// <summary>Leaves text that <c>tests/run</c> prints at its end.</summary>
    public static void Note(string name, string text)
    {
        Keep(name, text);
        TestContext.Current.TestOutputHelper?.WriteLine(text);
    }

    /// <summary>The same for what must be known even if the test never ends: a later note of that name replaces it. Written to standard error at once, since a test's output is shown at its end.</summary>
    public static void NoteAtStart(string name, string text)
    {
        Keep(name, text);
        Console.Error.WriteLine(text.TrimEnd());
    }

    private static void Keep(string name, string text)
    {
        if (Environment.GetEnvironmentVariable("FUNCX_TESTS_RESULTS") is { Length: > 0 } results)
            File.WriteAllText(Path.Combine(results, "notes", name), text);
    }
}
