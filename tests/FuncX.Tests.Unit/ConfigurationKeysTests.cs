using System.Text.RegularExpressions;
using FuncX.Configuration;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>The tables of configs/REFERENCE.md against the reader: the same keys, and a star on what cannot be done yet and on nothing else.</summary>
public sealed partial class ConfigurationKeysTests
{
    private const string Batch = "workers: {per_node: 1}\nprovider: ";

    // A value other than the default for every key, and for a key of which a part is there one of each part. Not there yet: false.
    private static readonly (string Key, string Yaml, bool IsThere)[] s_uses =
    [
        ("name", "name: b", true),
        ("service", "service: http://127.0.0.1:7400", true),
        ("description", "description: b", true),
        ("state_dir", "state_dir: /tmp/b", true),
        ("provider.type", "provider: {type: local}", true),
        ("provider.type", Batch + "{type: slurm, walltime: 1h}", true),
        ("provider.type", Batch + "{type: pbs, walltime: 1h}", true),
        ("provider.type", Batch + "{type: cobalt, walltime: 1h}", true),
        ("provider.type", "workers: {per_node: 1}\nprovider: {type: allocation}\ntransport: mpi", true),
        ("provider.init", Batch + "{type: slurm, walltime: 1h, init: b}", true),
        ("provider.nodes", "provider: {type: local, nodes: 2}", true),
        ("provider.nodes_per_block", Batch + "{type: pbs, walltime: 1h, nodes_per_block: 2}", true),
        ("provider.walltime", Batch + "{type: pbs, walltime: 1h}", true),
        ("provider.account", Batch + "{type: pbs, walltime: 1h, account: b}", true),
        ("provider.reservation", Batch + "{type: pbs, walltime: 1h, reservation: b}", true),
        ("provider.directives", Batch + "{type: pbs, walltime: 1h, directives: [b]}", true),
        ("provider.partition", Batch + "{type: slurm, walltime: 1h, partition: b}", true),
        ("provider.qos", Batch + "{type: slurm, walltime: 1h, qos: b}", true),
        ("provider.constraint", Batch + "{type: slurm, walltime: 1h, constraint: b}", true),
        ("provider.queue", Batch + "{type: cobalt, walltime: 1h, queue: b}", true),
        ("provider.filesystems", Batch + "{type: cobalt, walltime: 1h, filesystems: [b]}", true),
        ("provider.place", Batch + "{type: pbs, walltime: 1h, place: b}", true),
        ("provider.poll_interval", Batch + "{type: pbs, walltime: 1h, poll_interval: 30s}", true),
        ("provider.exclusive", Batch + "{type: slurm, walltime: 1h, exclusive: true}", true),
        ("provider.gres", Batch + "{type: slurm, walltime: 1h, gres: 'gpu:1'}", true),
        ("provider.gpus_per_node", Batch + "{type: slurm, walltime: 1h, gpus_per_node: 1}", true),
        ("provider.licenses", Batch + "{type: slurm, walltime: 1h, licenses: b}", true),
        ("provider.select", Batch + "{type: pbs, walltime: 1h, select: ncpus=2}", true),
        ("provider.variant", Batch + "{type: pbs, walltime: 1h, variant: torque}", true),
        ("provider.attributes", Batch + "{type: cobalt, walltime: 1h, attributes: [b]}", true),
        ("provider.environment", Batch + "{type: cobalt, walltime: 1h, environment: {B: b}}", true),
        ("blocks.min", "blocks: {min: 1}", true),
        ("blocks.init", "blocks: {init: 1}", true),
        ("blocks.max", "blocks: {max: 2}", true),
        ("blocks.idle", "blocks: {idle: 1m}", true),
        ("blocks.parallelism", "blocks: {parallelism: 0.5}", true),
        ("transport", "transport: tcp", true),
        ("transport", "transport: mpi", true),
        ("transport", Batch + "{type: slurm, walltime: 1h}\ntransport: mpi", true),
        ("transport", "workers: {per_node: 1}\nprovider: {type: allocation}\ntransport: tcp", true),
        ("launcher.type", "launcher: {type: srun}", false),
        ("launcher.ranks_per_world", "launcher: {ranks_per_world: 2}", false),
        ("launcher.arguments", "launcher: {arguments: [b]}", false),
        ("launcher.leader_only", "launcher: {leader_only: true}", false),
        ("interfaces", "interfaces: [lo]", true),
        ("workers.per_node", "workers: {per_node: 2}", true),
        ("workers.cores_per_worker", "workers: {cores_per_worker: 2}", true),
        ("workers.memory_per_worker", "workers: {memory_per_worker: 1GiB}", true),
        ("workers.cpu_affinity", "workers: {cpu_affinity: none}", true),
        ("workers.cpu_affinity", "workers: {cpu_affinity: block}", true),
        ("workers.cpu_affinity", "workers: {cpu_affinity: alternating}", true),
        ("workers.accelerators", "workers: {accelerators: [0]}", true),
        ("workers.init", "workers: {init: b}", true),
        ("workers.python", "workers: {python: python3.12}", true),
        ("workers.preload", "workers: {preload: [numpy]}", true),
        ("workers.isolation", "workers: {isolation: fork}", true),
        ("workers.isolation", "workers: {isolation: spawn}", true),
        ("workers.isolation", "workers: {isolation: per_task}", true),
        ("workers.prefetch", "workers: {prefetch: 2}", true),
        ("workers.idle", "workers: {idle: 1m}", true),
        ("workers.simulate", "workers: {simulate: true}", false),
        ("workers.simulate", "transport: mpi\nworkers: {per_node: 64, simulate: true}", true),
        ("workers.managers_per_node", "transport: mpi\nworkers: {per_node: 64, simulate: true, managers_per_node: 16}", true),
        ("containers.runtime", "containers: {runtime: none}", true),
        ("containers.runtime", "containers: {runtime: apptainer}", false),
        ("containers.runtime", "containers: {runtime: shifter}", false),
        ("containers.runtime", "containers: {runtime: podman}", false),
        ("containers.runtime", "containers: {runtime: docker}", false),
        ("containers.runtime", "containers: {runtime: charliecloud}", false),
        ("containers.runtime", "containers: {runtime: bubblewrap}", false),
        ("containers.runtime", "containers: {runtime: custom}", false),
        ("containers.allowed", "containers: {allowed: [\"*\"]}", true),
        ("containers.allowed", "containers: {allowed: [b]}", false),
        ("containers.binds", "containers: {binds: [/b]}", false),
        ("containers.cache.dir", "containers: {cache: {dir: /b}}", false),
        ("containers.cache.dir", "containers: {cache: {dir: /b}}\nstage_in: [/c]", true),
        ("containers.cache.size", "containers: {cache: {dir: /b, size: 1GiB}}", false),
        ("containers.mode", "containers: {mode: soft}", true),
        ("containers.mode", "containers: {mode: hard}", false),
        ("containers.warm", "containers: {warm: {b: 1}}", false),
        ("stage_in", "stage_in: [/b/c, /d]", true),
        ("stage_in", "transport: mpi\nworkers: {per_node: 1, simulate: true}\nstage_in: [/b]", false),
        ("limits.task_walltime", "limits: {task_walltime: 1m}", true),
        ("limits.result", "limits: {result: 256MiB}", true),
        ("limits.result", "limits: {result: 257MiB}", false),
        ("limits.output", "limits: {output: 2KiB}", true),
        ("limits.max_attempts", "limits: {max_attempts: 1}", true),
        ("limits.spool", "limits: {spool: 1GiB}", true),
        ("sharing.mode", "sharing: {mode: owner}", true),
        ("sharing.mode", "sharing: {mode: allow_shared_account}", false),
        ("sharing.users", "sharing: {mode: allow_shared_account, users: [b]}", false),
        ("sharing.groups", "sharing: {mode: allow_shared_account, groups: [b]}", false),
        ("sharing.functions", "sharing: {functions: [\"*\"]}", true),
        ("sharing.functions", "sharing: {functions: [b]}", false),
        ("telemetry.prometheus", "telemetry: {prometheus: socket}", true),
        ("telemetry.prometheus", "telemetry: {prometheus: '127.0.0.1:9464'}", true),
        ("telemetry.push_metrics", "telemetry: {push_metrics: true}", true),
        ("telemetry.interval", "telemetry: {interval: 5s}", true),
        ("telemetry.otlp.endpoint", "telemetry: {otlp: {endpoint: 'http://127.0.0.1:4317'}}", true),
        ("telemetry.otlp.protocol", "telemetry: {otlp: {protocol: grpc}}", true),
        ("telemetry.otlp.protocol", "telemetry: {otlp: {protocol: http_protobuf}}", true),
        ("telemetry.otlp.headers_file", "telemetry: {otlp: {headers_file: /b}}", true),
        ("logs.format", "logs: {format: json}", true),
        ("logs.size", "logs: {size: 1MiB}", true),
        ("logs.files", "logs: {files: 2}", true),
    ];

    public static TheoryData<string, string, bool> Uses => new(s_uses.Select(use => (use.Key, use.Yaml, use.IsThere)));

    /// <summary>A right document for each of the uses.</summary>
    internal static IEnumerable<string> Documents => s_uses.Select(static use => Document(use.Yaml));

    [Fact]
    public void The_reference_lists_every_key_that_the_reader_knows_and_no_other()
    {
        string[] written = [.. Table().Select(row => row.Key)];
        written.ShouldBeUnique();
        written.ShouldBe(KeysOfTheReader(), ignoreOrder: true);
        s_uses.Select(use => use.Key).Distinct().ShouldBe(written, ignoreOrder: true);
    }

    [Theory]
    [MemberData(nameof(Uses))]
    public void A_key_with_a_star_is_refused_with_what_is_possible_and_one_without_is_taken(string key, string yaml, bool isThere)
    {
        var row = Table().Single(row => row.Key == key);
        if (!isThere)
            row.HasStar.ShouldBeTrue($"configs/REFERENCE.md has no star on {key}");
        var result = EndpointConfigurationFile.Parse("x.yaml", Document(yaml));
        result.Errors.ShouldBeEmpty();
        var refused = EndpointSupport.Unsupported(result);
        if (isThere)
        {
            refused.ShouldBeEmpty();
            return;
        }

        refused.ShouldAllBe(error => error.Message.Contains("which this release cannot do yet; possible now: ", StringComparison.Ordinal) && error.Line > 3);
        // A provider's key is refused with its type, and one of a section that is not there with the section.
        var section = key.Split('.')[0];
        refused.ShouldContain(error => key.StartsWith(Named(error), StringComparison.Ordinal) || Named(error) == $"{section}.type" || Named(error) == $"{section}.mode");
    }

    [Fact]
    public void A_star_stands_only_on_keys_of_which_something_is_not_there() =>
        Table().Where(row => row.HasStar).Select(row => row.Key).ShouldBeSubsetOf(s_uses.Where(use => !use.IsThere).Select(use => use.Key));

    [Fact]
    public void All_that_is_not_there_is_told_at_once()
    {
        const string Everything = """
            name: a
            service: https://x.org
            state_dir: /tmp/a
            provider: {type: slurm, walltime: 1h}
            transport: mpi
            launcher: {}
            workers: {per_node: 1, memory_per_worker: 1GiB, cpu_affinity: block, accelerators: [0], simulate: true}
            containers: {runtime: podman, allowed: [b], binds: [/b], cache: {dir: /b}, mode: hard, warm: {b: 1}}
            stage_in: [/b]
            limits: {result: 1GiB}
            sharing: {mode: allow_shared_account, functions: [b]}
            """;
        EndpointSupport.Unsupported(EndpointConfigurationFile.Parse("x.yaml", Everything)).Select(Named).ShouldBe(
        [
            "containers.runtime", "containers.allowed", "containers.binds", "containers.mode", "containers.warm", "stage_in", "limits.result",
            "sharing.mode", "sharing.functions",
        ]);
    }

    private static string Named(ConfigurationError error) => error.Message.Split('\'')[1];

    /// <summary>What is said, with what every file has.</summary>
    internal static string Document(string yaml)
    {
        string[] required = ["name: a", "service: https://x.org", "state_dir: /tmp/a"];
        return string.Join('\n', [.. required.Where(line => !yaml.StartsWith(line.Split(':')[0] + ":", StringComparison.Ordinal)), yaml]);
    }

    private static List<(string Key, bool HasStar)> Table() =>
    [
        .. File.ReadLines(Path.Combine(ConfigurationScratch.Repository("configs"), "REFERENCE.md")).Where(static line => line.StartsWith("| `", StringComparison.Ordinal))
            .Select(static line => line.Split('|', StringSplitOptions.TrimEntries)).Select(static cells => (cells[1].Trim('`'), Star().IsMatch(cells[4]))),
    ];

    // What a section knows is what its complaint about an unknown key lists.
    private static SortedSet<string> KeysOfTheReader()
    {
        const string Unknown = "zzzzzzzz: 1";
        string[] sections = ["blocks", "launcher", "workers", "limits", "sharing", "logs"];
        var keys = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var kind in Enum.GetValues<ProviderKind>())
        {
            var text = $"{Unknown}\nprovider: {{type: {SnakeCase.Of(kind)}, {Unknown}}}\ncontainers: {{{Unknown}, cache: {{{Unknown}}}}}\ntelemetry: {{{Unknown}, otlp: {{{Unknown}}}}}\n"
                + string.Concat(sections.Select(section => $"{section}: {{{Unknown}}}\n"));
            foreach (var error in EndpointConfigurationFile.Parse("x.yaml", text).Errors)
            {
                if (KnownKeys().Match(error.Message) is { Success: true } match)
                    keys.UnionWith(match.Groups[2].Value.Split(", ").Select(key => match.Groups[1].Length > 0 ? $"{match.Groups[1].Value}.{key}" : key));
            }
        }

        keys.ExceptWith([.. sections, "provider", "containers", "containers.cache", "telemetry", "telemetry.otlp"]);
        return keys;
    }

    [GeneratedRegex(@"\s\*\.")]
    private static partial Regex Star();

    [GeneratedRegex("^unknown key 'zzzzzzzz'(?: in '([^']*)')?; keys: (.*)$")]
    private static partial Regex KnownKeys();
}
