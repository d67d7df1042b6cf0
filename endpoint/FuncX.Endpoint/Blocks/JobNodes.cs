using FuncX.Configuration;
using FuncX.Endpoint.Identity;
using FuncX.Providers;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Blocks;

/// <summary>The nodes of the job that the endpoint was started in, for <c>provider: {type: allocation}</c>. Its manager names them, which has to use them.</summary>
internal static class JobNodes
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    /// <summary>The same configuration with as many nodes as the job has; as it is with another provider.</summary>
    /// <exception cref="EndpointRefusedException">This is no job, or its nodes cannot be told.</exception>
    public static async Task<EndpointConfiguration> ResolveAsync(EndpointConfiguration configuration, ManagerProgram manager, CancellationToken cancellation)
    {
        if (configuration.Provider.Type != ProviderKind.Allocation)
            return configuration;
        CommandOutput answer;
        try
        {
            answer = await new CommandRunner(s_limit).RunAsync(new SchedulerCommand(manager.Path, "--nodes"), configuration.StateDirectory, cancellation);
        }
        catch (BlockProviderException problem)
        {
            throw new EndpointRefusedException(problem.Message, problem);
        }

        if (answer.ExitCode != 0)
        {
            throw new EndpointRefusedException($"'provider.type' is allocation, and the nodes of this job are not known: {answer.Said}. "
                + "Start the endpoint in the script of a job, or name the scheduler as the provider to have it ask for jobs itself");
        }

        return configuration with { Provider = configuration.Provider with { Nodes = answer.Lines.Count() } };
    }
}
