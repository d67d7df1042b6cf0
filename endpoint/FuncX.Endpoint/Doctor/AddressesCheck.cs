using System.Net;
using FuncX.Configuration;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Doctor;

/// <summary>Whether managers on other machines have an address to dial. Whether they reach it, only they can tell: <see cref="NodesCheck"/>.</summary>
/// <param name="nodesAreAsked">They will have the last word.</param>
internal sealed class AddressesCheck(EndpointConfiguration configuration, IMachine machine, bool nodesAreAsked) : IDoctorCheck
{
    public string Name => "addresses";

    public async Task<IReadOnlyList<Finding>> ExamineAsync(CancellationToken cancellation)
    {
        IReadOnlyList<IPAddress> addresses;
        try
        {
            addresses = machine.ListenAddresses(configuration);
        }
        catch (EndpointRefusedException problem)
        {
            return [Finding.Refused(Name, problem.Message, "name interfaces in `interfaces` that are there, as `ip -br address` lists them, or leave the key out")];
        }

        var all = string.Join(", ", addresses);
        if (configuration.Provider.Type == ProviderKind.Local)
            return [Finding.Ok(Name, $"managers of this machine dial {all}")];
        if (addresses.All(IPAddress.IsLoopback))
        {
            var seen = $"managers could dial {all} only, which no other machine reaches{(configuration.Interfaces.Count > 0 ? $" (interfaces: {string.Join(", ", configuration.Interfaces)})" : "")}";
            const string Cure = "name an interface in `interfaces` that compute nodes reach, as `ip -br address` lists them";
            return [nodesAreAsked ? Finding.Warning(Name, seen, Cure) : Finding.Problem(Name, seen, Cure)];
        }

        var name = machine.HostName;
        return (await machine.ResolveAsync(name, cancellation)).Count > 0
            ? [Finding.Ok(Name, $"managers dial {all}; {name} resolves")]
            : [Finding.Warning(Name, $"managers dial {all}, but this machine's own name '{name}' has no address, which schedulers and launchers of MPI need", $"have '{name}' written into /etc/hosts or the site's name server")];
    }
}
