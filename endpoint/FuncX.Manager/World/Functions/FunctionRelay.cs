using FuncX.Manager.Engine;
using FuncX.Manager.Pools;
using FuncX.Manager.World.Broadcast;
using FuncX.Mpi;

namespace FuncX.Manager.World.Functions;

/// <summary>
/// Brings functions down the ranks. A rank that has to have one, or is asked for it, asks the rank above it, and sends each piece on to those that have asked here as soon as it comes: the
/// leader sends a function to the two ranks below it, however many need it. Each rank checks the digest of what it has got before its manager or anybody below has the last piece. Nothing depends on
/// a rank in the middle: one that is silent or says that it has nothing is passed over, and what it sent wrong is asked for again, at the leader. The MPI thread's alone; time is its caller's.
/// </summary>
internal sealed class FunctionRelay
{
    /// <summary>Bytes of memory for functions that a rank with others below it keeps for those that ask later; and as much again while somebody has not had all of them.</summary>
    public const long MostKept = 32 << 20;

    /// <summary>
    /// The same at the leader, whoever is below it: the only rank that cannot ask another. The endpoint forgets beyond 64 MiB without knowing whether ranks that were told have asked yet, and
    /// one that asks too late says hello anew; so much, four times what the endpoint keeps, they may be behind.
    /// </summary>
    public const long MostKeptByLeader = 256 << 20;

    /// <summary>Bytes of functions that are brought at once, but for a single larger one.</summary>
    public const long MostFetched = 32 << 20;

    /// <summary>Ticks of silence after which the leader is asked.</summary>
    public const int SilentTicks = 5;

    /// <summary>How often the leader may send one wrong.</summary>
    public const int MostFailures = 3;

    private readonly int _rank;
    private readonly IRelayEffects _effects;
    private readonly FunctionCounts _counts;
    private readonly long _mostKept;
    private readonly long _mostFetched;
    private readonly Dictionary<FunctionDigest, RelayedFunction> _functions = [];
    private readonly List<RelayedFunction> _listed = [];
    private readonly Queue<RelayedFunction> _waiting = new();
    private readonly Queue<(int Rank, int Tag, FunctionPrefix About)> _words = new();
    private readonly Queue<FunctionDigest> _lost = new();

    // Whole ones that nobody has us keep, the one that was used least lately in front.
    private readonly LinkedList<RelayedFunction> _spare = [];
    private long _spareBytes;
    private long _fetchedBytes;
    private int _above;
    private long _lookedAt;

    public FunctionRelay(int rank, int ranks, IRelayEffects effects, FunctionCounts counts, long? mostKept = null, long mostFetched = MostFetched)
    {
        (_rank, _effects, _counts, _mostFetched) = (rank, effects, counts, mostFetched);
        // With nobody below it, it keeps nothing; the leader has its own manager, too.
        _mostKept = rank == 0 ? mostKept ?? MostKeptByLeader : (2 * rank) + 1 < ranks ? mostKept ?? MostKept : 0;
        _above = BroadcastTag.AboveOf(rank);
    }

    /// <summary>Bytes of functions that are here, or of which a part is.</summary>
    public long Bytes => _functions.Values.Sum(static function => function.Content.Received);

    /// <summary>The manager of this rank has to have a function: it is told when it is there, or that it will not come.</summary>
    public void Want(FunctionDigest digest, long bytes, long now)
    {
        var function = Find(digest, bytes);
        function.IsWanted = true;
        Use(function);
        Fetch(function, now);
    }

    /// <summary>The endpoint has the leader keep a function, which is this relay's from now on.</summary>
    public void Keep(FunctionDigest digest, FunctionContent content)
    {
        if (_functions.TryGetValue(digest, out var known))
        {
            // As before the connection broke.
            content.Drop();
            if (!known.IsKept)
                Unspare(known);
            known.IsKept = true;
            return;
        }

        _functions.Add(digest, new RelayedFunction(digest, content.Bytes) { Content = content, IsWhole = true, IsKept = true });
    }

    /// <summary>It need not keep it any longer.</summary>
    public void Forget(FunctionDigest digest)
    {
        if (!_functions.TryGetValue(digest, out var function) || !function.IsKept)
            return;
        function.IsKept = false;
        Spare(function);
        MakeRoom();
    }

    public void OnAsk(int source, in FunctionPrefix about, long now)
    {
        if (!_functions.TryGetValue(about.Digest, out var function))
        {
            if (_rank == 0 || about.Bytes is <= 0 or > FunctionNotice.MostBytes)
            {
                _words.Enqueue((source, FunctionTag.Absent, about));
                return;
            }

            function = Find(about.Digest, about.Bytes);
        }

        if (about.Bytes != function.Bytes || about.Offset < 0 || about.Offset >= function.Bytes || about.Offset % FunctionContent.PieceBytes != 0)
        {
            _words.Enqueue((source, FunctionTag.Absent, about));
            return;
        }

        var below = function.Below.Find(below => below.Rank == source);
        if (below is null)
            function.Below.Add(below = new FunctionBelow(source));
        (below.Next, below.ToldAt) = (about.Offset, now);
        Use(function);
        Fetch(function, now);
    }

    /// <summary>True when the message is kept.</summary>
    public bool OnPiece(int source, in FunctionPrefix about, MpiBuffer message, long now)
    {
        // What another sends that was asked before has been asked of this one again.
        if (Asked(source, about) is not { } function || about.Offset != function.Content.Received || message.Length - FunctionPrefix.Size != function.Content.NextBytes)
            return false;
        function.HeardAt = now;
        function.IsMixed |= function.Content.Received > 0 && function.Sender != source;
        function.Sender = source;
        function.Content.Add(new FunctionPiece(message));
        _counts.BytesReceived += message.Length - FunctionPrefix.Size;
        if (function.Content.IsWhole)
            Finish(function, now);
        return true;
    }

    /// <summary>A message that is nothing but its prefix.</summary>
    public void OnWord(int source, int tag, in FunctionPrefix about, long now)
    {
        if (Asked(source, about) is not { } function)
            return;
        switch (tag)
        {
            case FunctionTag.Wait:
                function.HeardAt = now;
                break;
            case FunctionTag.Again:
                Restart(function, source, now);
                break;
            case FunctionTag.Absent when source == 0:
                _effects.Report($"the leader does not have function {function.Digest} any more");
                Fail(function, now);
                break;
            case FunctionTag.Absent:
                Ask(function, 0, now);
                break;
        }
    }

    /// <summary>Sends what there is to send, and looks for silence; true when something but a sign of life went.</summary>
    /// <param name="now">Microseconds, on the clock of all other calls.</param>
    /// <param name="tick">Microseconds after which who waits is told so.</param>
    public bool Send(long now, long tick)
    {
        // This process may have been stopped itself: what was sent meanwhile has not been looked at yet.
        var stopped = now - _lookedAt > 2 * tick;
        _lookedAt = now;
        if (_listed.Count + _words.Count + _lost.Count == 0)
            return false;
        var traffic = false;
        // In the order in which they were asked for: later ones would keep the first from going, and who waits for it would take that for silence.
        for (var i = 0; i < _listed.Count;)
        {
            var function = _listed[i];
            if (stopped)
                function.HeardAt = now;
            traffic |= SendAsk(function, now, tick);
            traffic |= SendBelow(function, now, tick);

            // What the manager makes of it takes its time: those below have theirs first.
            if (function is { IsWhole: true, IsWanted: true })
            {
                function.IsWanted = false;
                _effects.OnBrought(function.Digest, function.Content);
                traffic = true;
            }

            if (function.IsBusy)
            {
                i++;
                continue;
            }

            function.IsListed = false;
            _listed.RemoveAt(i);
        }

        for (var left = _words.Count; left > 0; left--)
        {
            var word = _words.Dequeue();
            if (_effects.MaySay(word.Rank))
                _effects.Say(word.Rank, word.Tag, word.About);
            else
                _words.Enqueue(word);
        }

        while (_lost.TryDequeue(out var lost))
            _effects.OnLost(lost);
        MakeRoom();
        return traffic;
    }

    private RelayedFunction Find(FunctionDigest digest, long bytes)
    {
        if (!_functions.TryGetValue(digest, out var function))
            _functions.Add(digest, function = new RelayedFunction(digest, bytes));
        return function;
    }

    private RelayedFunction? Asked(int source, in FunctionPrefix about) =>
        _functions.TryGetValue(about.Digest, out var function) && function.IsFetched && function.From == source && function.Bytes == about.Bytes ? function : null;

    private void Use(RelayedFunction function)
    {
        if (!function.IsListed)
            _listed.Add(function);
        function.IsListed = true;
        if (function.Spare is not { } spare)
            return;
        _spare.Remove(spare);
        _spare.AddLast(spare);
    }

    private void Fetch(RelayedFunction function, long now)
    {
        if (function.IsWhole || function.IsFetched || function.Waits)
            return;
        if (_rank == 0)
        {
            Fail(function, now);
        }
        else if (_fetchedBytes > 0 && _fetchedBytes + function.Bytes > _mostFetched)
        {
            function.Waits = true;
            _waiting.Enqueue(function);
        }
        else
        {
            function.IsFetched = true;
            _fetchedBytes += function.Bytes;
            Ask(function, _above, now);
        }
    }

    private void EndFetch(RelayedFunction function, long now)
    {
        if (!function.IsFetched)
            return;
        function.IsFetched = false;
        _fetchedBytes -= function.Bytes;
        while (_waiting.TryPeek(out var next) && (!next.Waits || _fetchedBytes == 0 || _fetchedBytes + next.Bytes <= _mostFetched))
        {
            _waiting.Dequeue();
            if (!next.Waits)
                continue;
            next.Waits = false;
            Fetch(next, now);
        }
    }

    private static void Ask(RelayedFunction function, int from, long now) => (function.From, function.IsUnsaid, function.HeardAt) = (from, true, now);

    private void Finish(RelayedFunction function, long now)
    {
        var digest = function.Content.Seal();
        if (digest == function.Digest)
        {
            function.IsWhole = true;
            _counts.Received++;
            Spare(function);
            EndFetch(function, now);
            return;
        }

        // Which of several has sent it wrong nobody can tell.
        var from = function.IsMixed ? "more than one rank" : $"rank {function.From}";
        _effects.Report($"function {function.Digest} of {function.Bytes} bytes came from {from} with SHA-256 {digest}; the leader is asked for it again");
        if (function is { IsMixed: false, From: 0 } && ++function.Failures == MostFailures)
            Fail(function, now);
        else
            Restart(function, 0, now);
    }

    private void Restart(RelayedFunction function, int from, long now)
    {
        function.Content.Drop();
        function.Content = new FunctionContent(function.Bytes);
        function.IsMixed = false;
        SayBelow(function, FunctionTag.Again);
        Ask(function, from, now);
    }

    private void Fail(RelayedFunction function, long now)
    {
        if (function.IsWanted)
            _lost.Enqueue(function.Digest);
        Remove(function);
        EndFetch(function, now);
    }

    private void Remove(RelayedFunction function)
    {
        SayBelow(function, FunctionTag.Absent);
        function.IsWanted = function.Waits = false;
        Unspare(function);
        function.Content.Drop();
        _functions.Remove(function.Digest);
    }

    private void SayBelow(RelayedFunction function, int tag)
    {
        foreach (var below in function.Below)
            _words.Enqueue((below.Rank, tag, function.About(0)));
        function.Below.Clear();
    }

    private bool SendAsk(RelayedFunction function, long now, long tick)
    {
        if (!function.IsFetched)
            return false;
        if (now - function.HeardAt > SilentTicks * tick)
        {
            if (function.From > 0)
                _effects.Report($"rank {function.From} above has sent nothing of function {function.Digest} for {(now - function.HeardAt) / 1000} ms; the leader is asked");
            if (function.From == _above)
                _above = BroadcastTag.AboveOf(_above);
            Ask(function, 0, now);
        }

        if (!function.IsUnsaid || !_effects.MaySay(function.From))
            return false;
        function.IsUnsaid = false;
        _effects.Say(function.From, FunctionTag.Ask, function.About(function.Content.Received));
        return true;
    }

    private bool SendBelow(RelayedFunction function, long now, long tick)
    {
        var traffic = false;
        for (var i = function.Below.Count - 1; i >= 0; i--)
        {
            var below = function.Below[i];
            while (below.Next < function.Content.Received && _effects.MaySend(below.Rank))
            {
                var piece = function.Content.At(below.Next);
                _effects.Send(below.Rank, piece);
                below.Next += piece.Body.Length;
                below.ToldAt = now;
                _counts.BytesSent += piece.Body.Length;
                traffic = true;
            }

            if (below.Next == function.Bytes)
            {
                function.Below.RemoveAt(i);
            }
            else if (now - below.ToldAt > tick * 9 / 10 && _effects.HasAll(below.Rank))
            {
                below.ToldAt = now;
                _effects.Say(below.Rank, FunctionTag.Wait, function.About(below.Next));
            }
        }

        return traffic;
    }

    private void Spare(RelayedFunction function)
    {
        function.Spare = _spare.AddLast(function);
        _spareBytes += function.Content.Capacity;
    }

    private void Unspare(RelayedFunction function)
    {
        if (function.Spare is not { } spare)
            return;
        _spare.Remove(spare);
        function.Spare = null;
        _spareBytes -= function.Content.Capacity;
    }

    // First what nobody waits for. One that somebody waits for who does not take it goes later, and who does is sent to the leader.
    private void MakeRoom()
    {
        for (var spare = _spare.First; spare is not null && _spareBytes > _mostKept;)
        {
            var next = spare.Next;
            if (!spare.Value.IsBusy && (_mostKept == 0 || next is not null))
                Remove(spare.Value);
            spare = next;
        }

        while (_spareBytes > 2 * _mostKept && _spare.Count > 1 && !_spare.First!.Value.IsWanted)
            Remove(_spare.First.Value);
    }
}
