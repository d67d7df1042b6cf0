using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using FuncX.Configuration;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Hosting;

/// <summary>Where managers may dial in.</summary>
public static class ListenAddresses
{
    /// <summary>The addresses of the configured interfaces; left out: loopback with the local provider, all that are up otherwise.</summary>
    /// <exception cref="EndpointRefusedException">An interface does not exist, is down, or has no address.</exception>
    public static IReadOnlyList<IPAddress> Of(EndpointConfiguration configuration)
    {
        if (configuration.Interfaces.Count == 0 && configuration.Provider.Type == ProviderKind.Local)
            return [IPAddress.Loopback];
        var interfaces = NetworkInterface.GetAllNetworkInterfaces();
        var addresses = new List<IPAddress>();
        foreach (var name in configuration.Interfaces)
        {
            var chosen = interfaces.FirstOrDefault(candidate => candidate.Name == name)
                ?? throw new EndpointRefusedException($"this machine has no network interface '{name}' (interfaces); it has {string.Join(", ", interfaces.Select(candidate => candidate.Name))}");
            var found = AddressesOf(chosen).ToArray();
            if (found.Length == 0)
                throw new EndpointRefusedException($"the network interface '{name}' (interfaces) has no address; `ip address show {name}` tells its state");
            addresses.AddRange(found);
        }

        if (configuration.Interfaces.Count == 0)
        {
            foreach (var candidate in interfaces)
            {
                if (candidate.OperationalStatus == OperationalStatus.Up && candidate.NetworkInterfaceType != NetworkInterfaceType.Loopback)
                    addresses.AddRange(AddressesOf(candidate));
            }
        }

        return addresses.Count > 0 ? [.. addresses.Distinct()] : [IPAddress.Loopback];
    }

    // Link-local addresses mean nothing without the interface on the other machine.
    private static IEnumerable<IPAddress> AddressesOf(NetworkInterface candidate) =>
        candidate.GetIPProperties().UnicastAddresses.Select(unicast => unicast.Address)
            .Where(address => address.AddressFamily == AddressFamily.InterNetwork || (address.AddressFamily == AddressFamily.InterNetworkV6 && !address.IsIPv6LinkLocal));
}
