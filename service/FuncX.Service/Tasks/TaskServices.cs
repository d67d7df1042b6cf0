using FuncX.Service.Hosting;
using FuncX.Service.Limits;
using FuncX.Service.Observation;
using FuncX.Service.Storage;

namespace FuncX.Service.Tasks;

public static class TaskServices
{
    /// <summary>Storage and engine of tasks. The engine opens the data directory when it is first asked for.</summary>
    public static IServiceCollection AddTasks(this IServiceCollection services)
    {
        services.AddSingleton(static provider => TaskStore.Open(provider.GetRequiredService<ServiceSettings>().DataDirectory));
        services.AddSingleton(static provider => new TaskEngine(
            provider.GetRequiredService<TaskStore>(),
            provider.GetRequiredService<ServiceLimits>(),
            provider.GetService<TimeProvider>() ?? TimeProvider.System,
            provider.GetRequiredService<ILogger<TaskEngine>>(),
            provider.GetService<TaskTraces>()));
        services.AddSingleton<SubmissionReader>();
        services.AddSingleton<DependencyReader>();
        services.AddSingleton<Submissions>();
        services.AddSingleton<TaskReader>();
        services.AddSingleton<GroupReader>();
        services.AddSingleton<TasksService>();
        services.AddHostedService<TaskEngineHost>();
        return services;
    }

    public static IEndpointRouteBuilder MapTasks(this IEndpointRouteBuilder routes)
    {
        routes.MapGrpcService<TasksService>();
        return routes;
    }
}
