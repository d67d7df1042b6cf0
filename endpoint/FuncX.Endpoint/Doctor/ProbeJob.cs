using FuncX.Providers;

namespace FuncX.Endpoint.Doctor;

/// <summary>A job that lasts no longer than it is waited for: submitted, asked about as a block is, and cancelled when the time is over or the doctor is interrupted.</summary>
/// <param name="tell">Takes a line for whoever waits.</param>
internal sealed class ProbeJob(IBlockProvider provider, BlockRequest request, TimeProvider time, Action<string> tell)
{
    private static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_findPatience = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_endPatience = TimeSpan.FromSeconds(60);
    private static readonly BlockStatus s_nothing = new(BlockState.Unknown, "");

    /// <summary>Returns when no job is left.</summary>
    /// <exception cref="BlockProviderException">It was refused, or it cannot be ended.</exception>
    /// <exception cref="OperationCanceledException">Interrupted; the job is cancelled.</exception>
    public async Task<ProbeEnd> RunAsync(TimeSpan patience, CancellationToken cancellation)
    {
        var job = new SubmittedBlock(request, await SubmitAsync());
        tell($"job {job.JobId} of {request.Nodes} {(request.Nodes == 1 ? "node" : "nodes")} was submitted; it is waited for {patience.TotalSeconds:F0} s at most");
        var status = s_nothing;
        try
        {
            status = await WaitAsync(job, patience, cancellation);
            return new ProbeEnd(job.JobId, status);
        }
        finally
        {
            if (!status.State.IsEnd())
                await CancelAsync(job);
        }
    }

    // Not to be interrupted: of a submission that was cut short nobody would know the job.
    private async Task<string> SubmitAsync()
    {
        try
        {
            return await provider.SubmitAsync(request, CancellationToken.None);
        }
        catch (BlockSubmissionUnclearException unclear)
        {
            var begun = time.GetTimestamp();
            while (time.GetElapsedTime(begun) < s_findPatience)
            {
                if (await FindAsync() is { } id)
                    return id;
                await Task.Delay(TimeSpan.FromSeconds(1), time);
            }

            throw new BlockProviderException($"{unclear.Message}. Look for a job called funcx-{request.Owner}-{request.BlockId} and cancel it", unclear);
        }
    }

    private async Task<string?> FindAsync()
    {
        try
        {
            return await provider.FindAsync(request, CancellationToken.None);
        }
        catch (BlockProviderException)
        {
            return null;
        }
    }

    private async Task<BlockStatus> WaitAsync(SubmittedBlock job, TimeSpan patience, CancellationToken cancellation)
    {
        var begun = time.GetTimestamp();
        var last = s_nothing;
        while (time.GetElapsedTime(begun) < patience)
        {
            try
            {
                var status = (await provider.QueryAsync([job], cancellation))[0];
                if (status.State.IsEnd())
                    return status;
                last = status.State == BlockState.Unknown ? last with { Reason = status.Reason } : status;
            }
            catch (BlockProviderException away)
            {
                last = last with { Reason = away.Message };
            }

            await Task.Delay(s_look, time, cancellation);
        }

        return last;
    }

    private async Task CancelAsync(SubmittedBlock job)
    {
        try
        {
            await provider.CancelAsync(job, CancellationToken.None);
        }
        catch (BlockProviderException problem)
        {
            throw new BlockProviderException($"{problem.Message}. Cancel job {job.JobId} by hand", problem);
        }

        tell($"job {job.JobId} is cancelled");
        if (!(await WaitAsync(job, s_endPatience, CancellationToken.None)).State.IsEnd())
            throw new BlockProviderException($"job {job.JobId} was cancelled and is still there after {s_endPatience.TotalSeconds:F0} s. Look at it, and cancel it by hand");
    }
}
