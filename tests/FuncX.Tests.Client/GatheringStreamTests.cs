using FsCheck.Xunit;
using FuncX.Client.Connection;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

public sealed class GatheringStreamTests
{
    private readonly Gathering _gathering = new();

    [Fact]
    public async Task Small_writes_pass_as_one_with_the_first_flush_behind_which_nothing_comes()
    {
        var below = new Below();
        await using var stream = new GatheringStream(below, _gathering);
        _gathering.MoreComes = true;
        await stream.WriteAsync(new byte[] { 1, 2 });
        await stream.FlushAsync();
        below.Writes.ShouldBeEmpty();
        below.Flushes.ShouldBe(0);
        _gathering.MoreComes = false;
        await stream.WriteAsync(new byte[] { 3 });
        below.Writes.ShouldBeEmpty();
        await stream.FlushAsync();
        below.Writes.ShouldHaveSingleItem().ShouldBe([1, 2, 3]);
        below.Flushes.ShouldBe(1);
        await stream.FlushAsync();
        below.Writes.Count.ShouldBe(1);
        below.Flushes.ShouldBe(2);
    }

    [Fact]
    public async Task A_write_may_be_reused_by_its_owner_once_it_is_complete()
    {
        var below = new Below();
        await using var stream = new GatheringStream(below, _gathering);
        var bytes = new byte[] { 7 };
        await stream.WriteAsync(bytes);
        bytes[0] = 8;
        await stream.FlushAsync();
        below.Writes.ShouldHaveSingleItem().ShouldBe([7]);
    }

    [Fact]
    public async Task What_cannot_be_written_is_told_to_whoever_flushes()
    {
        var below = new Below { Problem = new IOException("gone") };
        await using var stream = new GatheringStream(below, _gathering);
        await stream.WriteAsync(new byte[1]);
        (await Should.ThrowAsync<IOException>(() => stream.FlushAsync())).Message.ShouldBe("gone");
    }

    [Property(MaxTest = 100)]
    public async Task<bool> All_bytes_come_in_their_order_whatever_their_sizes(int seed)
    {
        var random = new Random(seed);
        var below = new Below();
        await using var stream = new GatheringStream(below, _gathering);
        var expected = new List<byte>();
        for (var step = random.Next(40); step >= 0; step--)
        {
            var bytes = new byte[random.Next(5) switch { 0 => random.Next(200_000), 1 => 64 * 1024, 2 => 0, _ => random.Next(2_000) }];
            random.NextBytes(bytes);
            expected.AddRange(bytes);
            await stream.WriteAsync(bytes);
            _gathering.MoreComes = random.Next(4) > 0;
            if (random.Next(4) > 0)
                await stream.FlushAsync();
        }

        _gathering.MoreComes = false;
        await stream.FlushAsync();
        using var written = new MemoryStream();
        below.Writes.ForEach(write => written.Write(write));
        return written.ToArray().AsSpan().SequenceEqual(expected.ToArray());
    }

    private sealed class Below : MemoryStream
    {
        public List<byte[]> Writes { get; } = [];

        public int Flushes { get; private set; }

        public Exception? Problem { get; init; }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Problem is not null)
                return ValueTask.FromException(Problem);
            Writes.Add(buffer.ToArray());
            return ValueTask.CompletedTask;
        }

        public override Task FlushAsync(CancellationToken cancellationToken)
        {
            Flushes++;
            return Task.CompletedTask;
        }
    }
}
