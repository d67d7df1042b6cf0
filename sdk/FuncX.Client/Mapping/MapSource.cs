namespace FuncX.Client.Mapping;

/// <summary>Reads arguments into batches. The first carry few calls and each next twice as many, so that workers start at once.</summary>
internal sealed class MapSource<TArg, TResult>
{
    private const int FirstBatch = 16;

    private readonly MapSetup<TArg, TResult> _setup;
    private readonly int _limit;
    private int _size;

    public MapSource(MapSetup<TArg, TResult> setup)
    {
        _setup = setup;
        // A window of at least four messages keeps one on its way in each direction while another is filled.
        _limit = Math.Clamp(setup.Options.Window / 4, 1, setup.BatchSize);
        _size = Math.Min(FirstBatch, _limit);
    }

    public async Task ReadAsync(IEnumerable<TArg> source, MapRun<TArg, TResult> run, CancellationToken cancellation)
    {
        MapBatch<TResult>? batch = null;
        var begun = 0L;
        foreach (var argument in source)
        {
            if (batch is null)
            {
                cancellation.ThrowIfCancellationRequested();
                batch = run.NewBatch();
                begun = Environment.TickCount64;
            }

            batch.Add(argument, _setup.Encoder);
            // What a slow source has given goes after some milliseconds, but only when it gives the next: while it blocks it holds its batch. One that may block
            // for long is for the other overload.
            if (IsFull(batch) || Environment.TickCount64 - begun > 5)
            {
                await run.SendAsync(batch, cancellation);
                batch = null;
                Grow();
            }
        }

        if (batch is not null)
            await run.SendAsync(batch, cancellation);
    }

    public async Task ReadAsync(IAsyncEnumerable<TArg> source, MapRun<TArg, TResult> run, CancellationToken cancellation)
    {
        MapBatch<TResult>? batch = null;
        await using var arguments = source.GetAsyncEnumerator(cancellation);
        while (true)
        {
            var next = arguments.MoveNextAsync();
            bool more;
            if (next.IsCompleted || batch is null)
            {
                more = await next;
            }
            else
            {
                // Nothing to read now: what is there goes at once, or behind the send that is not answered yet.
                var waiting = next.AsTask();
                await Task.WhenAny(waiting, run.AllAnsweredAsync());
                if (!waiting.IsCompleted)
                {
                    await run.SendAsync(batch, cancellation);
                    batch = null;
                }

                more = await waiting;
            }

            if (!more)
                break;
            batch ??= run.NewBatch();
            batch.Add(arguments.Current, _setup.Encoder);
            if (IsFull(batch))
            {
                await run.SendAsync(batch, cancellation);
                batch = null;
                Grow();
            }
        }

        if (batch is not null)
            await run.SendAsync(batch, cancellation);
    }

    private bool IsFull(MapBatch<TResult> batch) => batch.Count >= _size || batch.Bytes >= _setup.BatchBytes;

    private void Grow() => _size = Math.Min(_size * 2, _limit);
}
