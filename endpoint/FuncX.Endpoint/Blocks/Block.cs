using System.Security.Cryptography;
using System.Text;
using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>A block that has not ended. Changed by the supervisor's loop; others read it for status or order its end.</summary>
internal sealed class Block(BlockRequest request, string secret, DateTimeOffset requestedAt)
{
    private readonly byte[] _secret = SHA256.HashData(Encoding.UTF8.GetBytes(secret));

    public BlockRequest Request { get; } = request;

    public string Secret { get; } = secret;

    public DateTimeOffset RequestedAt { get; } = requestedAt;

    public string? JobId { get; set; }

    public BlockState State { get; set; } = BlockState.Pending;

    public string Reason { get; set; } = "";

    public bool RunningReported { get; set; }

    /// <summary>The order to end it, once it was given.</summary>
    public Task? Ending { get; set; }

    public bool EndRequested { get; set; }

    public bool Matches(ReadOnlySpan<byte> secretHash) => CryptographicOperations.FixedTimeEquals(_secret, secretHash);

    public KnownBlock Known() => new(Request.BlockId, State, Request.Nodes, RequestedAt, Reason);

    public BlockFile File(string provider) => new(Request.BlockId, provider, Request.Nodes, RequestedAt, Secret, JobId, State, Reason);
}
