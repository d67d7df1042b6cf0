using System.Diagnostics;
using FuncX.Manager.Interop;
using FuncX.Manager.Staging;
using FuncX.Manager.World;
using FuncX.Manager.World.Broadcast;
using FuncX.Mpi;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>What a rank gives of its files to those below it, and what it does with what it is told in the middle of a reading.</summary>
public sealed class BroadcastServerTests(FakeMpi mpi) : IClassFixture<FakeMpi>, IDisposable
{
    private const int Bytes = 2_000;

    private readonly string _folder = Directory.CreateTempSubdirectory("funcx-server-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void Two_ranks_that_ask_for_a_file_at_once_have_one_reader_and_each_has_all_of_it() => mpi.Run(runtime =>
    {
        var (server, path) = (new Served(runtime), Write("file", 0, Bytes));
        using var reads = new HeldReads(path);
        server.Of.Offer(0, Staged(Bytes), path, Bytes);
        server.Ask(3, from: 0, upTo: Bytes);
        server.Eventually(() => reads.Waiting == 1);
        server.Ask(4, from: 0, upTo: Bytes);
        // Whatever that has begun on the pool is begun before what comes behind it.
        using var behind = new ManualResetEventSlim();
        ThreadPool.UnsafeQueueUserWorkItem(static behind => behind.Set(), behind, preferLocal: false);
        behind.Wait(TimeSpan.FromSeconds(30)).ShouldBeTrue();
        reads.Waiting.ShouldBe(1);

        reads.LetGo();
        server.Eventually(() => reads.Waiting == 1);
        reads.LetGo();
        server.Eventually(() => server.Got.Count == 2);
        reads.Waiting.ShouldBe(0);
        reads.Seen.ShouldBe(2, "a piece was read twice");
        server.Got.ShouldBe([(3, BroadcastTag.Piece, 0), (4, BroadcastTag.Piece, 0)]);
        foreach (var rank in (int[])[3, 4])
            server.Content(rank).ShouldBe(Content(0, Bytes));
    });

    [Fact]
    public void A_rank_that_asks_from_elsewhere_gets_nothing_of_what_was_being_read_for_it() => mpi.Run(runtime =>
    {
        var (server, path) = (new Served(runtime), Write("file", 0, Bytes));
        using var reads = new HeldReads(path);
        server.Of.Offer(0, Staged(Bytes), path, Bytes);
        server.Ask(3, from: 1_000, upTo: Bytes);
        server.Eventually(() => reads.Waiting == 1);
        server.Ask(3, from: 200, upTo: 700);
        reads.LetGo();
        server.Eventually(() => reads.Waiting == 1);
        reads.LetGo();

        server.Eventually(() => server.Got.Count > 0);
        server.Got.ShouldBe([(3, BroadcastTag.Piece, 200)]);
        server.Content(3).ShouldBe(Content(200, 500));
    });

    [Fact]
    public void What_is_withdrawn_while_it_is_read_goes_nowhere_and_the_rank_is_told_whom_to_ask() => mpi.Run(runtime =>
    {
        var (server, path, other) = (new Served(runtime), Write("file", 0, Bytes), Write("other", 7, Bytes));
        using var reads = new HeldReads(path);
        server.Of.Offer(0, Staged(Bytes), path, Bytes);
        server.Ask(3, from: 0, upTo: Bytes);
        server.Eventually(() => reads.Waiting == 1);
        server.Of.Refuse(0);
        server.Eventually(() => server.Got.Count > 0);
        server.Got.ShouldBe([(3, BroadcastTag.Above, 0)]);

        // It is there again, from another file, and asked for before the reader has done with what it had begun.
        server.Of.Offer(0, Staged(Bytes), other, Bytes);
        server.Ask(3, from: 0, upTo: Bytes);
        reads.LetGo();
        server.Eventually(() => server.Got.Count > 1);
        server.Got.ShouldBe([(3, BroadcastTag.Above, 0), (3, BroadcastTag.Piece, 0)]);
        server.Content(3).ShouldBe(Content(7, Bytes));
    });

    [Fact]
    public void A_rank_that_takes_nothing_costs_four_pieces_and_holds_up_no_other() => mpi.Run(runtime =>
    {
        const int Many = 10 * BroadcastServer.PieceBytes;
        var server = new Served(runtime) { Deaf = 4 };
        var path = Write("file", 0, Many);
        server.Of.Offer(0, Staged(Many), path, available: Many / 2);
        server.Ask(4, from: 0, upTo: Many);
        server.Ask(3, from: 0, upTo: Many);
        server.Eventually(() => server.Content(3).Length == Many / 2);
        server.Of.Grow(0, Many);
        server.Eventually(() => server.Content(3).Length == Many);
        server.Content(3).AsSpan().SequenceEqual(Content(0, Many)).ShouldBeTrue();
        server.Content(4).Length.ShouldBe(4 * BroadcastServer.PieceBytes);
    });

    private static byte[] Content(int from, int bytes) => [.. Enumerable.Range(from, bytes).Select(static at => (byte)(at * 31 / 7))];

    private static StagedFile Staged(long bytes) => new("file", "digest", bytes, IsProgram: false);

    private string Write(string name, int from, int bytes)
    {
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, Content(from, bytes));
        return path;
    }

    /// <summary>A server with the ranks below it.</summary>
    private sealed class Served
    {
        private const long Period = 60_000_000;

        private readonly MpiRuntime _mpi;
        private readonly Dictionary<int, WorldPeer> _peers;
        private readonly Dictionary<int, MemoryStream> _content = [];
        private readonly MpiSendCompletion[] _finished = new MpiSendCompletion[64];

        public Served(MpiRuntime mpi)
        {
            _mpi = mpi;
            var thread = new WorldThread(mpi);
            _peers = new[] { 3, 4 }.ToDictionary(static rank => rank, rank => new WorldPeer(thread, rank, window: 0));
            Of = new BroadcastServer(thread);
            Of.Begin();
        }

        public BroadcastServer Of { get; }

        /// <summary>A rank to which sends never finish.</summary>
        public int Deaf { get; init; }

        /// <summary>To whom, what, and at which byte of the file.</summary>
        public List<(int Rank, int Tag, long Offset)> Got { get; } = [];

        /// <summary>The pieces that a rank has got.</summary>
        public byte[] Content(int rank) => _content.TryGetValue(rank, out var content) ? content.ToArray() : [];

        public void Ask(int rank, long from, long upTo) => Of.OnRequest(_peers[rank], new BroadcastPrefix(BroadcastTag.Begins, File: 0, from), upTo);

        public void Eventually(Func<bool> condition)
        {
            var stop = Stopwatch.StartNew();
            while (!condition())
            {
                stop.Elapsed.TotalSeconds.ShouldBeLessThan(30, string.Join("; ", Got));
                _ = Of.Send(NodeTimer.Now, Period);
                while (_mpi.World.TryProbe(MpiCommunicator.AnySource, MpiCommunicator.AnyTag, out var message))
                    Take(message);
                _ = _mpi.Sends.Test(_finished);
                Thread.Sleep(1);
            }
        }

        private void Take(MpiMessage message)
        {
            using var buffer = _mpi.World.Receive(message);
            var prefix = BroadcastPrefix.Read(buffer.Span);
            Got.Add((message.Source, message.Tag, prefix.Offset));
            _content.TryAdd(message.Source, new MemoryStream());
            _content[message.Source].Write(buffer.Span[BroadcastPrefix.Size..]);
            if (message.Source == Deaf)
                return;
            _peers[message.Source].Unfinished--;
            Of.OnFinished();
        }
    }
}
