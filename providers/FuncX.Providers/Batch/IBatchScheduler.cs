namespace FuncX.Providers.Batch;

/// <summary>
/// What one scheduler has of its own: pure functions from what is wanted to commands and from their output to what it means. They start nothing, read no clock and
/// keep nothing; <see cref="BatchProvider"/> does the rest for all schedulers.
/// </summary>
public interface IBatchScheduler
{
    /// <summary>As in the configuration: <c>slurm</c>.</summary>
    string Name { get; }

    /// <summary>The batch script, whole.</summary>
    string Script(BatchJob job);

    /// <summary>The command that submits it.</summary>
    SchedulerCommand Submit(BatchJob job);

    SubmitAnswer ReadSubmit(CommandOutput output);

    /// <summary>Whether a text can be an id of this scheduler; what cannot never becomes an argument.</summary>
    bool IsJobId(string text);

    /// <summary>
    /// How to ask about jobs. The first is asked at every poll for all of them; each of the others only for what those before it did not know, or of whose end they lacked
    /// detail (one that repeats the first's question, not for what that does not know). A job that none of them knows is lost once all of them have answered.
    /// </summary>
    IReadOnlyList<StatusQuery> Queries { get; }

    /// <summary>What a file of the job in its directory says of its end, where the scheduler writes one; null: there is none, or it does not say.</summary>
    JobReport? ReadEnd(BatchJob job, string jobId, Func<string, string?> file) => null;

    SchedulerCommand Cancel(string jobId);

    CancelAnswer ReadCancel(CommandOutput output);

    /// <summary>The command that lists the user's own jobs, to find those of this endpoint.</summary>
    SchedulerCommand List(string user);

    ListAnswer ReadList(CommandOutput output, string user);
}
