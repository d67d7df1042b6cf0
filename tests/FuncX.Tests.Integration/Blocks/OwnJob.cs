using FuncX.Contracts;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Blocks;

/// <summary>Script and file of <c>configs/</c> for an endpoint inside a job.</summary>
internal static class OwnJob
{
    /// <param name="kind">The scheduler: <c>slurm</c>, <c>pbs</c> or <c>cobalt</c>.</param>
    public static string Script(string kind) => Path.Combine(SourceTree.Root, "configs", $"job.{kind}");

    /// <summary>Writes the file for this cluster's endpoint: as it is but for service, state directory, address, transport and the nodes' size.</summary>
    public static async Task<EndpointProcess> UseFileAsync(LocalCluster cluster, string transport, string launcher = "detect")
    {
        var endpoint = cluster.UseEndpoint(new EndpointOptions { Name = "job" });
        var yaml = await File.ReadAllTextAsync(Path.Combine(SourceTree.Root, "configs/job.yaml"));
        foreach (var (there, here) in new[]
        {
            ("https://funcx.example.org", cluster.Service.Address),
            ("${HOME}/.funcx/job", endpoint.StateDirectory),
            ("\ntransport: mpi", $"\ninterfaces: [lo]\ntransport: {transport}"),
            ("\nlauncher: {type: detect}", transport == "mpi" ? $"\nlauncher: {{type: {launcher}}}" : ""),
            ("per_node: 32", "per_node: 1\n  python: /usr/bin/python3"),
        })
        {
            yaml.Split(there).Length.ShouldBe(2, $"configs/job.yaml was to have '{there}' once");
            yaml = yaml.Replace(there, here, StringComparison.Ordinal);
        }

        await File.WriteAllTextAsync(endpoint.Configuration, yaml);
        return endpoint;
    }

    /// <summary>What the script takes from its environment.</summary>
    public static string[] Variables(LocalCluster cluster) =>
    [
        $"ENDPOINT_FILE={cluster.Endpoint.Configuration}", $"TOKEN_FILE={cluster.TokenFile}", $"FUNCX_ENDPOINT={Programs.Endpoint}", $"FUNCX_MANAGER={Programs.Manager}",
    ];
}
