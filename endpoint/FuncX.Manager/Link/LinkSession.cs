using System.IO.Pipelines;
using System.Net.Security;
using FuncX.Manager.Engine;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Link;

/// <summary>One connection to the endpoint, from the greeting to its end.</summary>
internal sealed class LinkSession : IEndpointLink, IAsyncDisposable
{
    private readonly Node _node;
    private readonly SslStream _stream;
    private readonly PipeReader _reader;
    private readonly PipeWriter _writer;
    private readonly CancellationTokenSource _end = new();
    private Task _writing = Task.CompletedTask;
    private int _busy;
    private long _silence;
    private string _broken = "";
    private long _sentAt = NodeTimer.Now;
    private long _heardAt = NodeTimer.Now;

    public LinkSession(Node node, SslStream stream, SlabPool pool)
    {
        _node = node;
        _stream = stream;
        _reader = PipeReader.Create(stream, new StreamPipeReaderOptions(pool, SlabPool.SlabBytes, minimumReadSize: 4096, leaveOpen: true));
        _writer = PipeWriter.Create(stream, new StreamPipeWriterOptions(leaveOpen: true));
    }

    /// <summary>Says hello and waits for the answer.</summary>
    /// <exception cref="LinkRefusedException">The endpoint does not want this manager.</exception>
    public Task<Welcome> GreetAsync(Hello hello) => LinkGreeting.SayAsync(_reader, _writer, hello);

    /// <summary>Takes frames until the connection ends.</summary>
    public async Task RunAsync(TimeSpan heartbeat)
    {
        var beating = BeatAsync(heartbeat);
        try
        {
            while (true)
            {
                var result = await _reader.ReadAsync(_end.Token);
                _heardAt = NodeTimer.Now;
                var input = result.Buffer;
                _node.OnFrames(ref input);
                _reader.AdvanceTo(input.Start, result.Buffer.End);
                if (result.IsCompleted)
                    return;
            }
        }
        catch (OperationCanceledException problem)
        {
            throw new IOException(_silence > 0 ? $"heard nothing for {_silence} ms" : _broken, problem);
        }
        finally
        {
            _node.OnLinkDown(this);
            await _end.CancelAsync();
            await _stream.DisposeAsync();
            await beating;
            await _writing;
        }
    }

    /// <summary>
    /// Writes what there is, on the caller's thread as far as the socket takes it. One writer at a time; whoever comes meanwhile leaves its
    /// output to the one at work.
    /// </summary>
    public void Kick()
    {
        if (Interlocked.CompareExchange(ref _busy, 1, 0) == 0)
            _writing = WriteAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _end.Dispose();
    }

    private async Task WriteAsync()
    {
        try
        {
            do
            {
                while (_node.Take(this, out var piece) is { } batch)
                {
                    // A batch of results ends with a mark; control frames have none.
                    var results = batch.Mark > 0;
                    if (results)
                        FailPoints.Pass(FailPoint.BeforeResultSend);
                    try
                    {
                        await _writer.WriteAsync(piece, _end.Token);
                    }
                    finally
                    {
                        _node.Written(batch);
                    }

                    if (results)
                        FailPoints.Pass(FailPoint.AfterResultSend);
                    _sentAt = NodeTimer.Now;
                }

                Volatile.Write(ref _busy, 0);
            }
            while (_node.HasOutput(this) && Interlocked.CompareExchange(ref _busy, 1, 0) == 0);
        }
        catch (Exception problem) when (problem is IOException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            _broken = problem.Message;

            // The reader sees the same end and starts over; the writer stays busy, so nobody writes to this connection again.
            await _end.CancelAsync();
        }
    }

    private async Task BeatAsync(TimeSpan period)
    {
        using var timer = new PeriodicTimer(period);
        try
        {
            while (await timer.WaitForNextTickAsync(_end.Token))
            {
                var now = NodeTimer.Now;
                if (now - _heardAt > period.TotalMicroseconds * 5)
                {
                    _silence = (now - _heardAt) / 1000;
                    await _end.CancelAsync();
                    return;
                }

                if (now - _sentAt >= period.TotalMicroseconds * 0.9)
                    _node.SendHeartbeat(this);
            }
        }
        catch (OperationCanceledException)
        {
            // The session ended.
        }
    }
}
