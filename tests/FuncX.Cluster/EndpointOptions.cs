namespace FuncX.Cluster;

/// <summary>What a test may want different in an endpoint's YAML.</summary>
public sealed record EndpointOptions
{
    public string Name { get; init; } = "test";

    /// <summary>Nodes of a block: each has a manager.</summary>
    public int Nodes { get; init; } = 1;

    /// <summary>Blocks; never more, and never fewer unless <see cref="BlockIdle"/> is set.</summary>
    public int Blocks { get; init; } = 1;

    /// <summary>Blocks come with demand, from none, and end when they were idle for so long.</summary>
    public TimeSpan? BlockIdle { get; init; }

    /// <summary>How frames reach the managers: <c>tcp</c> or <c>mpi</c>.</summary>
    public string Transport { get; init; } = "tcp";

    /// <summary>Workers of a manager.</summary>
    public int WorkersPerNode { get; init; } = 2;

    /// <summary>The interpreter of the workers.</summary>
    public string Python { get; init; } = "/usr/bin/python3";

    /// <summary>How workers are kept apart: <c>fork</c>, <c>spawn</c> or <c>per_task</c>.</summary>
    public string Isolation { get; init; } = "fork";

    /// <summary>Further keys of <c>workers</c>, as YAML's flow style has them.</summary>
    public string MoreWorkers { get; init; } = "";

    /// <summary>Further lines of YAML, at the top level.</summary>
    public string MoreYaml { get; init; } = "";

    /// <summary>Its state directory; beside the service's when left out.</summary>
    public string? StateDirectory { get; init; }

    /// <summary>The provider, as YAML's flow style has it; the local one when left out. Managers dial in over loopback.</summary>
    public string? Provider { get; init; }

    /// <summary>Managers may dial in from other machines too.</summary>
    public bool AnyInterface { get; init; }

    /// <summary>The provider has one block, and the key <c>blocks</c> stays away.</summary>
    public bool IsOneBlock { get; init; }

    private string BlocksYaml => IsOneBlock ? "{}" : BlockIdle is { } idle
        ? $"{{min: 0, init: 0, max: {Blocks}, idle: {idle.TotalSeconds}s}}"
        : $"{{min: {Blocks}, init: {Blocks}, max: {Blocks}}}";

    public string Yaml(string service, string stateDirectory) => $$"""
        name: {{Name}}
        service: {{service}}
        state_dir: {{stateDirectory}}
        provider: {{Provider ?? $"{{type: local, nodes: {Nodes}}}"}}
        {{(Provider is null || AnyInterface ? "" : "interfaces: [lo]")}}
        blocks: {{BlocksYaml}}
        transport: {{Transport}}
        workers: {per_node: {{WorkersPerNode}}, python: {{Python}}, isolation: {{Isolation}}{{(MoreWorkers.Length > 0 ? $", {MoreWorkers}" : "")}}}
        {{MoreYaml}}

        """;
}
