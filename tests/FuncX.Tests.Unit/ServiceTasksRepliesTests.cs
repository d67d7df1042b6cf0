using FuncX.Contracts.V1;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceTasks;

public sealed class ServiceTasksRepliesTests
{
    private static readonly SubmitOutcome _refused = SubmitOutcome.Refused(StatusCode.NotFound, "no such function");

    [Fact]
    public async Task Batches_that_are_accepted_together_share_a_reply_and_every_other_answer_is_its_own()
    {
        var output = new SlowWriter();
        var replies = new SubmitReplies(output, new PendingSubmissions(1_000, 1_000));
        var writing = replies.RunAsync();
        Add(replies, 0, SubmitOutcome.Accepted);
        // The first goes out alone; what comes while it is being written waits.
        await output.Writing.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Add(replies, 1, SubmitOutcome.Accepted);
        Add(replies, 2, _refused);
        Add(replies, 3, SubmitOutcome.Accepted);
        Add(replies, 4, SubmitOutcome.AcceptedBefore);
        Add(replies, 5, SubmitOutcome.Accepted);
        replies.ExpectNoMore();
        output.Room.SetResult();
        await writing;

        output.Replies.Select(static reply => (Numbers(reply.BatchIds), reply.Already, reply.ErrorCode, reply.ErrorMessage)).ShouldBe(
        [
            ("0", false, 0, ""),
            ("2", false, (int)StatusCode.NotFound, "no such function"),
            ("4", true, 0, ""),
            ("1,3,5", false, 0, ""),
        ]);
        output.Flushed.ShouldBe([true, false, false, true]);
    }

    [Fact]
    public async Task Refusals_alone_are_flushed_too()
    {
        var output = new SlowWriter();
        output.Room.SetResult();
        var replies = new SubmitReplies(output, new PendingSubmissions(1_000, 1_000));
        Add(replies, 0, _refused);
        Add(replies, 1, _refused);
        replies.ExpectNoMore();
        await replies.RunAsync();
        output.Replies.Select(static reply => Numbers(reply.BatchIds)).ShouldBe(["0", "1"]);
        output.Flushed.ShouldBe([false, true]);
    }

    [Fact]
    public async Task Places_are_kept_until_the_answer_is_written_also_when_the_client_is_gone()
    {
        var output = new SlowWriter { Problem = new IOException("gone") };
        var pending = new PendingSubmissions(2, 1_000);
        var replies = new SubmitReplies(output, pending);
        var writing = replies.RunAsync();
        for (var number = 0; number < 2; number++)
        {
            await pending.EnterAsync(10);
            Add(replies, number, SubmitOutcome.Accepted);
        }

        await output.Writing.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        var third = pending.EnterAsync(10).AsTask();
        third.IsCompleted.ShouldBeFalse();
        output.Room.SetResult();
        await third.WaitAsync(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken);
        Add(replies, 2, SubmitOutcome.Accepted);
        replies.ExpectNoMore();
        await writing;
        output.Replies.Count.ShouldBe(1);
    }

    private static void Add(SubmitReplies replies, int number, SubmitOutcome outcome)
    {
        Span<byte> id = stackalloc byte[BatchId.Size];
        id.Fill((byte)number);
        replies.Expect();
        replies.Add(ByteString.CopyFrom(id), outcome, 10);
    }

    private static string Numbers(ByteString ids) => string.Join(',', ids.Chunk(BatchId.Size).Select(static id => id[0]));

    private sealed class SlowWriter : IServerStreamWriter<SubmitReply>
    {
        private readonly TaskCompletionSource _writing = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public TaskCompletionSource Room { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Exception? Problem { get; init; }

        /// <summary>Ends when the first is being written.</summary>
        public Task Writing => _writing.Task;

        public List<SubmitReply> Replies { get; } = [];

        public List<bool> Flushed { get; } = [];

        public WriteOptions? WriteOptions { get; set; }

        public async Task WriteAsync(SubmitReply message)
        {
            Replies.Add(message);
            Flushed.Add(WriteOptions?.Flags.HasFlag(WriteFlags.BufferHint) != true);
            _writing.TrySetResult();
            await Room.Task;
            if (Problem is not null)
                throw Problem;
        }
    }
}
