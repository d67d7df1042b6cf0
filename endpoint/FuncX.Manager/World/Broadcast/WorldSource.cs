using FuncX.Manager.Staging;

namespace FuncX.Manager.World.Broadcast;

/// <summary>The files of a rank below the leader: from the rank above, through the cache, to the ranks below while they come.</summary>
internal sealed class WorldSource(BroadcastFetch fetch, BroadcastServer server) : IStageSource
{
    private const int LockPauseMilliseconds = 50;

    public StagePlan Plan(StageProgress progress)
    {
        server.Begin();
        server.Problem = () => progress.Problem;
        var first = fetch.Ask(0, progress);
        var plan = new StagePlan(first.Files, first.Bytes);
        server.Know(plan);
        return plan;
    }

    public StagedFile Bring(int index, StageCache cache, StageProgress progress)
    {
        var file = fetch.Ask(index, progress).File ?? throw new StageException($"the leader has no file number {index}");
        try
        {
            while (!cache.Has(file, progress))
            {
                using var mine = cache.TryLock(file.Digest);
                if (mine is not null && !File.Exists(cache.PathOf(file)))
                {
                    Take(index, file, cache, progress);
                    return file;
                }

                // Another rank of this node brings it, and may wait for it to come through this one.
                server.Refuse(index);
                Thread.Sleep(LockPauseMilliseconds);
            }

            server.Offer(index, file, cache.PathOf(file), file.Bytes);
            return file;
        }
        catch
        {
            server.Refuse(index);
            throw;
        }
        finally
        {
            fetch.End();
        }
    }

    private void Take(int index, StagedFile file, StageCache cache, StageProgress progress)
    {
        using var writer = cache.Begin(file.Digest, file.Bytes);
        server.Offer(index, file, writer.Path, available: 0);
        fetch.Begin(file.Bytes);
        while (writer.Bytes < file.Bytes)
        {
            using var piece = fetch.Take(writer.Bytes, progress);
            var bytes = piece.Span[BroadcastPrefix.Size..];
            writer.Append(bytes);
            progress.Add(bytes.Length);
            server.Grow(index, writer.Bytes);
        }

        writer.Complete(file, writer.Digest());
    }
}
