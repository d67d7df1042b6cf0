using System.Buffers;
using System.Threading.Channels;
using FuncX.Contracts.V1;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Service.Tasks;

/// <summary>
/// The answers of one submit stream, from whichever threads they come. Batches that were accepted together share a message, so that a single call does not
/// cost one in each direction. Bounded by the pending submissions: each keeps its place until its answer is written, so a client that reads no answers
/// is read no further.
/// </summary>
internal sealed class SubmitReplies(IServerStreamWriter<SubmitReply> output, PendingSubmissions pending)
{
    private static readonly WriteOptions Buffered = new(WriteFlags.BufferHint);
    private static readonly WriteOptions Flushed = new();

    private readonly Channel<(ByteString BatchId, SubmitOutcome Outcome, int Bytes)> _answers =
        Channel.CreateUnbounded<(ByteString, SubmitOutcome, int)>(new UnboundedChannelOptions { SingleReader = true });

    private readonly ArrayBufferWriter<byte> _accepted = new(Wire.BatchId.Size * 64);
    private int _outstanding = 1;
    private bool _gone;

    /// <summary>One more answer will come.</summary>
    public void Expect() => Interlocked.Increment(ref _outstanding);

    /// <summary>All answers that will come are told by now: behind the last of them <see cref="RunAsync"/> ends.</summary>
    public void ExpectNoMore() => Done();

    /// <param name="batchId">What is answered.</param>
    /// <param name="outcome">The answer.</param>
    /// <param name="bytes">What the batch has taken of the pending submissions.</param>
    public void Add(ByteString batchId, SubmitOutcome outcome, int bytes)
    {
        _answers.Writer.TryWrite((batchId, outcome, bytes));
        Done();
    }

    /// <summary>Writes them as they come.</summary>
    public async Task RunAsync()
    {
        while (await _answers.Reader.WaitToReadAsync())
        {
            var (answers, bytes) = (0, 0L);
            SubmitReply? last = null;
            while (_answers.Reader.TryRead(out var next))
            {
                answers++;
                bytes += next.Bytes;
                if (next.Outcome == SubmitOutcome.Accepted)
                {
                    _accepted.Write(next.BatchId.Span);
                    continue;
                }

                await WriteAsync(last, Buffered);
                last = ReplyTo(next.BatchId, next.Outcome);
            }

            if (_accepted.WrittenCount > 0)
            {
                await WriteAsync(last, Buffered);
                last = ReplyTo(ByteString.CopyFrom(_accepted.WrittenSpan), SubmitOutcome.Accepted);
                _accepted.ResetWrittenCount();
            }

            await WriteAsync(last, Flushed);
            pending.Leave(answers, bytes);
        }
    }

    private async ValueTask WriteAsync(SubmitReply? reply, WriteOptions options)
    {
        if (reply is null || _gone)
            return;
        try
        {
            output.WriteOptions = options;
            await output.WriteAsync(reply);
            FailPoints.Pass("after-reply-submit");
        }
        catch (Exception problem) when (problem is InvalidOperationException or IOException or OperationCanceledException)
        {
            // The client is gone: what was accepted stays accepted, and it asks again with the same ids.
            _gone = true;
        }
    }

    private void Done()
    {
        if (Interlocked.Decrement(ref _outstanding) == 0)
            _answers.Writer.Complete();
    }

    private static SubmitReply ReplyTo(ByteString batchIds, SubmitOutcome outcome) =>
        new() { BatchIds = batchIds, Already = outcome.Already, ErrorCode = (int)outcome.Status, ErrorMessage = outcome.Message };
}
