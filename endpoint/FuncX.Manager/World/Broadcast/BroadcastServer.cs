using System.Text;
using System.Text.Json;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Manager.Staging;
using FuncX.Mpi;

namespace FuncX.Manager.World.Broadcast;

/// <summary>
/// Gives the ranks below what this one has of each file, as far as they have room for it. A thread of the pool reads, the MPI thread sends, at most a few pieces ahead for each rank: one that
/// does not listen costs that much memory and holds up nobody.
/// </summary>
internal sealed class BroadcastServer(WorldThread thread) : IThreadPoolWorkItem
{
    public const int PieceBytes = (256 << 10) - BroadcastPrefix.Size;
    private const int MostPieces = 4;

    private readonly Lock _gate = new();
    private readonly Dictionary<int, RankBelow> _below = [];
    private readonly Dictionary<int, ServedFile> _files = [];
    private readonly HashSet<int> _refused = [];
    private readonly bool _leads = thread.Mpi.World.Rank == 0;
    private StagePlan? _plan;
    private bool _begun;
    private bool _reading;
    private bool _busy;
    private string _broken = "";

    /// <summary>Why there is nothing to give, for those who wait.</summary>
    public Func<string> Problem { get; set; } = static () => "";

    /// <summary>This rank stages: what it has not, it will have. Until then ranks ask above it.</summary>
    public void Begin()
    {
        lock (_gate)
            _begun = true;
    }

    public void Know(StagePlan plan)
    {
        lock (_gate)
            _plan = plan;
        thread.Wake();
    }

    /// <summary>A file is here, or will be.</summary>
    public void Offer(int index, StagedFile what, string path, long available)
    {
        var served = new ServedFile(what, File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete)) { Available = available };
        lock (_gate)
        {
            Remove(index);
            _refused.Remove(index);
            _files[index] = served;
        }

        Go();
    }

    /// <summary>More of it is here.</summary>
    public void Grow(int index, long available)
    {
        lock (_gate)
            _files[index].Available = available;
        Go();
    }

    /// <summary>It is not to be had here for now.</summary>
    public void Refuse(int index)
    {
        lock (_gate)
        {
            Remove(index);
            _refused.Add(index);
        }

        thread.Wake();
    }

    /// <summary>On the MPI thread.</summary>
    public void OnRequest(WorldPeer peer, in BroadcastPrefix prefix, long upTo)
    {
        lock (_gate)
        {
            if (!_below.TryGetValue(peer.Rank, out var below))
                _below.Add(peer.Rank, below = new RankBelow(peer));
            if (below.File != prefix.File || (prefix.Flags & BroadcastTag.Begins) != 0)
            {
                below.Drop();
                below.File = prefix.File;
                below.Next = prefix.Offset;
            }

            below.AsksWhat = (prefix.Flags & BroadcastTag.AsksWhat) != 0;
            below.UpTo = upTo;
            below.ToldAt = NodeTimer.Now;
            _busy = true;
        }

        Read();
    }

    /// <summary>On the MPI thread: what is ready goes. True when it was something.</summary>
    public bool Send(long now, long period)
    {
        if (!Volatile.Read(ref _busy))
            return false;
        var traffic = false;
        lock (_gate)
        {
            _busy = false;
            foreach (var below in _below.Values)
            {
                traffic |= SendTo(below, now, period);
                _busy |= !below.IsServed;
            }
        }

        if (traffic)
            Read();
        return traffic;
    }

    /// <summary>On the MPI thread: there may be room for another piece.</summary>
    public void OnFinished()
    {
        if (Volatile.Read(ref _busy))
            Read();
    }

    void IThreadPoolWorkItem.Execute()
    {
        while (true)
        {
            RankBelow? below;
            ServedFile file;
            long at;
            int bytes;
            lock (_gate)
            {
                below = Next();
                if (below is null)
                {
                    _reading = false;
                    return;
                }

                file = _files[below.File];
                at = below.Next;
                // Outside the lock it may ask for less meanwhile, or for another file.
                bytes = (int)Math.Min(PieceBytes, Math.Min(below.UpTo, file.Available) - at);
            }

            var piece = thread.Mpi.Buffers.Rent(BroadcastPrefix.Size + bytes);
            var read = 0;
            var broken = "";
            try
            {
                while (read < bytes && RandomAccess.Read(file.Handle, piece.Span[(BroadcastPrefix.Size + read)..], at + read) is > 0 and var count)
                    read += count;
            }
            catch (Exception gone) when (gone is IOException or ObjectDisposedException)
            {
                // Withdrawn meanwhile, or the disk is broken: others have it.
                broken = gone.Message;
            }

            lock (_gate)
            {
                if (read == bytes && below.Next == at && _files.GetValueOrDefault(below.File) == file)
                {
                    new BroadcastPrefix(0, below.File, at).Write(piece.Span);
                    below.Pieces.Enqueue(piece);
                    below.Next += bytes;
                    _busy = true;
                }
                else
                {
                    piece.Dispose();
                    if (read < bytes && _files.GetValueOrDefault(below.File) == file)
                    {
                        _refused.Add(below.File);
                        _broken = $"reading {file.What.Name} again failed: {broken}";
                    }
                }
            }

            thread.Wake();
        }
    }

    private bool SendTo(RankBelow below, long now, long period)
    {
        if (below.IsServed || !below.Peer.MaySend)
            return false;
        if (!_leads && (!_begun || _refused.Contains(below.File)))
        {
            below.Drop();
            below.AsksWhat = false;
            below.UpTo = 0;
            thread.Send(below.Peer, BroadcastTag.Above, Message(below.File, []));
            return true;
        }

        var traffic = false;
        if (below.AsksWhat && _plan is { } plan && (plan.Files == 0 || _files.ContainsKey(below.File)))
        {
            below.AsksWhat = false;
            var what = new BroadcastWhat(plan.Files, plan.Bytes, _files.GetValueOrDefault(below.File)?.What);
            thread.Send(below.Peer, BroadcastTag.What, Message(below.File, JsonSerializer.SerializeToUtf8Bytes(what, MessageJson.Default.BroadcastWhat)));
            traffic = true;
        }

        while (below.Peer.Unfinished < MostPieces && below.Pieces.TryDequeue(out var piece))
        {
            thread.Send(below.Peer, BroadcastTag.Piece, piece);
            traffic = true;
        }

        if (traffic)
        {
            below.ToldAt = now;
        }
        else if (!below.IsServed && now - below.ToldAt > period * 9 / 10)
        {
            below.ToldAt = now;
            thread.Send(below.Peer, BroadcastTag.Wait, Message(below.File, Encoding.UTF8.GetBytes(_broken.Length > 0 ? _broken : Problem())));
        }

        return traffic;
    }

    private MpiBuffer Message(int file, ReadOnlySpan<byte> body)
    {
        var message = thread.Mpi.Buffers.Rent(BroadcastPrefix.Size + body.Length);
        new BroadcastPrefix(0, file, 0).Write(message.Span);
        body.CopyTo(message.Span[BroadcastPrefix.Size..]);
        return message;
    }

    private void Go()
    {
        Read();
        thread.Wake();
    }

    // One reader at a time.
    private void Read()
    {
        lock (_gate)
        {
            if (_reading || Next() is null)
                return;
            _reading = true;
        }

        ThreadPool.UnsafeQueueUserWorkItem(this, preferLocal: false);
    }

    // The rank that is furthest behind.
    private RankBelow? Next()
    {
        RankBelow? next = null;
        foreach (var below in _below.Values)
        {
            if (_files.TryGetValue(below.File, out var file) && !_refused.Contains(below.File) && below.Next < Math.Min(below.UpTo, file.Available)
                && below.Pieces.Count + below.Peer.Unfinished < MostPieces && (next is null || below.Next < next.Next))
            {
                next = below;
            }
        }

        return next;
    }

    private void Remove(int index)
    {
        if (_files.Remove(index, out var old))
            old.Handle.Dispose();
    }
}

/// <summary>What a file is, and all of them together.</summary>
internal sealed record BroadcastWhat(int Files, long Bytes, StagedFile? File);
