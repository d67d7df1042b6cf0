using FuncX.Configuration;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>The machine's files that stand in configs/README.md are such files.</summary>
public sealed class ConfigurationReadmeTests
{
    [Fact]
    public void The_file_for_simulated_workers_is_valid_and_this_release_can_do_it()
    {
        var section = File.ReadAllText(ConfigurationScratch.Repository("configs/README.md")).Split("\n## Simulated workers\n")[1].Split("\n## ")[0];
        var file = EndpointConfigurationFile.Parse("simulated.yaml", section.Split("```yaml\n")[1].Split("```")[0], static name => name == "HOME" ? "/home/ann" : null);
        file.Errors.ShouldBeEmpty();
        EndpointSupport.Unsupported(file).ShouldBeEmpty();
        var (workers, nodes) = (file.Value!.Workers, file.Value.Provider.Nodes);
        workers.Simulate.ShouldBeTrue();
        section.ShouldContain($"there are {workers.PerNode * workers.ManagersPerNode:#,0} workers on a node, {workers.PerNode * workers.ManagersPerNode * nodes:#,0} in all");
        section.ShouldContain($"yes 1 | head -n {10 * workers.PerNode * workers.ManagersPerNode * nodes} |", customMessage: "ten calls for each worker");
    }
}
