using FuncX.Configuration;

namespace FuncX.Endpoint.Doctor;

/// <summary>All checks, in the order in which one thing needs another.</summary>
internal static class DoctorChecks
{
    /// <param name="tokenFile">The file with the user's token; null: where <c>funcx login</c> saves it.</param>
    /// <param name="patience">How long compute nodes are waited for; null: they are not asked.</param>
    /// <param name="tell">Takes a line for whoever waits.</param>
    public static IReadOnlyList<IDoctorCheck> Of(ConfigurationResult<EndpointConfiguration> file, IMachine machine, string? tokenFile, TimeSpan? patience, TimeProvider time, Action<string> tell)
    {
        var configuration = file.Value ?? throw new ArgumentException("the file has errors", nameof(file));
        return
        [
            new FileCheck(file),
            new PermissionsCheck(file.File, configuration),
            new TokenCheck(configuration, tokenFile),
            new DiskCheck(configuration, machine),
            new LimitsCheck(machine),
            new ServiceCheck(configuration, machine),
            new ManagerCheck(machine),
            new GlibcCheck(machine),
            new PythonCheck(configuration, machine),
            new ContainersCheck(file),
            new MpiCheck(configuration, machine),
            new AddressesCheck(configuration, machine, patience is not null),
            new SchedulerCheck(configuration, machine),
            new SlurmScriptCheck(configuration, machine),
            new NodesCheck(configuration, machine, patience, time, tell),
        ];
    }
}
