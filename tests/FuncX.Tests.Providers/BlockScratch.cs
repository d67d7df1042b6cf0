using FuncX.Providers;

namespace FuncX.Tests.Providers;

/// <summary>A directory for the blocks of one test, whose path has everything in it that a shell could trip over.</summary>
internal sealed class BlockScratch : IDisposable
{
    private const UnixFileMode Private = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
    private readonly string _root = Directory.CreateTempSubdirectory("funcx-p-").FullName;
    private int _made;

    public BlockScratch(bool plain = false)
    {
        Home = Path.Combine(_root, plain ? "home" : "a b's \"c\" $(touch INJECTED) `touch INJECTED` ; & | < > * ? # é");
        Directory.CreateDirectory(Home, Private);
    }

    public string Home { get; }

    /// <summary>Whether a path was executed somewhere.</summary>
    public bool IsInjected => Directory.EnumerateFiles(_root, "INJECTED", SearchOption.AllDirectories).Any();

    public static string Repository
    {
        get
        {
            var root = new DirectoryInfo(AppContext.BaseDirectory);
            while (!File.Exists(Path.Combine(root.FullName, "FuncX.sln")))
                root = root.Parent ?? throw new DirectoryNotFoundException("FuncX.sln is in no directory above the tests");
            return root.FullName;
        }
    }

    /// <summary>A block whose managers say their arguments in their logs, then do what <paramref name="body"/> says.</summary>
    public BlockRequest Block(string body, int nodes = 1, string owner = "0123456789", string? id = null)
    {
        id ??= $"b{++_made}-1";
        var directory = Path.Combine(Home, id);
        Directory.CreateDirectory(directory, Private);
        var manager = Path.Combine(directory, "manager");
        File.WriteAllText(manager, $"#!/bin/bash\nprintf '%s\\n' \"$@\" >\"$6.arguments\"\n{body}\n");
        File.SetUnixFileMode(manager, Private);
        return new BlockRequest { BlockId = id, Endpoint = "test", Owner = owner, Nodes = nodes, Directory = directory, Rendezvous = Path.Combine(directory, "rendezvous.json"), Manager = manager };
    }

    /// <summary>What the manager of a node was given, once it runs.</summary>
    public static string[] Arguments(BlockRequest block, string node) =>
        File.Exists(Path.Combine(block.Directory, $"{node}.arguments")) ? File.ReadAllLines(Path.Combine(block.Directory, $"{node}.arguments")) : [];

    public void Dispose()
    {
        try
        {
            Directory.Delete(_root, recursive: true);
        }
        catch (IOException)
        {
            // A job that ends this moment may still write.
        }
    }
}
