using System.Globalization;
using FuncX.Configuration;
using FuncX.Endpoint.Blocks;
using FuncX.Endpoint.Identity;
using FuncX.Providers;
using FuncX.Providers.Local;
using Microsoft.Extensions.Logging.Console;

namespace FuncX.Endpoint.Hosting;

/// <summary>The capabilities of the host, one method each.</summary>
public static class HostingServices
{
    /// <summary>One line per message on stderr, with its time in UTC.</summary>
    public static void AddEndpointConsole(this ILoggingBuilder logging, LogLevel level)
    {
        logging.SetMinimumLevel(level);
        logging.AddFilter("Microsoft", level > LogLevel.Warning ? level : LogLevel.Warning);
        logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ss.fffZ ";
            console.ColorBehavior = LoggerColorBehavior.Disabled;
        });
        logging.Services.Configure<ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    /// <summary>Blocks and the provider that the configuration names.</summary>
    public static void AddBlocks(this IServiceCollection services, EndpointConfiguration configuration, ManagerProgram manager)
    {
        services.AddSingleton(manager);
        services.AddSingleton<IBlockProvider>(provider => configuration.Provider.Type switch
        {
            ProviderKind.Local => new LocalProvider(provider.GetRequiredService<TimeProvider>()),
            var kind => throw new EndpointRefusedException(string.Create(CultureInfo.InvariantCulture, $"provider.type {SnakeCase.Of(kind)} is not built yet")),
        });
        services.AddSingleton<BlockSupervisor>();
        services.AddHostedService(provider => provider.GetRequiredService<BlockSupervisor>());
    }
}
