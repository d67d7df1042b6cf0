using FuncX.Manager.Staging;
using Microsoft.Win32.SafeHandles;

namespace FuncX.Manager.World.Broadcast;

/// <summary>A file that this rank has, or has a part of, for the ranks below. It is open: what the cache forgets meanwhile can still be read.</summary>
internal sealed class ServedFile(StagedFile what, SafeFileHandle handle)
{
    public StagedFile What => what;

    public SafeFileHandle Handle => handle;

    /// <summary>Bytes from its beginning that are there.</summary>
    public long Available { get; set; }
}
