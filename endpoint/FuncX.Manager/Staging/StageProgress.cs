using FuncX.Manager.Link;

namespace FuncX.Manager.Staging;

/// <summary>How far staging is, for the status. Any thread may write and read.</summary>
internal sealed class StageProgress
{
    private long _bytes;
    private int _files;

    public StagePlan Plan { get; set; }

    public long BytesDone => Interlocked.Read(ref _bytes);

    public int FilesDone => Volatile.Read(ref _files);

    /// <summary>Why it does not go on; empty while it does.</summary>
    public string Problem { get; set; } = "";

    public StatusStaging Status => new(Plan.Files, FilesDone, Plan.Bytes, BytesDone, Problem);

    public void Add(long bytes) => Interlocked.Add(ref _bytes, bytes);

    /// <summary>So many files are there whole, with so many bytes; what is half there does not count.</summary>
    public void Set(int files, long bytes)
    {
        Volatile.Write(ref _files, files);
        Interlocked.Exchange(ref _bytes, bytes);
    }
}
