using System.ComponentModel;
using CliWrap;

namespace FuncX.Providers.Batch;

/// <summary>Runs commands with a time limit, a bound on what they write, and without the endpoint's secrets, which a submission would pass on to the job.</summary>
/// <param name="limit">After which a command is ended: clients of a stopped controller wait for minutes, or for ever.</param>
public sealed class CommandRunner(TimeSpan limit) : ICommandRunner
{
    /// <summary>The most that is kept of each stream, bytes: more than ten thousand jobs of <c>qstat -f</c>.</summary>
    public const int MostBytes = 32 << 20;

    // They change what squeue, sacct and qstat print, and a user may have set them for her own eyes.
    private static readonly string[] s_formats = ["SQUEUE_FORMAT", "SQUEUE_FORMAT2", "SQUEUE_STATES", "SQUEUE_SORT", "SACCT_FORMAT", "SLURM_TIME_FORMAT", "QSTAT_HEADER", "QSTAT_HEADER_FULL"];

    public async Task<CommandOutput> RunAsync(SchedulerCommand command, string workingDirectory, CancellationToken cancellation)
    {
        var (output, errors) = (new BoundedText(MostBytes), new BoundedText(MostBytes));
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        timeout.CancelAfter(limit);
        var cli = Cli.Wrap(command.Program)
            .WithArguments(command.Arguments)
            .WithWorkingDirectory(workingDirectory)
            .WithEnvironmentVariables(Hidden())
            .WithValidation(CommandResultValidation.None)
            .WithStandardOutputPipe(PipeTarget.ToStream(output))
            .WithStandardErrorPipe(PipeTarget.ToStream(errors));
        try
        {
            var result = await cli.ExecuteAsync(timeout.Token);
            return new CommandOutput(result.ExitCode, output.Text, errors.Text, output.IsCut || errors.IsCut);
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return new CommandOutput(-1, output.Text, $"{errors.Text}\nno answer within {limit.TotalSeconds} s", output.IsCut || errors.IsCut, TimedOut: true);
        }
        catch (Exception problem) when (problem is Win32Exception or InvalidOperationException or DirectoryNotFoundException)
        {
            throw new BlockProviderException($"{command.Program} could not be started: {problem.Message}. The scheduler's commands must be in the PATH of the endpoint", problem);
        }
    }

    private static Dictionary<string, string?> Hidden()
    {
        var hidden = s_formats.ToDictionary(static name => name, static _ => (string?)null, StringComparer.Ordinal);
        foreach (string name in Environment.GetEnvironmentVariables().Keys)
        {
            if (DetachedProcess.IsSecret(name))
                hidden[name] = null;
        }

        return hidden;
    }
}
