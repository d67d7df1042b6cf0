using System.Security.Cryptography;
using BenchmarkDotNet.Attributes;
using FuncX.Service.Storage;

namespace FuncX.Microbenchmarks;

/// <summary>One durable group commit of the task store: a row and an fdatasync, whatever it holds.</summary>
[MemoryDiagnoser]
public class GroupCommitBenchmarks : IDisposable
{
    private string _directory = null!;
    private TaskStore _store = null!;
    private byte[] _changes = null!;
    private long _time;

    /// <summary>One task alone; a batch of 1,000 small ones; ten of those.</summary>
    [Params(100, 72_000, 720_000)]
    public int Bytes { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _directory = Directory.CreateTempSubdirectory("group-commit").FullName;
        _store = TaskStore.Open(_directory);
        _changes = RandomNumberGenerator.GetBytes(Bytes);
    }

    [Benchmark]
    public long Commit()
    {
        _store.Append(_changes, [], 0, ++_time, 1, null);
        _store.Maintain(quiet: false);
        return _store.LastChunk;
    }

    [GlobalCleanup]
    public void Dispose()
    {
        _store.Dispose();
        Directory.Delete(_directory, recursive: true);
    }
}
