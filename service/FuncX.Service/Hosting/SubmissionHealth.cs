using FuncX.Service.Tasks;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace FuncX.Service.Hosting;

/// <summary>Healthy while submissions are not refused for want of disk space.</summary>
public sealed class SubmissionHealth(TaskEngine engine) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(engine.StorageProblem is { } problem ? HealthCheckResult.Unhealthy(problem) : HealthCheckResult.Healthy());
}
