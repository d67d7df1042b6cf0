namespace FuncX.Providers.Batch;

/// <summary>Runs a scheduler's commands. The effect boundary of <see cref="BatchProvider"/>.</summary>
public interface ICommandRunner
{
    /// <summary>Runs a command to its end; one that takes too long is ended and says so in what is returned.</summary>
    /// <exception cref="BlockProviderException">It could not be started.</exception>
    Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation);
}
