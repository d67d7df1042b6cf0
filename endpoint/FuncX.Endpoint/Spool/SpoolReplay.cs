using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.ServiceLink;
using FuncX.Wire;

namespace FuncX.Endpoint.Spool;

/// <summary>
/// Sends what the spool holds over one link, oldest first, a few messages or MiB ahead of their commits; a file is deleted once the service has committed all of it. Ends
/// with the link; the next one begins again with the oldest file that is left, and the service drops what it has.
/// </summary>
internal sealed partial class SpoolReplay(EndpointLoop loop, LinkSession session, SpoolStore store, BufferPool pool, ILogger logger)
{
    private const int Ahead = 16;

    // What another process has left is found without news of it.
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(30);

    /// <param name="news">Released when the spool has grown; one release at the start.</param>
    /// <param name="complete">Completes the file that is being appended to.</param>
    /// <param name="over">The link's end.</param>
    public async Task RunAsync(SemaphoreSlim news, Func<Task> complete, CancellationToken over)
    {
        try
        {
            while (true)
            {
                await news.WaitAsync(s_look, over);
                await complete();
                foreach (var file in store.Files())
                    await ReplayAsync(file, over);
            }
        }
        catch (OperationCanceledException) when (over.IsCancellationRequested)
        {
        }
        catch (IOException problem)
        {
            // The results stay where they are; the next link tries again.
            LogUnreadable(problem.Message);
        }
    }

    private async Task ReplayAsync(SpoolFile file, CancellationToken over)
    {
        using var ahead = new SemaphoreSlim(Ahead);
        long torn, damaged;
        using (var reader = new SpoolReader(file, pool))
        {
            while (reader.TryRead(out var frames, out var results))
            {
                var pieces = Split(frames);
                // A large result takes the place of many.
                var places = Math.Clamp(frames.Length >> 20, 1, Ahead);
                for (var i = 0; i < places; i++)
                    await ahead.WaitAsync(over);
                var sent = false;
                await loop.Run(dispatcher => sent = dispatcher.Link.Replay(session, pieces, results, () => ahead.Release(places)));
                if (!sent)
                {
                    pieces.ForEach(static piece => piece.Buffer.Release());
                    throw new OperationCanceledException(over);
                }
            }

            (torn, damaged) = (reader.TornBytes, reader.DamagedBytes);
        }

        // All of them back: everything is committed.
        for (var i = 0; i < Ahead; i++)
            await ahead.WaitAsync(over);
        if (damaged > 0)
        {
            LogDamaged(file.Path, damaged);
            store.SetAside(file);
            return;
        }

        if (torn > 0)
            LogTorn(file.Path, torn);
        FailPoints.Pass("before-spool-delete");
        store.Delete(file);
        FailPoints.Pass("after-spool-delete");
    }

    /// <summary>Slices of whole frames that fit into a message each; one reference each.</summary>
    private static List<FrameSlice> Split(in FrameSlice frames)
    {
        var pieces = new List<FrameSlice>();
        var (from, at) = (0, 0);
        while (at < frames.Length && FrameReader.TryRead(frames.Span[at..], out _, out var length))
        {
            if (at > from && at - from + length > ResultLedger.LargestMessage)
            {
                Take(frames, at);
                from = at;
            }

            at += length;
        }

        Take(frames, frames.Length);
        for (var i = 1; i < pieces.Count; i++)
            frames.Buffer.Retain();
        return pieces;

        void Take(in FrameSlice all, int to) => pieces.Add(new FrameSlice(all.Buffer, all.Offset + from, to - from));
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "the spool cannot be read: {Problem}")]
    private partial void LogUnreadable(string problem);

    [LoggerMessage(Level = LogLevel.Error, Message = "{Bytes} bytes of {File} are not as they were written; what could be read of it is at the service, and the file is kept as .damaged")]
    private partial void LogDamaged(string file, long bytes);

    [LoggerMessage(Level = LogLevel.Warning, Message = "{File} has a torn end of {Bytes} bytes, which nobody was promised")]
    private partial void LogTorn(string file, long bytes);
}
