namespace FuncX.Service.Auth;

public static class AuthenticationServices
{
    /// <summary>Tokens, their proof, and the watch over revocations.</summary>
    public static IServiceCollection AddTokenAuthentication(this IServiceCollection services)
    {
        services.AddSingleton<TokenStore>();
        services.AddSingleton<FirstStart>();
        services.AddSingleton<Authenticator>();
        services.AddSingleton<RevocationWatch>();
        services.AddHostedService(provider => provider.GetRequiredService<RevocationWatch>());
        return services;
    }
}
