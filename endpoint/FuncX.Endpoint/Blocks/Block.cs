using System.Security.Cryptography;
using System.Text;
using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>A block that has not ended. Changed by the supervisor's loop; others read it for status or order its end.</summary>
internal sealed class Block(BlockRequest request, string secret, DateTimeOffset requestedAt, BlockRepairs repairs, int missing = 0)
{
    private readonly Lock _gate = new();
    private readonly Queue<long> _gone = new();
    private int _awaited = request.Nodes - missing;
    private int _missing = missing;

    private readonly byte[] _secret = SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    public BlockRequest Request { get; } = request;

    public string Secret { get; } = secret;

    public DateTimeOffset RequestedAt { get; } = requestedAt;

    public string? JobId { get; set; }

    public BlockRepairs Repairs { get; } = repairs;

    public BlockState State { get; set; } = BlockState.Pending;

    public string Reason { get; set; } = "";

    public bool RunningReported { get; set; }

    /// <summary>Its processes stand still, as was reported last.</summary>
    public bool Suspended { get; set; }

    /// <summary>Why it waits, as was reported last; empty: it does not, or nobody knows.</summary>
    public string PendingTold { get; set; } = "";

    /// <summary>When its job ends, as was reported last; null: nobody has said.</summary>
    public DateTimeOffset? EndsAt { get; set; }

    /// <summary>Why its files are not up to date; empty when they are.</summary>
    public string Unwritten { get; set; } = "";

    /// <summary>Its own file is not up to date.</summary>
    public bool Unsaved { get; set; }

    /// <summary>Its managers have not been told where the endpoint listens now.</summary>
    public bool Unannounced { get; set; }

    /// <summary>Since when nobody knows whether there is a job of it, a timestamp; 0: that is known.</summary>
    public long UnclearSince { get; set; }

    /// <summary>When the job was last looked for.</summary>
    public long SearchedAt { get; set; }

    /// <summary>The order to end it, once it was given.</summary>
    public Task? Ending { get; set; }

    /// <summary>The job that it was given for.</summary>
    public string? EndingJob { get; set; }

    /// <summary>When the order was last given, a timestamp; 0: never.</summary>
    public long EndingSince { get; set; }

    /// <summary>It is to end: the order is given for as long as it is there.</summary>
    public bool EndRequested { get; set; }

    public bool Matches(ReadOnlySpan<byte> secretHash) => CryptographicOperations.FixedTimeEquals(_secret, secretHash);

    /// <summary>A manager has come: one that was expected, that came back, or that takes the place of a missing one.</summary>
    /// <returns>Whether the file is to be written.</returns>
    public bool OnManagerJoined()
    {
        lock (_gate)
        {
            if (_awaited > 0)
                _awaited--;
            else if (!_gone.TryDequeue(out _) && _missing > 0)
                return Miss(_missing - 1);
            return false;
        }
    }

    /// <summary>A manager is gone. It counts as missing once it has not come back for a while: until then the next process waits for what it may hold.</summary>
    public void OnManagerGone(long now)
    {
        lock (_gate)
            _gone.Enqueue(now);
    }

    /// <summary>Counts those that went before <paramref name="before"/> as missing.</summary>
    public void CountGone(long before)
    {
        lock (_gate)
        {
            var count = 0;
            while (_gone.TryPeek(out var since) && since < before)
            {
                _gone.Dequeue();
                count++;
            }

            Miss(_missing + count);
        }
    }

    /// <summary>Those that have not come are not waited for any more, and take a missing one's place if they do.</summary>
    /// <returns>Whether the file is to be written.</returns>
    public bool OnManagersLate()
    {
        lock (_gate)
        {
            var late = _awaited;
            _awaited = 0;
            return Miss(_missing + late);
        }
    }

    private bool Miss(int missing)
    {
        missing = Math.Min(Request.Nodes, missing);
        var changed = missing != _missing;
        _missing = missing;
        Unsaved |= changed;
        return changed;
    }

    /// <param name="silence">That nobody answers who knows more; empty: somebody does.</param>
    public KnownBlock Known(string silence) => new(Request.BlockId, State, Request.Nodes, _missing, RequestedAt,
        string.Join("; ", new[] { Reason, silence, Unwritten.Length > 0 ? $"its files cannot be written: {Unwritten}" : "" }.Where(text => text.Length > 0)), JobId ?? "");

    public BlockFile File(string identity, string provider) => new(Request.BlockId, identity, provider, Environment.MachineName, Request.Nodes, _missing, RequestedAt, Secret, JobId, State, Reason);
}
