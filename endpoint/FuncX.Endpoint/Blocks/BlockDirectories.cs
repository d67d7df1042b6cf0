using FuncX.Configuration;
using FuncX.Endpoint.Identity;

namespace FuncX.Endpoint.Blocks;

/// <summary>
/// <c>state_dir/blocks</c>: a directory (0700) for each block with its files and logs. Those of blocks that have ended keep their logs until
/// <see cref="KeptAfterEnd"/> newer ones have ended too.
/// </summary>
public sealed class BlockDirectories(EndpointConfiguration configuration)
{
    public const int KeptAfterEnd = 10;

    private readonly string _root = System.IO.Path.Combine(configuration.StateDirectory, "blocks");

    /// <summary>Every block that has a directory, oldest first.</summary>
    public IReadOnlyList<string> Names =>
        new DirectoryInfo(_root) is { Exists: true } root
            ? [.. root.EnumerateDirectories().OrderBy(static block => block.CreationTimeUtc).Select(static block => block.Name)]
            : [];

    public string PathOf(string blockId) => System.IO.Path.Combine(_root, blockId);

    public string RendezvousOf(string blockId) => System.IO.Path.Combine(_root, blockId, "rendezvous.json");

    public void Create(string blockId) => Directory.CreateDirectory(PathOf(blockId), FileModes.PrivateDirectory);

    public void WriteBlock(BlockFile block) => PrivateFile.WriteJson(System.IO.Path.Combine(_root, block.Block, "block.json"), block);

    public void WriteRendezvous(RendezvousFile rendezvous) => PrivateFile.WriteJson(RendezvousOf(rendezvous.Block), rendezvous);

    /// <summary>Takes the secret away: nobody can dial in for this block any more.</summary>
    public void RemoveRendezvous(string blockId) => File.Delete(RendezvousOf(blockId));

    /// <summary>All blocks whose file can be read, oldest first.</summary>
    public IReadOnlyList<BlockFile> Read(Action<string, Exception> unreadable)
    {
        var blocks = new List<BlockFile>();
        if (!Directory.Exists(_root))
            return blocks;
        foreach (var directory in Directory.EnumerateDirectories(_root))
        {
            try
            {
                if (PrivateFile.ReadJson<BlockFile>(System.IO.Path.Combine(directory, "block.json")) is { } block
                    && block.Block == System.IO.Path.GetFileName(directory))
                    blocks.Add(block);
                else
                    // Made, and then the process was killed before it wrote the block down; nothing was submitted yet.
                    Directory.Delete(directory, recursive: true);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                unreadable(directory, problem);
            }
        }

        return [.. blocks.OrderBy(block => block.Requested)];
    }

    /// <summary>Removes the directories of blocks that ended long ago.</summary>
    /// <param name="ended">Those that have ended, oldest first.</param>
    /// <returns>Those that are left.</returns>
    public IReadOnlyList<string> Prune(IReadOnlyList<string> ended)
    {
        foreach (var blockId in ended.SkipLast(KeptAfterEnd))
        {
            try
            {
                Directory.Delete(PathOf(blockId), recursive: true);
            }
            catch (Exception problem) when (problem is IOException or UnauthorizedAccessException)
            {
                // A worker's leftover that cannot be removed costs a directory, nothing else; the next start tries again.
            }
        }

        return [.. ended.TakeLast(KeptAfterEnd)];
    }
}
