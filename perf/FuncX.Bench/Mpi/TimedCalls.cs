using System.Buffers.Binary;
using System.Buffers.Text;
using System.Diagnostics;
using System.Text;
using FuncX.Bench.Engine;
using FuncX.Wire;

namespace FuncX.Bench.Mpi;

/// <summary>Calls over a played link, each with the time from its sending to its result: tiny ones, and others whose value is large. Every value is checked.</summary>
internal sealed class TimedCalls
{
    private const uint TinyFunction = 1;
    private const uint LargeFunction = 2;
    private const int FrameBytes = FrameHeader.Size + 16;
    private const int MostOfMessage = 256;
    private const string Source = "def tiny(x):\n    return x\ndef large(n):\n    return 'x' * n\n";
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly PlayedLink _link;
    private volatile TinyRun? _tiny;
    private volatile LargeCall? _large;

    private TimedCalls(PlayedLink link) => _link = link;

    public static async Task<TimedCalls> OnAsync(PlayedLink link)
    {
        var calls = new TimedCalls(link);
        link.Taker = calls.Take;
        await link.IntroduceAsync(("tiny", Source), ("large", Source));
        return calls;
    }

    /// <summary>Makes calls of a function that does nothing, so many at a time.</summary>
    /// <returns>How long each took.</returns>
    public async Task<CallTimes[]> TinyAsync(int count, int atOnce)
    {
        var run = new TinyRun(count, atOnce);
        _tiny = run;
        var message = new byte[MostOfMessage * FrameBytes];
        for (var next = 0; next < count;)
        {
            await run.Room.WaitAsync(s_patience);
            var (length, tasks) = (0, 0);
            do
            {
                run.Sent[next] = Stopwatch.GetTimestamp();
                length += Write(message.AsSpan(length), new TaskId(run.Batch, (uint)next), TinyFunction, next);
                next++;
                tasks++;
            }
            while (next < count && tasks < MostOfMessage && run.Room.Wait(0));
            await _link.SendAsync(message.AsMemory(0, length), tasks);
        }

        await run.Done.Task.WaitAsync(s_patience);
        return run.Times;
    }

    /// <summary>Makes one call whose value is a text of so many characters.</summary>
    public async Task LargeAsync(int characters)
    {
        var call = new LargeCall(characters);
        _large = call;
        var frame = new byte[FrameBytes];
        await _link.SendAsync(frame.AsMemory(0, Write(frame, call.Task, LargeFunction, characters)), 1);
        await call.Done.Task.WaitAsync(s_patience);
    }

    private static int Write(Span<byte> output, TaskId task, uint function, int argument)
    {
        var body = output[FrameHeader.Size..];
        body[0] = (byte)'[';
        Utf8Formatter.TryFormat(argument, body[1..], out var written);
        body[++written] = (byte)']';
        new FrameHeader { BodyLength = ++written, Kind = FrameKind.Task, Attempt = 1, Epoch = 1, Task = task, Function = function, Owner = 1, ContentType = ContentType.Json }.Write(output);
        return FrameHeader.Size + written;
    }

    private void Take(ReadOnlySpan<byte> frames)
    {
        try
        {
            while (frames.Length > 0)
            {
                if (!FrameReader.TryRead(frames, out var header, out var length))
                    throw new InvalidDataException("the endpoint sent a part of a frame");
                var body = frames[FrameHeader.Size..length];
                frames = frames[length..];
                if (_tiny is { } tiny && header.Task.Batch == tiny.Batch)
                    tiny.Take(header, body);
                else if (_large is { } large && header.Task == large.Task)
                    large.Take(header, body);
                else
                    throw new InvalidDataException($"the endpoint sent {header.Kind} of task {header.Task}");
            }
        }
        catch (Exception wrong) when (wrong is InvalidDataException or FrameException)
        {
            _tiny?.Done.TrySetException(wrong);
            _large?.Done.TrySetException(wrong);
        }
    }

    private sealed class TinyRun(int count, int atOnce)
    {
        private int _left = count;

        public BatchId Batch { get; } = ServiceApi.NewBatch();

        public SemaphoreSlim Room { get; } = new(atOnce);

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public long[] Sent { get; } = new long[count];

        public CallTimes[] Times { get; } = new CallTimes[count];

        public void Take(in FrameHeader header, ReadOnlySpan<byte> body)
        {
            var number = (int)header.Task.Index;
            var prefix = ResultPrefix.Read(body, body.Length);
            var outcome = prefix.Outcome;
            if (header.Kind != FrameKind.Result || outcome != TaskOutcome.Value || !Utf8Parser.TryParse(body[ResultPrefix.Size..], out int value, out _) || value != number || Times[number].Milliseconds != 0)
                throw new InvalidDataException($"call {number} came back as {header.Kind}, {outcome}: {Encoding.UTF8.GetString(body[ResultPrefix.Size..][..Math.Min(200, body.Length - ResultPrefix.Size)])}");
            Times[number] = CallTimes.Of(Stopwatch.GetElapsedTime(Sent[number]).TotalMilliseconds, prefix);
            Room.Release();
            if (--_left == 0)
                Done.TrySetResult();
        }
    }

    private sealed class LargeCall(int characters)
    {
        private long _left = ResultPrefix.Size + characters + 2;

        public TaskId Task { get; } = new(ServiceApi.NewBatch(), 0);

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public void Take(in FrameHeader header, ReadOnlySpan<byte> body)
        {
            var piece = body;
            if (header.Kind == FrameKind.Result)
            {
                var whole = BinaryPrimitives.ReadInt64LittleEndian(body);
                var outcome = ResultPrefix.Read(body[sizeof(long)..], whole).Outcome;
                if ((header.Flags & FrameFlags.Segmented) == 0 || outcome != TaskOutcome.Value || whole != _left)
                    throw new InvalidDataException($"a large value came back as {outcome} of {whole} bytes; {_left} are right");
                piece = body[(sizeof(long) + ResultPrefix.Size)..];
                _left -= ResultPrefix.Size;
            }

            // Between its quotes.
            if (piece.Trim((byte)'"').ContainsAnyExcept((byte)'x'))
                throw new InvalidDataException("a large value came back changed");
            _left -= piece.Length;
            if (_left == 0)
                Done.TrySetResult();
            else if (_left < 0 || (header.Flags & FrameFlags.Last) != 0)
                throw new InvalidDataException($"{_left} bytes of a large value are missing");
        }
    }
}
