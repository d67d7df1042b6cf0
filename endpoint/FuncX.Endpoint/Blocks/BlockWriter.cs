using FuncX.Endpoint.Identity;
using FuncX.Providers;

namespace FuncX.Endpoint.Blocks;

/// <summary>
/// Keeps the files of blocks up to date: <c>block.json</c> for the next process, <c>rendezvous.json</c> for their managers. A disk that takes nothing costs a file's freshness and not the block: it
/// is written again at a later look.
/// </summary>
internal sealed partial class BlockWriter(BlockDirectories directories, EndpointIdentity identity, string provider, EndpointCertificate certificate, ILogger logger)
{
    private IReadOnlyList<string> _ended = [];

    /// <summary>Makes the files of a new block.</summary>
    /// <exception cref="IOException">They could not be written.</exception>
    /// <exception cref="UnauthorizedAccessException">Likewise.</exception>
    public void Create(Block block, IReadOnlyList<string> addresses)
    {
        directories.Create(block.Request.BlockId);
        directories.WriteBlock(block.File(identity.Key, provider));
        directories.WriteRendezvous(Rendezvous(block, addresses));
    }

    public void Write(Block block)
    {
        // Before the file is made: what changes meanwhile is written the next time.
        block.Unsaved = false;
        if (!Try(block, () => directories.WriteBlock(block.File(identity.Key, provider))))
            block.Unsaved = true;
    }

    /// <summary>Says to a block's managers where the endpoint listens.</summary>
    public void Announce(Block block, IReadOnlyList<string> addresses) => block.Unannounced = !Try(block, () => directories.WriteRendezvous(Rendezvous(block, addresses)));

    /// <summary>Writes what could not be written before, or has changed since.</summary>
    public void WriteAgain(Block block, IReadOnlyList<string> addresses)
    {
        if (block.Unannounced)
            Announce(block, addresses);
        if (block.Unsaved)
            Write(block);
        if (!block.Unannounced && !block.Unsaved)
            block.Unwritten = "";
    }

    /// <summary>Writes a block's end down, and takes its secret away.</summary>
    public void WriteEnd(Block block, BlockState state, string reason)
    {
        (block.State, block.Reason) = (state, reason);
        try
        {
            directories.RemoveRendezvous(block.Request.BlockId);
            directories.WriteBlock(block.File(identity.Key, provider) with { Secret = "" });
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            // A full disk must not keep a block from ending; the next start asks the provider and finds the same.
            Log.EndUnwritten(logger, block.Request.BlockId, problem.Message);
        }
    }

    /// <summary>These have ended, too: removes the directories of those that ended long ago.</summary>
    public void Prune(params IEnumerable<string> ended) => _ended = directories.Prune([.. _ended, .. ended]);

    private RendezvousFile Rendezvous(Block block, IReadOnlyList<string> addresses) => new(addresses, certificate.Fingerprint, block.Secret, block.Request.BlockId);

    private bool Try(Block block, Action write)
    {
        try
        {
            write();
            return true;
        }
        catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
        {
            if (block.Unwritten != problem.Message)
                Log.BlockUnwritten(logger, block.Request.BlockId, problem.Message);
            block.Unwritten = problem.Message;
            return false;
        }
    }

    private static partial class Log
    {
        [LoggerMessage(Level = LogLevel.Warning, Message = "the end of block {Block} could not be written down: {Reason}")]
        public static partial void EndUnwritten(ILogger logger, string block, string reason);

        [LoggerMessage(Level = LogLevel.Warning, Message = "the files of block {Block} cannot be written, which is tried again: {Reason}")]
        public static partial void BlockUnwritten(ILogger logger, string block, string reason);
    }
}
