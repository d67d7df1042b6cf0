using FuncX.Manager.Engine;
using FuncX.Manager.Pools;
using FuncX.Manager.World.Functions;
using FuncX.Mpi;

namespace FuncX.Tests.Manager.World;

/// <summary>
/// The relays of a world without MPI, on a clock of their own. Messages from one rank to another come in the order in which they were sent; a rank that is stopped or dead takes none, and what
/// was sent there stays on its way.
/// </summary>
internal sealed class PlayedRanks
{
    public const long Tick = 1_000_000;
    private const int MostPieces = 4;
    private const long Step = 20_000;

    private readonly MpiBufferPool _pool = new(1 << 20);
    private readonly Dictionary<(int From, int To), Queue<Message>> _ways = [];

    public PlayedRanks(int ranks, long? mostKept = null, long mostFetched = FunctionRelay.MostFetched) =>
        Ranks = [.. Enumerable.Range(0, ranks).Select(rank => new PlayedRank(this, rank, ranks, mostKept, mostFetched))];

    public IReadOnlyList<PlayedRank> Ranks { get; }

    public PlayedRank Leader => Ranks[0];

    public long Now { get; private set; } = 1;

    /// <summary>Whether a piece is changed on its way.</summary>
    public Func<int, int, FunctionPrefix, bool> Spoils { get; set; } = static (_, _, _) => false;

    /// <summary>Told of each piece before it is taken.</summary>
    public Action<int, int, FunctionPrefix> OnPiece { get; set; } = static (_, _, _) => { };

    /// <summary>A function as the leader has it from the endpoint.</summary>
    public PlayedFunction Keep(int bytes, int seed = 1)
    {
        var body = new byte[bytes];
        new Random(seed).NextBytes(body);
        var arriving = new ArrivingFunction(_pool, number: 1, bytes);
        arriving.Add(body);
        var content = arriving.Complete(out var digest);
        Leader.Relay.Keep(digest, content);
        return new PlayedFunction(digest, body);
    }

    /// <summary>Messages travel and ranks do what they do, until a condition holds.</summary>
    /// <param name="seconds">Of the played clock.</param>
    public void Until(Func<bool> condition, int seconds = 60)
    {
        for (var end = Now + (seconds * 1_000_000L); !condition(); Now += Step)
        {
            if (Now > end)
                throw new TimeoutException($"after {seconds} s: brought {string.Join(", ", Ranks.Select(static rank => rank.Brought.Count))}; {string.Join("; ", Ranks.SelectMany(static rank => rank.Reports))}");
            foreach (var ((from, to), way) in _ways.ToArray())
            {
                if (Ranks[to].Takes && way.TryDequeue(out var message))
                    Take(from, to, message);
            }

            foreach (var rank in Ranks.Where(static rank => rank.Takes))
                rank.Relay.Send(Now, Tick);
        }
    }

    public void Pass(double seconds)
    {
        var end = Now + (long)(seconds * 1_000_000);
        Until(() => Now >= end, seconds: (int)seconds + 1);
    }

    public int PiecesTo(int from, int to) => Way(from, to).Count(static message => message.Piece is not null);

    private void Take(int from, int to, in Message message)
    {
        var relay = Ranks[to].Relay;
        if (message.Piece is not { } piece)
        {
            Ranks[to].Heard.Add((from, message.Tag));
            if (message.Tag == FunctionTag.Ask)
                relay.OnAsk(from, message.About, Now);
            else
                relay.OnWord(from, message.Tag, message.About, Now);
            return;
        }

        var about = FunctionPrefix.Read(piece.Message.Span);
        OnPiece(from, to, about);
        var buffer = _pool.Rent(piece.Message.Length);
        piece.Message.Span.CopyTo(buffer.Span);
        piece.Dispose();
        if (Spoils(from, to, about))
            buffer.Span[^1] ^= 1;
        if (!relay.OnPiece(from, about, buffer, Now))
            buffer.Dispose();
    }

    private Queue<Message> Way(int from, int to)
    {
        if (!_ways.TryGetValue((from, to), out var way))
            _ways.Add((from, to), way = new Queue<Message>());
        return way;
    }

    private readonly record struct Message(int Tag, FunctionPrefix About, FunctionPiece? Piece);

    internal sealed class PlayedRank : IRelayEffects
    {
        private readonly PlayedRanks _world;
        private readonly int _rank;

        public PlayedRank(PlayedRanks world, int rank, int ranks, long? mostKept, long mostFetched)
        {
            (_world, _rank) = (world, rank);
            Relay = new FunctionRelay(rank, ranks, this, Counts, mostKept, mostFetched);
        }

        public FunctionRelay Relay { get; }

        public FunctionCounts Counts { get; } = new();

        /// <summary>False: it is stopped or dead.</summary>
        public bool Takes { get; set; } = true;

        public Dictionary<FunctionDigest, byte[]> Brought { get; } = [];

        public List<FunctionDigest> Lost { get; } = [];

        public List<string> Reports { get; } = [];

        /// <summary>From which offsets it has asked whom.</summary>
        public List<(int Rank, long Offset)> Asked { get; } = [];

        /// <summary>Who has told it what, pieces not among it.</summary>
        public List<(int Rank, int Tag)> Heard { get; } = [];

        public void Want(PlayedFunction function) => Relay.Want(function.Digest, function.Body.Length, _world.Now);

        public bool Has(PlayedFunction function) => Brought.TryGetValue(function.Digest, out var body) && body.AsSpan().SequenceEqual(function.Body);

        bool IRelayEffects.MaySay(int rank) => true;

        bool IRelayEffects.MaySend(int rank) => _world.PiecesTo(_rank, rank) < MostPieces;

        bool IRelayEffects.HasAll(int rank) => _world.PiecesTo(_rank, rank) == 0;

        void IRelayEffects.Say(int rank, int tag, in FunctionPrefix about)
        {
            if (tag == FunctionTag.Ask)
                Asked.Add((rank, about.Offset));
            _world.Way(_rank, rank).Enqueue(new Message(tag, about, null));
        }

        void IRelayEffects.Send(int rank, FunctionPiece piece) => _world.Way(_rank, rank).Enqueue(new Message(FunctionTag.Piece, default, piece.Use()));

        void IRelayEffects.OnBrought(FunctionDigest digest, FunctionContent content) => Brought[digest] = content.ToArray();

        void IRelayEffects.OnLost(FunctionDigest digest) => Lost.Add(digest);

        void IRelayEffects.Report(string problem) => Reports.Add(problem);
    }
}

/// <summary>A function that a played leader has.</summary>
internal sealed record PlayedFunction(FunctionDigest Digest, byte[] Body);
