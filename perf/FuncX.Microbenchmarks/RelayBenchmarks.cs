using System.Buffers;
using System.Globalization;
using BenchmarkDotNet.Attributes;
using FuncX.Manager.World;
using FuncX.Mpi;
using FuncX.Wire;

namespace FuncX.Microbenchmarks;

/// <summary>
/// The leader of an MPI world without its two networks: task frames from the endpoint's stream into messages for their ranks, and messages of results from ranks into writes to the endpoint.
/// The first copies each frame once, into the memory that MPI sends from; the second copies small messages that wait together once, into one write, and large ones never.
/// </summary>
[MemoryDiagnoser]
public class RelayBenchmarks : IRoutedFrames
{
    private const int Frames = 16_384;
    private const int BodyBytes = 16;
    private const int FramesOfMessage = 64;

    private readonly MpiBufferPool _buffers = new(64 << 20);
    private readonly LeaderWrite _write = new();
    private WorldRank[] _ranks = [];
    private FrameRouter _router = null!;
    private LeaderOutbox _outbox = null!;
    private ReadOnlySequence<byte> _tasks;
    private byte[] _results = [];
    private long _copied;

    [Params(16, 128)]
    public int Ranks { get; set; }

    /// <summary>Tasks for one manager that stand one after another.</summary>
    [Params(1, 64)]
    public int RunLength { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _ranks = [.. Enumerable.Range(0, Ranks).Select(rank => new WorldRank(new WorldPeer(null!, rank, window: 1), _buffers) { Generation = 1 })];
        _router = new FrameRouter(_ranks, this);
        _outbox = new LeaderOutbox(Ranks);
        var tasks = new ArrayBufferWriter<byte>();
        for (var i = 0; i < Frames; i++)
            FrameWriter.Write(tasks, new FrameHeader { Kind = FrameKind.Task, Destination = (uint)(1 + (i / RunLength % Ranks)), Ticket = (uint)i }, new byte[BodyBytes]);
        _tasks = new ReadOnlySequence<byte>(tasks.WrittenMemory);
        _results = tasks.WrittenMemory[..(FramesOfMessage * (FrameHeader.Size + BodyBytes))].ToArray();
        const int FrameBytes = FrameHeader.Size + BodyBytes;
        var (down, up) = (TasksDown(), ResultsUp());
        Check(down == FrameBytes, "each byte of a task is copied once");
        Check(up <= FrameBytes, "no byte of a result is copied more than once");
        // A comment in the log of a run, one for each case.
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture, $"// Ranks={Ranks}, RunLength={RunLength}: bytes copied per frame of {FrameBytes}: {nameof(TasksDown)} {down:0.##}, {nameof(ResultsUp)} {up:0.##}"));
    }

    /// <summary>Returns the bytes that were copied per frame.</summary>
    [Benchmark(OperationsPerInvoke = Frames)]
    public double TasksDown()
    {
        _copied = 0;
        var input = _tasks;
        _router.Route(ref input);
        foreach (var rank in _ranks)
            rank.Drop();
        return (double)_copied / Frames;
    }

    /// <summary>Returns the bytes that were copied per frame.</summary>
    [Benchmark(OperationsPerInvoke = Frames)]
    public double ResultsUp()
    {
        _copied = 0;
        for (var sent = 0; sent < Frames; sent += FramesOfMessage)
        {
            // As it comes from MPI: the library wrote it there.
            var buffer = _buffers.Rent(WorldPrefix.Size + _results.Length);
            _outbox.Add(new LeaderMessage(buffer, null), sent / FramesOfMessage % Ranks);
        }

        // As the leader's session does, without its lock: a write may be full before all is taken.
        do
        {
            _write.Begin();
            while (_write.TryTake(_outbox, mayLarge: true, out var message, out var isWhole))
            {
                if (!isWhole)
                {
                    _write.Append(message);
                    _copied += message.Frames.Length;
                }

                message.Buffer.Dispose();
            }
        }
        while (!_write.IsEmpty);

        return (double)_copied / Frames;
    }

    void IRoutedFrames.OnOwn(in FrameHeader header, ReadOnlySpan<byte> frame) => Check(false, "nothing here is for the leader");

    void IRoutedFrames.OnFrames(WorldRank rank, int tag, ReadOnlySpan<byte> frames)
    {
        rank.Add(tag, frames);
        _copied += frames.Length;
    }

    private static void Check(bool holds, string what)
    {
        if (!holds)
            throw new InvalidOperationException(what);
    }
}
