namespace FuncX.Client.Connection;

/// <summary>
/// Keeps small writes until a flush while nothing more comes, or until there are many, and passes them on as one. What it keeps completes at once. For one writer,
/// as a request's content is; the stream below is its owner's.
/// </summary>
internal sealed class GatheringStream(Stream inner, Gathering gathering) : Stream
{
    /// <summary>A frame of HTTP/2 holds 16 KiB; more than a few of them at once is no longer cheaper.</summary>
    private const int MostBytes = 64 * 1024;

    private byte[]? _kept;
    private int _count;

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.Length > MostBytes - _count)
            return PassAsync(buffer, cancellationToken);
        _kept ??= new byte[MostBytes];
        buffer.Span.CopyTo(_kept.AsSpan(_count));
        _count += buffer.Length;
        return ValueTask.CompletedTask;
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public override Task FlushAsync(CancellationToken cancellationToken) => gathering.MoreComes ? Task.CompletedTask : FlushKeptAsync(cancellationToken);

    private async Task FlushKeptAsync(CancellationToken cancellationToken)
    {
        await PassKeptAsync(cancellationToken);
        await inner.FlushAsync(cancellationToken);
    }

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("contents are written asynchronously");

    public override void Flush() => throw new NotSupportedException("contents are written asynchronously");

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    private async ValueTask PassAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellation)
    {
        await PassKeptAsync(cancellation);
        if (buffer.Length > MostBytes)
            await inner.WriteAsync(buffer, cancellation);
        else
            await WriteAsync(buffer, cancellation);
    }

    private async ValueTask PassKeptAsync(CancellationToken cancellation)
    {
        if (_count == 0)
            return;
        var count = _count;
        _count = 0;
        await inner.WriteAsync(_kept.AsMemory(0, count), cancellation);
    }
}
