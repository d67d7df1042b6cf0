using System.Security.Cryptography;
using System.Text;
using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>A block that has not ended. Changed by the supervisor's loop; others read it for status or order its end.</summary>
internal sealed class Block(BlockRequest request, string secret, DateTimeOffset requestedAt, BlockRepairs repairs)
{
    private readonly byte[] _secret = SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    public BlockRequest Request { get; } = request;

    public string Secret { get; } = secret;

    public DateTimeOffset RequestedAt { get; } = requestedAt;

    public string? JobId { get; set; }

    public BlockRepairs Repairs { get; } = repairs;

    public BlockState State { get; set; } = BlockState.Pending;

    public string Reason { get; set; } = "";

    public bool RunningReported { get; set; }

    /// <summary>Why its files are not up to date; empty when they are.</summary>
    public string Unwritten { get; set; } = "";

    /// <summary>Its own file is not up to date.</summary>
    public bool Unsaved { get; set; }

    /// <summary>Its managers have not been told where the endpoint listens now.</summary>
    public bool Unannounced { get; set; }

    /// <summary>The order to end it, once it was given.</summary>
    public Task? Ending { get; set; }

    /// <summary>The job that it was given for.</summary>
    public string? EndingJob { get; set; }

    /// <summary>When the order was last given, a timestamp; 0: never.</summary>
    public long EndingSince { get; set; }

    /// <summary>It is to end: the order is given for as long as it is there.</summary>
    public bool EndRequested { get; set; }

    public bool Matches(ReadOnlySpan<byte> secretHash) => CryptographicOperations.FixedTimeEquals(_secret, secretHash);

    public KnownBlock Known() => new(Request.BlockId, State, Request.Nodes, RequestedAt,
        string.Join("; ", new[] { Reason, Unwritten.Length > 0 ? $"its files cannot be written: {Unwritten}" : "" }.Where(text => text.Length > 0)));

    public BlockFile File(string identity, string provider) => new(Request.BlockId, identity, provider, Request.Nodes, RequestedAt, Secret, JobId, State, Reason);
}
