using FuncX.Configuration;
using FuncX.Providers.Local;

namespace FuncX.Endpoint.Blocks;

/// <summary>The provider of a machine's file that names no scheduler.</summary>
internal static class LocalProviders
{
    public static LocalProvider Of(EndpointConfiguration configuration, TimeProvider time) =>
        new(time, ownJob: configuration.Provider.Type == ProviderKind.Allocation, configuration.Provider.Walltime);
}
