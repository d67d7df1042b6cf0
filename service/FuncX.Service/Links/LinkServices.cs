namespace FuncX.Service.Links;

public static class LinkServices
{
    /// <summary>The endpoints' links, and what is known of endpoints that are online.</summary>
    public static IServiceCollection AddLinks(this IServiceCollection services) => services.AddSingleton<EndpointPresence>().AddSingleton<LinkService>();

    public static IEndpointRouteBuilder MapLinks(this IEndpointRouteBuilder routes)
    {
        routes.MapGrpcService<LinkService>();
        return routes;
    }
}
