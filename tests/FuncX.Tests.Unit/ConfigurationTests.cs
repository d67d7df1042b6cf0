using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;
using FuncX.Configuration;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class ConfigurationTests
{
    private const string Good = "name: a\nservice: https://x.org\nstate_dir: /tmp/a\n";

    [Theory]
    [InlineData(1, 128, 0)]
    [InlineData(2, 128, 1)]
    [InlineData(3, 2, 1)]
    [InlineData(5, 2, 2)]
    [InlineData(4, 2, 2)]
    [InlineData(130, 128, 2)]
    public void Nodes_whose_leader_has_no_workers_are_those_of_worlds_of_two_or_more(int nodes, int ranksPerWorld, int leaders)
    {
        new LauncherConfiguration { LeaderOnly = true, RanksPerWorld = ranksPerWorld }.LeadersOnly(nodes).ShouldBe(leaders);
        new LauncherConfiguration { RanksPerWorld = ranksPerWorld }.LeadersOnly(nodes).ShouldBe(0);
    }

    [Theory]
    [InlineData("name: a b", 1, 7, "'name' is 'a b'; expected 1 to 64 of")]
    [InlineData("name: .", 1, 7, "which names a directory")]
    [InlineData("name: ..", 1, 7, "and not . or ..")]
    [InlineData("name: ", 1, 1, "'name' has no value")]
    [InlineData("name: [a]", 1, 7, "'name' is a list of one item; expected a text")]
    [InlineData("nmae: a", 1, 1, "unknown key 'nmae'; did you mean 'name'?")]
    [InlineData("service: ftp://x", 1, 10, "expected an address like")]
    [InlineData("service: http://example.org", 1, 10, "plain http would show tokens")]
    [InlineData("service: https://u:p@example.org", 1, 10, "a token comes from")]
    [InlineData("state_dir: ~/x", 1, 12, "write ${HOME} instead of ~")]
    [InlineData("state_dir: x", 1, 12, "expected an absolute path")]
    [InlineData("state_dir: ${NO_SUCH_VARIABLE}/x", 1, 12, "NO_SUCH_VARIABLE is not set")]
    [InlineData("state_dir: /", 1, 12, "the root of all directories")]
    [InlineData("state_dir: //", 1, 12, "the root of all directories")]
    [InlineData("state_dir: /tmp/..", 1, 12, "the root of all directories")]
    [InlineData("state_dir: /${x", 1, 12, "no closing brace")]
    [InlineData("provider: local", 1, 11, "'provider' is 'local'; expected a section")]
    [InlineData("provider: {type: slrum}", 1, 18, "did you mean 'slurm'?")]
    [InlineData("provider: {nodes: 2}", 1, 1, "'provider.type' is missing")]
    [InlineData("provider: {type: local, queue: q}", 1, 25, "unknown key 'queue' in 'provider'; keys: nodes, type")]
    [InlineData("provider: {type: pbs, partition: q, walltime: 1h}\nworkers: {per_node: 1}", 1, 23, "unknown key 'partition'")]
    [InlineData("provider: {type: cobalt, walltime: 4m}\nworkers: {per_node: 1}", 1, 36, "expected a duration from 5m")]
    [InlineData("provider: {type: slurm, walltime: 1h, account: 'a b'}\nworkers: {per_node: 1}", 1, 48, "printable ASCII without spaces")]
    [InlineData("provider: {type: slurm, walltime: 1h, exclusive: yes}\nworkers: {per_node: 1}", 1, 50, "expected true or false")]
    [InlineData("provider: {type: slurm, walltime: 1h, gpus_per_node: 0}\nworkers: {per_node: 1}", 1, 54, "from 1 to 128")]
    [InlineData("provider: {type: pbs, walltime: 1h, select: '4:ncpus=2'}\nworkers: {per_node: 1}", 1, 45, "provider.nodes_per_block")]
    [InlineData("provider: {type: pbs, walltime: 1h, select: 'ncpus=2:mpiprocs=2'}\nworkers: {per_node: 1}", 1, 45, "Leave out mpiprocs")]
    [InlineData("provider: {type: pbs, walltime: 1h, variant: slurm}\nworkers: {per_node: 1}", 1, 46, "openpbs, torque")]
    [InlineData("provider: {type: pbs, walltime: 1h, queue: a, reservation: b}\nworkers: {per_node: 1}", 1, 60, "Remove one")]
    [InlineData("provider: {type: pbs, walltime: 1h, poll_interval: 1h}\nworkers: {per_node: 1}", 1, 52, "from 1s to 10m")]
    [InlineData("provider: {type: cobalt, walltime: 1h, attributes: ['a b']}\nworkers: {per_node: 1}", 1, 53, "printable ASCII without spaces")]
    [InlineData("provider: {type: pbs, walltime: 1h, variant: torque, select: ncpus=2}\nworkers: {per_node: 1}", 1, 62, "'provider.select' is there with 'variant: torque', whose jobs ask for nodes=N:ppn=C")]
    [InlineData("provider: {type: pbs, place: scatter, walltime: 1h, variant: torque}\nworkers: {per_node: 1}", 1, 30, "'provider.place' is there with 'variant: torque'")]
    [InlineData("provider: {type: cobalt, walltime: 1h, environment: [A=1]}\nworkers: {per_node: 1}", 1, 53, "expected a section of names and texts")]
    [InlineData("provider: {type: cobalt, walltime: 1h, environment: {2A: x}}\nworkers: {per_node: 1}", 1, 54, "'provider.environment.2A' is no name of a variable")]
    [InlineData("provider: {type: cobalt, walltime: 1h, environment: {A=B: x}}\nworkers: {per_node: 1}", 1, 54, "'provider.environment.A=B' is no name of a variable")]
    [InlineData("provider: {type: cobalt, walltime: 1h, environment: {A: [x]}}\nworkers: {per_node: 1}", 1, 57, "'provider.environment.A' is a list of one item; expected a text")]
    [InlineData("provider: {type: cobalt, walltime: 1h, environment: {A: ''}}\nworkers: {per_node: 1}", 1, 57, "'provider.environment.A' has an empty text")]
    [InlineData("provider: {type: cobalt, walltime: 1h, environment: {A: 'x\\'}}\nworkers: {per_node: 1}", 1, 57, "'provider.environment.A' ends with a backslash")]
    [InlineData("provider: {type: cobalt, walltime: 1h, environment: {A: \"x\\ny\"}}\nworkers: {per_node: 1}", 1, 57, "one line without control characters")]
    [InlineData("provider: {type: slurm, walltime: 1h, environment: {A: x}}\nworkers: {per_node: 1}", 1, 39, "unknown key 'environment'")]
    [InlineData("provider: {type: pbs}\nworkers: {per_node: 1}", 1, 1, "'provider.walltime' is missing")]
    [InlineData("provider: {type: pbs, walltime: 1h}", 1, 1, "'workers.per_node' is missing")]
    [InlineData("provider: {type: allocation}\nworkers: {per_node: 1}\nblocks: {max: 2}", 3, 15, "one block, the endpoint's own job")]
    [InlineData("provider: {type: allocation, nodes: 2}\nworkers: {per_node: 1}", 1, 30, "nodes")]
    [InlineData("provider: {type: local, init: b}", 1, 25, "init")]
    [InlineData("blocks: {min: 2, max: 1}", 1, 15, "more than 'blocks.max'")]
    [InlineData("launcher: {leader_only: true, ranks_per_world: 1}", 1, 25, "so that no rank would have workers; expected 'ranks_per_world' to be 2 or more")]
    [InlineData("blocks: {init: 5, max: 2}", 1, 16, "expected a number from 'blocks.min' (0) to 'blocks.max' (2)")]
    [InlineData("blocks: {max: 0}", 1, 15, "expected a whole number from 1 to 10000")]
    [InlineData("blocks: {max: 1.5}", 1, 15, "expected a whole number")]
    [InlineData("blocks: {max: \"3\"}", 1, 15, "the quoted text \"3\"")]
    [InlineData("blocks: {idle: 5}", 1, 16, "like 90s, 2m, 1h30m or 01:00:00")]
    [InlineData("blocks: {idle: 1m1h}", 1, 16, "expected a duration")]
    [InlineData("blocks: {parallelism: 2}", 1, 23, "expected a number above 0, at most 1")]
    [InlineData("workers:\n  per_node: 1\n  per_node: 2", 3, 3, "stands here for the second time; the first is in line 2")]
    [InlineData("workers: {per_node: 65, simulate: true}", 1, 21, "at most 64 workers")]
    [InlineData("workers: {managers_per_node: 2}", 1, 30, "only when its workers are simulated")]
    [InlineData("workers: {simulate: yes}", 1, 21, "expected true or false")]
    [InlineData("workers: {memory_per_worker: 8}", 1, 30, "like 8GiB or 512MiB")]
    [InlineData("workers: {isolation: per-task}", 1, 22, "did you mean 'per_task'?")]
    [InlineData("workers: {prefetch: 1025}", 1, 21, "expected auto, or a whole number from 0 to 1024")]
    [InlineData("workers: {preload: numpy}", 1, 20, "expected a list")]
    [InlineData("workers: {preload: [a-b]}", 1, 21, "expected the name of a Python module")]
    [InlineData("workers: {python: ~/venv/bin/python}", 1, 19, "write ${HOME} instead of ~")]
    [InlineData("workers: {python: bin/python}", 1, 19, "expected an absolute path")]
    [InlineData("workers: {python: \"${NO_SUCH_VARIABLE}/python\"}", 1, 19, "NO_SUCH_VARIABLE is not set")]
    [InlineData("workers: {python: \"${PYTHON}\"}", 1, 19, "a name found in PATH, or an absolute path")]
    [InlineData("containers: {binds: [/a, b]}", 1, 26, "has an item that is 'b'; expected an absolute path")]
    [InlineData("containers: {binds: [\"${NO_SUCH_VARIABLE}/b\"]}", 1, 22, "NO_SUCH_VARIABLE is not set")]
    [InlineData("containers: {warm: {ml: many}}", 1, 25, "'containers.warm.ml' is 'many'")]
    [InlineData("containers: {cache: {size: 1GiB}}", 1, 14, "'containers.cache.dir' is missing")]
    [InlineData("limits: {result: 9999PiB}", 1, 18, "expected a size")]
    [InlineData("limits: {output: 17MiB}", 1, 18, "16MiB")]
    [InlineData("sharing: {users: [ann]}", 1, 18, "no meaning with 'sharing.mode: owner'")]
    [InlineData("telemetry: {prometheus: on}", 1, 25, "expected off, socket, or a loopback address and a port, like 127.0.0.1:9464")]
    [InlineData("telemetry: {prometheus: '0.0.0.0:9464'}", 1, 25, "which others reach too")]
    [InlineData("telemetry: {prometheus: 127.0.0.1}", 1, 25, "and a port")]
    [InlineData("telemetry: {traces: 0.1}", 1, 13, "unknown key 'traces'")]
    [InlineData("telemetry: {interval: 10ms}", 1, 23, "expected a duration from 1s to 1h")]
    [InlineData("telemetry: {otlp: {endpoint: '127.0.0.1:4317'}}", 1, 30, "like http://127.0.0.1:4317")]
    [InlineData("telemetry: {otlp: {endpoint: 'https://a:b@x.org'}}", 1, 30, "belongs in headers_file")]
    [InlineData("telemetry: {otlp: {endpoint: 'https://x.org/?a'}}", 1, 30, "at most a path")]
    [InlineData("telemetry: {otlp: {endpoint: 'http://x.org', headers_file: /b}}", 1, 60, "which plain http would show to the network")]
    [InlineData("telemetry: {otlp: {protocol: udp}}", 1, 30, "choices: grpc, http_protobuf")]
    [InlineData("logs: {size: 1KiB}", 1, 14, "expected a size from 64KiB to 1TiB")]
    [InlineData("logs: {files: 0}", 1, 15, "from 1 to 1000")]
    [InlineData("logs: {file: /tmp/x}", 1, 8, "unknown key 'file'")]
    [InlineData("transport: udp", 1, 12, "choices: mpi, tcp")]
    [InlineData("transport: !!str tcp", 1, 12, "is not used in this file")]
    [InlineData("---\na: 1\n---\nb: 1", 3, 1, "a second document")]
    [InlineData("a: *b", 1, 4, "names no anchor")]
    [InlineData("a: [1\n", 2, 1, "not YAML")]
    [InlineData("a: b: c", 1, 5, "not YAML")]
    [InlineData("[a, b]", 1, 1, "expected keys")]
    [InlineData("", 1, 1, "has no keys")]
    public void A_mistake_is_told_with_its_place_and_what_would_be_right(string text, int line, int column, string message)
    {
        var result = EndpointConfigurationFile.Parse("x.yaml", text);
        result.IsValid.ShouldBeFalse();
        result.Errors.ShouldContain(error => error.Line == line && error.Column == column && error.Message.Contains(message, StringComparison.Ordinal),
            string.Join('\n', result.Errors));
    }

    [Fact]
    public void All_mistakes_of_a_file_are_told_at_once_in_its_order()
    {
        var result = EndpointConfigurationFile.Parse("x.yaml", "name: a b\nservice: x\nstate_dir: x\nblocks: {max: z, idle: q}\nzzz: 1\n");
        result.Errors.Select(error => (error.Line, error.Column)).ShouldBe([(1, 7), (2, 10), (3, 12), (4, 15), (4, 24), (5, 1)]);
        result.Errors[0].ToString().ShouldStartWith("x.yaml:1:7: 'name' is 'a b'");
    }

    [Fact]
    public void What_is_left_out_has_the_value_that_works()
    {
        var result = EndpointConfigurationFile.Parse("x.yaml", Good);
        result.Errors.ShouldBeEmpty();
        result.Value!.Provider.ShouldBe(new ProviderConfiguration());
        result.Value.Workers.PerNode.ShouldBe(Environment.ProcessorCount);
        result.Value.Workers.Prefetch.ShouldBeNull();
        result.Value.Limits.ShouldBe(new LimitsConfiguration());
        EndpointSupport.Unsupported(result).ShouldBeEmpty();
    }

    [Fact]
    public void Variables_expand_in_paths_and_nowhere_else()
    {
        const string Text = """
            name: a
            service: https://x.org
            state_dir: ${BASE}/a/
            description: costs ${BASE}
            interfaces: ["${BASE}"]
            provider: {type: pbs, walltime: 1h, account: "${BASE}", queue: "${BASE}", directives: ["${BASE}"]}
            launcher: {arguments: ["${BASE}"]}
            workers: {per_node: 1, init: "cd ${BASE}", python: "${BASE}/bin/python", accelerators: ["${BASE}"]}
            containers: {allowed: ["${BASE}"], binds: ["${BASE}/data", "/opt/${BASE}"], cache: {dir: "${BASE}/images"}}
            stage_in: ["${BASE}/model.bin"]
            """;
        var value = EndpointConfigurationFile.Parse("x.yaml", Text, name => name == "BASE" ? "/base" : null).Value!;
        value.StateDirectory.ShouldBe("/base/a");
        value.Workers.Python.ShouldBe("/base/bin/python");
        value.Containers.Binds.ShouldBe(["/base/data", "/opt//base"]);
        value.Containers.Cache!.Directory.ShouldBe("/base/images");
        value.StageIn.ShouldBe(["/base/model.bin"]);
        value.Description.ShouldBe("costs ${BASE}");
        value.Workers.Init.ShouldBe("cd ${BASE}");
        string[] others = [.. value.Interfaces, value.Provider.Account!, value.Provider.Queue!, .. value.Provider.Directives, .. value.Launcher!.Arguments,
            .. value.Workers.Accelerators, .. value.Containers.Allowed];
        others.ShouldAllBe(text => text == "${BASE}");
    }

    [Theory]
    [InlineData("[/a/x, /b/x]", "'stage_in' has 2 files of the name 'x' (/a/x, /b/x)")]
    [InlineData("[a/x]", "'stage_in' has an item that is 'a/x'")]
    public void Files_to_stage_have_absolute_paths_and_names_of_their_own(string files, string message) =>
        EndpointConfigurationFile.Parse("x.yaml", Good + $"stage_in: {files}\n").Errors.ShouldHaveSingleItem().Message.ShouldStartWith(message);

    [Fact]
    public void An_anchor_may_be_used_but_not_as_a_bomb()
    {
        EndpointConfigurationFile.Parse("x.yaml", Good + "limits:\n  result: &size 1MiB\n  output: *size\n").Value!.Limits.Output.ShouldBe(1 << 20);
        var bomb = Good + "a: &a [x, x]\n" + string.Concat(Enumerable.Range(0, 60).Select(i => $"b{i}: &b{i} [*{(i == 0 ? "a" : $"b{i - 1}")}, *{(i == 0 ? "a" : $"b{i - 1}")}]\n"));
        EndpointConfigurationFile.Parse("x.yaml", bomb).Errors.ShouldContain(error => error.Message.Contains("more than 64 aliases"));
        EndpointConfigurationFile.Parse("x.yaml", "a: " + new string('[', 100_000)).Errors.ShouldContain(error => error.Message.Contains("nested deeper"));
    }

    [Fact]
    public void A_file_too_large_to_be_one_is_refused()
    {
        using var directory = new ConfigurationScratch();
        var path = directory.Write("large.yaml", Good + new string('#', ConfigurationFile.MaxBytes));
        EndpointConfigurationFile.Read(path).Errors.ShouldHaveSingleItem().Message.ShouldContain("at most 1048576");
    }

    [Fact]
    public void Errors_beyond_the_bound_are_only_counted()
    {
        var text = string.Concat(Enumerable.Range(0, 5_000).Select(i => $"k{i}: 1\n"));
        EndpointConfigurationFile.Parse("x.yaml", text).Errors.Count.ShouldBe(ConfigurationFile.MaxErrors);
    }

    [Theory]
    [InlineData(UnixFileMode.GroupWrite)]
    [InlineData(UnixFileMode.OtherWrite)]
    public void A_file_that_others_may_write_is_refused_with_the_command_that_helps(UnixFileMode extra)
    {
        using var directory = new ConfigurationScratch();
        var path = directory.Write("a.yaml", Good);
        EndpointConfigurationFile.Read(path).IsValid.ShouldBeTrue();
        File.SetUnixFileMode(path, FileModes.PrivateFile | extra);
        EndpointConfigurationFile.Read(path).Errors.ShouldHaveSingleItem().Message.ShouldContain($"chmod go-w {path}");
    }

    [Fact]
    public void Files_that_are_not_there_or_not_text_are_told_apart()
    {
        using var directory = new ConfigurationScratch();
        EndpointConfigurationFile.Read(Path.Combine(directory.Path, "none.yaml")).Errors.ShouldHaveSingleItem().Message.ShouldContain("no such file");
        var path = Path.Combine(directory.Path, "binary.yaml");
        File.WriteAllBytes(path, [0xff, 0xfe, 0x00]);
        File.SetUnixFileMode(path, FileModes.PrivateFile);
        EndpointConfigurationFile.Read(path).Errors.ShouldHaveSingleItem().Message.ShouldContain("not UTF-8");
    }

    [Fact]
    public void The_files_in_configs_are_valid_and_say_what_cannot_be_done_yet()
    {
        var configs = ConfigurationScratch.Repository("configs");
        var local = EndpointConfigurationFile.Parse("local.yaml", File.ReadAllText(Path.Combine(configs, "local.yaml")), _ => "/home/ann");
        local.Errors.ShouldBeEmpty();
        EndpointSupport.Unsupported(local).ShouldBeEmpty();
        var polaris = EndpointConfigurationFile.Parse("polaris.yaml", File.ReadAllText(Path.Combine(configs, "polaris.yaml")), _ => "/home/ann");
        polaris.Errors.ShouldBeEmpty();
        polaris.Value!.Provider.Walltime.ShouldBe(TimeSpan.FromHours(1));
        polaris.Value.Containers.Warm["ml-inference"].ShouldBe(4);
        EndpointSupport.Unsupported(polaris).Select(error => error.Message.Split('\'')[1]).ShouldBe(
        [
            "containers.runtime", "containers.binds", "containers.cache", "containers.warm", "limits.result",
        ]);
    }

    [Theory]
    [InlineData("90s", 90_000)]
    [InlineData("2m", 120_000)]
    [InlineData("1h30m", 5_400_000)]
    [InlineData("500ms", 500)]
    [InlineData("1.5s", 1_500)]
    [InlineData("01:00:00", 3_600_000)]
    [InlineData("100:00:01", 360_001_000)]
    public void Durations_are_read_as_people_write_them(string text, long milliseconds)
    {
        Quantities.TryReadDuration(text, out var duration).ShouldBeTrue();
        duration.TotalMilliseconds.ShouldBe(milliseconds);
    }

    [Theory]
    [InlineData("8GiB", 8L << 30)]
    [InlineData("512 MiB", 512L << 20)]
    [InlineData("200GB", 200_000_000_000)]
    [InlineData("1.5KiB", 1_536)]
    [InlineData("100B", 100)]
    public void Sizes_are_read_as_people_write_them(string text, long bytes)
    {
        Quantities.TryReadSize(text, out var size).ShouldBeTrue();
        size.ShouldBe(bytes);
    }

    [Property]
    public bool What_is_written_as_a_quantity_is_read_back(long number)
    {
        var value = Math.Abs(number % (1L << 50));
        return Quantities.TryReadSize(Quantities.Write(value), out var size) && size == value
            && Quantities.TryReadDuration(Quantities.Write(TimeSpan.FromMilliseconds(value)), out var duration) && (long)duration.TotalMilliseconds == value;
    }

    [Property(MaxTest = 500)]
    public bool Any_text_ends_in_a_configuration_or_in_errors(string? text)
    {
        var result = EndpointConfigurationFile.Parse("x.yaml", text ?? "");
        return result.IsValid != result.Errors.Count > 0;
    }

    [Property(MaxTest = 500)]
    public Property Any_damage_to_a_good_file_ends_in_a_configuration_or_in_errors()
    {
        var whole = File.ReadAllText(Path.Combine(ConfigurationScratch.Repository("configs"), "polaris.yaml"));
        var damage = Gen.Choose(0, whole.Length - 1).Three().Zip(Gen.Elements("", "\t", ": ", "[", "]", "{", "}", "&a ", "*a", "!", "\"", "'", "|", ">", "- ", "\n", "%", "\0", "?", "\ud800").Two());
        return Prop.ForAll(damage.ToArbitrary(), hurt =>
        {
            var ((first, second, cut), (one, two)) = hurt;
            var text = whole.Insert(first, one).Insert(second, two);
            text = text.Remove(Math.Min(cut, text.Length - 1), Math.Min(7, text.Length - cut));
            var result = EndpointConfigurationFile.Parse("x.yaml", text, _ => "/home/ann");
            return result.IsValid != result.Errors.Count > 0 && result.Errors.All(error => error.Line >= 1 && error.Column >= 1 && error.Message.Length > 0);
        });
    }
}
