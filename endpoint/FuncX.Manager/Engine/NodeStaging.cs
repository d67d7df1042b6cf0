using FuncX.Manager.Link;
using FuncX.Manager.Staging;

namespace FuncX.Manager.Engine;

/// <summary>The files that this node must have before it takes work. Changed in the engine's turns, like all of the node.</summary>
internal sealed class NodeStaging(Node node)
{
    private Stager? _stager;

    /// <summary>Where the files are brought from; before the first welcome.</summary>
    public IStageSource? Source { get; set; }

    /// <summary>False as long as files are missing.</summary>
    public bool Ready { get; private set; } = true;

    /// <summary>Where workers find them; empty: there are none.</summary>
    public string Directory { get; private set; } = "";

    /// <summary>How far it is; null when there is nothing to stage.</summary>
    public StatusStaging? Status => _stager?.Progress.Status;

    /// <summary>What the first welcome says.</summary>
    public void Begin(StageSettings? settings)
    {
        if (settings is not { Files.Length: > 0 })
            return;
        Ready = false;
        _stager = new Stager(Source ?? new SourceFiles(settings.Files, node.Name), settings.RootFor(node.Directory), settings.CacheBytes, node.Name)
        {
            OnProgress = () => node.OnStaging(staged: null),
            OnEnd = (cache, files) => node.OnStaging(cache.Link(files)),
        };
        _stager.Start();
    }

    public void End(string directory) => (Directory, Ready) = (directory, true);
}
