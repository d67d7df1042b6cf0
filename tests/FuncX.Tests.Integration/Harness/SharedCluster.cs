namespace FuncX.Tests.Integration.Harness;

/// <summary>One cluster for the tests that break nothing.</summary>
public sealed class SharedCluster : IAsyncLifetime
{
    public LocalCluster Cluster { get; private set; } = null!;

    public ServiceApi Api => Cluster.Api;

    public async ValueTask InitializeAsync() => Cluster = await LocalCluster.StartAsync();

    /// <summary>Registers a function under the name of its entry.</summary>
    public Task<string> FunctionAsync(string source)
    {
        var at = source.LastIndexOf("def ", StringComparison.Ordinal) + 4;
        return Api.RegisterAsync(source, source[at..source.IndexOf('(', at)]);
    }

    public static string NewGroup() => $"group-{Guid.NewGuid():N}";

    public async ValueTask DisposeAsync()
    {
        if (Cluster is null)
            return;
        var left = await Cluster.StopAsync();
        await Cluster.DisposeAsync();
        Scenario.NothingLeft(left);
    }
}
