namespace FuncX.Providers;

/// <summary>
/// Gets and ends blocks. Implementations keep nothing that a restart of the endpoint would lose: whatever they need to find a job again is in
/// its id. All methods may be called from one caller at a time.
/// </summary>
public interface IBlockProvider
{
    /// <summary>As in the configuration: <c>local</c>.</summary>
    string Name { get; }

    /// <summary>How often asking is reasonable.</summary>
    TimeSpan PollInterval { get; }

    /// <summary>Whether there is nothing to be had any more once a block has ended by itself.</summary>
    bool IsOnce => false;

    /// <summary>Whether a job may appear after <see cref="FindAsync"/> has said that there is none: the command that asks for it outlives who started it.</summary>
    bool AppearsLate => false;

    /// <summary>
    /// Whether a block that an endpoint process on that host asked for may run where this machine can neither ask about it nor end it. Of a scheduler's jobs none does.
    /// </summary>
    /// <param name="host">The machine's name.</param>
    /// <param name="jobId">Null when the submission was cut short.</param>
    bool IsElsewhere(string host, string? jobId) => false;

    /// <summary>Asks for a block.</summary>
    /// <returns>The job's id, one line of text.</returns>
    /// <exception cref="BlockProviderException">It was refused; the message says by whom and why.</exception>
    /// <exception cref="BlockSubmissionUnclearException">No answer came: there may be a job. <see cref="FindAsync"/> tells later.</exception>
    Task<string> SubmitAsync(BlockRequest block, CancellationToken cancellation);

    /// <summary>The id of the job of a block whose submission was cut short, when it exists all the same; null when it does not.</summary>
    /// <exception cref="BlockProviderException">It cannot be said now.</exception>
    Task<string?> FindAsync(BlockRequest block, CancellationToken cancellation);

    /// <summary>Where jobs stand, all in one question; one answer for each, in the same order.</summary>
    Task<IReadOnlyList<BlockStatus>> QueryAsync(IReadOnlyList<SubmittedBlock> blocks, CancellationToken cancellation);

    /// <summary>Something has happened to a block of which the provider may know more: the next question may come sooner than usual.</summary>
    void Hurry()
    {
    }

    /// <summary>
    /// Starts the managers that a running job has lost, once; whether it was of use the next question shows. Where the job's own agent does that, nothing is to be
    /// done and no node is ever told as lost.
    /// </summary>
    /// <returns>The job's id from now on.</returns>
    /// <exception cref="BlockProviderException">It was refused; what was started all the same is found by the next repair or the end of the block.</exception>
    Task<string> RepairAsync(SubmittedBlock block, CancellationToken cancellation);

    /// <summary>
    /// Ends jobs of this owner that belong to none of its blocks: a disk that was lost or set back, a process that was killed between two writes. Where jobs cannot be listed there is
    /// nothing to do.
    /// </summary>
    /// <param name="blockIds">Blocks that have not ended.</param>
    /// <param name="directory">Where commands run.</param>
    /// <returns>The ids of the jobs that were told to end.</returns>
    /// <exception cref="BlockProviderException">The provider could not say which jobs there are, or did not take the order.</exception>
    Task<IReadOnlyList<string>> EndOrphansAsync(string owner, IReadOnlySet<string> blockIds, string directory, CancellationToken cancellation) => Task.FromResult<IReadOnlyList<string>>([]);

    /// <summary>Ends a job; one that has ended already is no error. Returns once it is over, or when the provider has taken the order.</summary>
    Task CancelAsync(SubmittedBlock block, CancellationToken cancellation);
}
