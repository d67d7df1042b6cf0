using System.Text;
using FuncX.Configuration;
using FuncX.Service.Hosting;
using FuncX.Tests.Fuzz;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.Fuzz;

/// <summary>Whatever text an endpoint's or the service's file has: it is bound whole, or every error names a place in it.</summary>
public sealed class ConfigurationFuzzTests
{
    // An alias may stand for a whole section, 64 times at the most.
    private const long MostAllocated = 16L << 20;

    private static readonly string[] s_words =
        ["\n", "  ", ": ", "- ", "[", "]", "{", "}", "'", "\"", "|\n", ">-\n", "&a ", "*a", "!!str ", "---\n", "...\n", "#", "~", "null", "true", "1h30m", "8GiB", "1e999", "${HOME}", "${", "\t", "\r", "%YAML 1.1\n", "? ", "\0", "\u0085", "\uFEFF", "<<: "];

    private static readonly Mutation s_endpoints = new(
        [
            """
            name: polaris
            service: https://funcx.example.org
            description: a machine
            state_dir: ${HOME}/.funcx/polaris
            provider: {type: pbs, queue: debug, account: MyProject, walltime: 01:00:00, nodes_per_block: 4, filesystems: [home, eagle], directives: ["-l x=true"]}
            blocks: {min: 0, init: 0, max: 4, idle: 2m, parallelism: 1.0}
            transport: mpi
            launcher: {type: pals, ranks_per_world: 128, arguments: []}
            interfaces: [hsn0, bond0]
            workers:
              per_node: 32
              cores_per_worker: 2
              memory_per_worker: 8GiB
              cpu_affinity: block
              accelerators: [0, 1, 2, 3]
              init: |
                module load conda
                conda activate base
              python: python3
              preload: [numpy]
              isolation: fork
              prefetch: auto
              idle: 10m
            containers: {runtime: apptainer, allowed: ["*"], binds: [/eagle/MyProject], cache: {dir: /local, size: 200GiB}, mode: soft, warm: {ml-inference: 4}}
            limits: {task_walltime: 45m, result: 10GiB, output: 1MiB, max_attempts: 3}
            sharing: {mode: owner, functions: ["*"]}

            """u8.ToArray(),
            "name: a\nservice: http://127.0.0.1:7070\nstate_dir: /tmp/a\nprovider: {type: local, nodes: 2}\ntransport: tcp\nworkers: {per_node: 2, prefetch: 4}\n"u8.ToArray(),
        ],
        s_words);

    private static readonly Mutation s_services = new(
        [
            "listen: 127.0.0.1:7070\ndata_dir: /var/lib/funcx\ncertificate: {path: /etc/funcx/chain.pem, key: /etc/funcx/key.pem}\nlimits:\n  result_retention: 14d\n  batch_tasks: 1000\n  payload_bytes: 1MiB\n"u8.ToArray(),
            "listen: \"[::1]:0\"\nlimits: {code_bytes: 1MiB}\n"u8.ToArray(),
        ],
        s_words);

    [Fact]
    public void An_endpoint_s_file_is_bound_or_refused_with_places() => FuzzRun.Each("endpoint files", 60_000, MostAllocated, s_endpoints.Next, static (bytes, _) =>
        Check(bytes, static text => EndpointConfigurationFile.Parse("fuzzed.yaml", text, static name => name == "HOME" ? "/home/fuzz" : null)));

    [Fact]
    public void The_service_s_file_is_bound_or_refused_with_places() => FuzzRun.Each("service files", 30_000, MostAllocated, s_services.Next, static (bytes, _) =>
        Check(bytes, static text => ServiceConfiguration.Parse("fuzzed.yaml", text)));

    [Fact]
    public void Durations_and_sizes_that_are_read_are_written_so_that_they_read_the_same() => FuzzRun.Each(
        "quantities", 60_000, MostAllocated, new Mutation(["1h30m"u8.ToArray(), "01:00:00"u8.ToArray(), "500ms"u8.ToArray(), "8GiB"u8.ToArray(), "512 MiB"u8.ToArray(), "2.5s"u8.ToArray()], "d", "h", "m", "s", "ms", "KiB", "PB", "9", "0", ".", ":", " ").Next, static (bytes, _) =>
    {
        var text = Encoding.Latin1.GetString(bytes);
        var (isDuration, isSize) = (Quantities.TryReadDuration(text, out var duration), Quantities.TryReadSize(text, out var size));
        if (isDuration)
        {
            duration.ShouldBeGreaterThanOrEqualTo(TimeSpan.Zero);
            var whole = TimeSpan.FromMilliseconds(Math.Floor(duration.TotalMilliseconds));
            if (whole > TimeSpan.Zero)
            {
                Quantities.TryReadDuration(Quantities.Write(whole), out var again).ShouldBeTrue($"{text} is {whole}, written {Quantities.Write(whole)}");
                again.ShouldBe(whole);
            }
        }

        if (isSize)
        {
            size.ShouldBeGreaterThanOrEqualTo(0);
            Quantities.TryReadSize(Quantities.Write(size), out var again).ShouldBeTrue();
            again.ShouldBe(size);
        }

        return isDuration || isSize;
    });

    private static bool Check<T>(byte[] bytes, Func<string, ConfigurationResult<T>> parse)
        where T : class
    {
        var text = Encoding.UTF8.GetString(bytes);
        var result = parse(text);
        (result.Value is not null).ShouldBe(result.IsValid);
        result.Errors.Count.ShouldBeInRange(result.IsValid ? 0 : 1, result.IsValid ? 0 : ConfigurationFile.MaxErrors + 1);
        foreach (var error in result.Errors)
        {
            error.Line.ShouldBeGreaterThan(0);
            error.Column.ShouldBeGreaterThan(0);
            error.Message.ShouldNotBeNullOrWhiteSpace();
        }

        return result.IsValid;
    }
}
