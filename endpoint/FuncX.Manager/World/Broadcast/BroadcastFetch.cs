using System.Buffers.Binary;
using System.Text;
using FuncX.Manager.Interop;
using FuncX.Manager.Staging;
using FuncX.Mpi;

namespace FuncX.Manager.World.Broadcast;

/// <summary>
/// Asks the rank above for a file at a time. One that is silent is passed over from then on, one that says so for this file: the next above it is asked, for what is still missing.
/// What waits here is at most a window.
/// </summary>
internal sealed class BroadcastFetch(WorldThread thread)
{
    private const long WindowBytes = 16 * BroadcastServer.PieceBytes;
    private const int SilentPeriods = 5;

    // Of Monitor, which is waited on; the MPI thread holds it for moments only.
    private readonly object _gate = new();
    private readonly Queue<MpiBuffer> _pieces = new();
    private int _above = BroadcastTag.AboveOf(thread.Mpi.World.Rank);
    private int _from;
    private int _file;
    private BroadcastWhat? _what;
    private bool _asksWhat;
    private bool _begins;
    private bool _unsaid;
    private long _received;
    private long _upTo;
    private long _bytes;
    private long _heardAt;
    private string _problem = "";

    private bool Waits => _asksWhat || _received < Math.Min(_upTo, _bytes);

    /// <summary>Waits to hear what a file is.</summary>
    public BroadcastWhat Ask(int file, StageProgress progress)
    {
        lock (_gate)
        {
            (_file, _from, _what, _asksWhat) = (file, _above, null, true);
            (_received, _upTo, _bytes, _begins) = (0, 0, 0, false);
            Say();
            while (_what is null)
            {
                Monitor.Wait(_gate);
                progress.Problem = _problem;
            }

            return _what;
        }
    }

    /// <summary>Begins to bring the file that was asked for last.</summary>
    public void Begin(long bytes)
    {
        lock (_gate)
        {
            (_received, _bytes, _upTo, _begins) = (0, bytes, Math.Min(bytes, WindowBytes), true);
            Say();
        }
    }

    /// <summary>Waits for the next piece, which is the caller's; its prefix is at its front.</summary>
    /// <param name="written">Bytes of the file that the caller is done with: so much further the rank above may send.</param>
    /// <param name="progress">Is told why nothing comes.</param>
    public MpiBuffer Take(long written, StageProgress progress)
    {
        lock (_gate)
        {
            var upTo = Math.Min(_bytes, written + WindowBytes);
            // Not for every piece a message, but in time.
            if (upTo - _upTo >= WindowBytes / 4 || (upTo > _upTo && upTo == _bytes))
            {
                _upTo = upTo;
                Say();
            }

            while (_pieces.Count == 0)
            {
                Monitor.Wait(_gate);
                progress.Problem = _problem;
            }

            return _pieces.Dequeue();
        }
    }

    /// <summary>What still comes of this file is not wanted.</summary>
    public void End()
    {
        lock (_gate)
        {
            _received = _upTo = _bytes = 0;
            while (_pieces.TryDequeue(out var piece))
                piece.Dispose();
        }
    }

    /// <summary>On the MPI thread: asks, and looks for silence. True when it was something.</summary>
    public bool Send(Func<int, WorldPeer> peerOf, long now, long period)
    {
        if (!Volatile.Read(ref _asksWhat) && Volatile.Read(ref _upTo) == 0)
            return false;
        lock (_gate)
        {
            if (Waits && now - _heardAt > SilentPeriods * period)
            {
                if (_from == _above && _from > 0)
                {
                    Console.Error.WriteLine($"funcx-manager rank {thread.Mpi.World.Rank}: stage_in: rank {_from} above has not been heard for {(now - _heardAt) / 1000} ms; the one above it is asked");
                    _above = BroadcastTag.AboveOf(_above);
                }

                Climb(now);
            }

            if (!_unsaid || !peerOf(_from).MaySend)
                return false;
            var message = thread.Mpi.Buffers.Rent(BroadcastPrefix.Size + sizeof(long));
            new BroadcastPrefix((_asksWhat ? BroadcastTag.AsksWhat : 0) | (_begins ? BroadcastTag.Begins : 0), _file, _received).Write(message.Span);
            BinaryPrimitives.WriteInt64LittleEndian(message.Span[BroadcastPrefix.Size..], _upTo);
            thread.Send(peerOf(_from), BroadcastTag.Request, message);
            (_unsaid, _begins) = (false, false);
            return true;
        }
    }

    /// <summary>On the MPI thread: an answer. True when the message is kept.</summary>
    public bool OnMessage(int source, int tag, MpiBuffer message, BroadcastWhat? what)
    {
        var prefix = BroadcastPrefix.Read(message.Span);
        lock (_gate)
        {
            // What another sends that was asked before has been asked of this one again.
            if (source != _from || prefix.File != _file)
                return false;
            _heardAt = NodeTimer.Now;
            var kept = false;
            switch (tag)
            {
                case BroadcastTag.What when _asksWhat:
                    (_what, _asksWhat, _problem) = (what, false, "");
                    break;
                case BroadcastTag.Piece when prefix.Offset == _received && _received < _upTo:
                    _received += message.Length - BroadcastPrefix.Size;
                    _pieces.Enqueue(message);
                    (kept, _problem) = (true, "");
                    break;
                case BroadcastTag.Wait:
                    _problem = Encoding.UTF8.GetString(message.Span[BroadcastPrefix.Size..]);
                    break;
                case BroadcastTag.Above when Waits:
                    Climb(_heardAt);
                    break;
            }

            Monitor.Pulse(_gate);
            return kept;
        }
    }

    private void Climb(long now)
    {
        _from = _from == 0 ? 0 : BroadcastTag.AboveOf(_from);
        _begins = !_asksWhat;
        _unsaid = true;
        _heardAt = now;
    }

    private void Say()
    {
        _unsaid = true;
        _heardAt = NodeTimer.Now;
        thread.Wake();
    }
}
