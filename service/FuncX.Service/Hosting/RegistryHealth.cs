using FuncX.Service.Registry;
using Microsoft.Data.Sqlite;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace FuncX.Service.Hosting;

/// <summary>Healthy while registry.db can be read.</summary>
public sealed class RegistryHealth(RegistryDatabase database) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        try
        {
            database.ReadDurability();
            return Task.FromResult(HealthCheckResult.Healthy());
        }
        catch (SqliteException problem)
        {
            return Task.FromResult(HealthCheckResult.Unhealthy($"{database.Path} cannot be read: {problem.Message}", problem));
        }
    }
}
