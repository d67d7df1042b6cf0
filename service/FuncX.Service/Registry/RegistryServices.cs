namespace FuncX.Service.Registry;

public static class RegistryServices
{
    /// <summary>registry.db, its catalogs, and the gRPC services over them.</summary>
    public static IServiceCollection AddRegistry(this IServiceCollection services, RegistryDatabase database)
    {
        services.AddSingleton(database);
        services.AddSingleton<FunctionCatalog>();
        services.AddSingleton<ContainerCatalog>();
        services.AddSingleton<EndpointCatalog>();
        services.AddSingleton<FunctionsService>();
        services.AddSingleton<ContainersService>();
        services.AddSingleton<EndpointsService>();
        services.AddSingleton<RegistryFaults>();
        services.AddGrpc()
            .AddServiceOptions<FunctionsService>(options => options.Interceptors.Add<RegistryFaults>())
            .AddServiceOptions<ContainersService>(options => options.Interceptors.Add<RegistryFaults>())
            .AddServiceOptions<EndpointsService>(options => options.Interceptors.Add<RegistryFaults>());
        return services;
    }

    public static IEndpointRouteBuilder MapRegistry(this IEndpointRouteBuilder routes)
    {
        routes.MapGrpcService<FunctionsService>();
        routes.MapGrpcService<ContainersService>();
        routes.MapGrpcService<EndpointsService>();
        return routes;
    }
}
