using System.Text;

namespace FuncX.Providers.Batch;

/// <summary>Takes all that is written and keeps the first <paramref name="most"/> bytes: a command that writes without end is read to its end and fills no memory.</summary>
internal sealed class BoundedText(int most) : Stream
{
    private readonly MemoryStream _kept = new();

    public bool IsCut { get; private set; }

    /// <summary>What is kept; bytes that are no UTF-8 become U+FFFD.</summary>
    public string Text => Encoding.UTF8.GetString(_kept.GetBuffer(), 0, (int)_kept.Length);

    public override bool CanRead => false;

    public override bool CanSeek => false;

    public override bool CanWrite => true;

    public override long Length => _kept.Length;

    public override long Position
    {
        get => _kept.Position;
        set => throw new NotSupportedException();
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        var room = most - (int)_kept.Length;
        IsCut |= buffer.Length > room;
        _kept.Write(buffer[..Math.Min(room, buffer.Length)]);
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Write(buffer.Span);
        return ValueTask.CompletedTask;
    }

    public override void Flush()
    {
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();
}
