using System.Buffers.Text;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Bench.Engine;

/// <summary>The service's side of one link: sends frames as far as the credit goes, checks every result, acknowledges.</summary>
internal sealed class PlayedLink(IAsyncStreamReader<EndpointMessage> requests, IServerStreamWriter<ServiceMessage> responses) : IDisposable
{
    private const int MessageBytes = 256 * 1024;
    private const string NoOp = "def noop(x):\n    return x\n";
    private const string Wait = "import time\n\ndef wait(seconds, number):\n    time.sleep(seconds)\n    return number\n";

    private readonly SemaphoreSlim _writing = new(1, 1);
    private readonly SemaphoreSlim _sending = new(1, 1);
    private readonly SemaphoreSlim _creditCame = new(0);
    private readonly byte[] _message = new byte[MessageBytes];
    private bool _introduced;
    private ulong _creditTasks;
    private ulong _creditBytes;
    private ulong _sentTasks;
    private ulong _sentBytes;

    /// <summary>Managers that the endpoint last told of.</summary>
    public int Managers { get; private set; }

    /// <summary>Takes frames of results; called while they are read. A run takes its own.</summary>
    public Action<ReadOnlySpan<byte>>? Taker { get; set; }

    /// <summary>Tells of an owner and of Python functions, numbered from 1.</summary>
    public async Task IntroduceAsync(params (string Name, string Source)[] functions)
    {
        foreach (var (index, (name, source)) in functions.Index())
        {
            var number = (uint)index + 1;
            await WriteAsync(new ServiceMessage
            {
                Function = new LinkFunction { Number = number, FunctionId = number.ToString("x64", CultureInfo.InvariantCulture), Kind = "python", Name = name, Entry = name, Code = ByteString.CopyFromUtf8(source) },
            });
        }

        await WriteAsync(new ServiceMessage { Owner = new LinkOwner { Number = 1, Owner = "bench" } });
    }

    /// <summary>Sends frames of tasks, together at most 256 KiB, once the endpoint has room for them. The memory is the caller's again then.</summary>
    public async Task SendAsync(ReadOnlyMemory<byte> frames, int tasks)
    {
        await _sending.WaitAsync();
        try
        {
            while (_sentTasks + (ulong)tasks > Volatile.Read(ref _creditTasks) || _sentBytes + (ulong)frames.Length > Volatile.Read(ref _creditBytes))
                await _creditCame.WaitAsync();
            _sentTasks += (ulong)tasks;
            _sentBytes += (ulong)frames.Length;
            await WriteAsync(new ServiceMessage { Tasks = new LinkTasks { Frames = UnsafeByteOperations.UnsafeWrap(frames) } });
        }
        finally
        {
            _sending.Release();
        }
    }

    /// <summary>Sends tasks 0 .. count-1, each with an argument of at least <paramref name="bodyBytes"/>, and waits for every value.</summary>
    /// <returns>Tasks per second, from the first send to the last result.</returns>
    public async Task<double> RunAsync(int count, int bodyBytes) => count / (await RunAsync(new PlayedTasks(count) { BodyBytes = bodyBytes }, TimeSpan.FromMinutes(5))).TotalSeconds;

    /// <summary>Sends tasks and waits for every value.</summary>
    /// <returns>From the first send to the last result.</returns>
    public async Task<TimeSpan> RunAsync(PlayedTasks tasks, TimeSpan within)
    {
        if (!_introduced)
        {
            _introduced = true;
            await IntroduceAsync(("noop", NoOp), ("wait", Wait));
        }

        var run = new Run(tasks);
        Taker = run.TakeAll;
        var clock = Stopwatch.StartNew();
        for (var next = 0; next < run.Count;)
        {
            var length = Fill(run, ref next, out var filled);
            if (filled == 0)
            {
                await _creditCame.WaitAsync();
                continue;
            }

            // The buffer is free again once WriteAsync has serialised the message.
            await WriteAsync(new ServiceMessage { Tasks = new LinkTasks { Frames = UnsafeByteOperations.UnsafeWrap(_message.AsMemory(0, length)) } });
        }

        await run.Done.Task.WaitAsync(within);
        return clock.Elapsed;
    }

    /// <summary>Reads until the endpoint goes away.</summary>
    public async Task ReadAsync(CancellationToken cancellation)
    {
        while (await requests.MoveNext(cancellation))
        {
            var message = requests.Current;
            switch (message.MessageCase)
            {
                case EndpointMessage.MessageOneofCase.Credit:
                    Volatile.Write(ref _creditBytes, message.Credit.Bytes);
                    Volatile.Write(ref _creditTasks, message.Credit.Tasks);
                    if (_creditCame.CurrentCount == 0)
                        _creditCame.Release();
                    break;
                case EndpointMessage.MessageOneofCase.Results:
                    Taker?.Invoke(message.Results.Frames.Span);
                    await WriteAsync(new ServiceMessage { Ack = new LinkAck { Sequence = message.Results.Sequence } });
                    break;
                case EndpointMessage.MessageOneofCase.Status:
                    Managers = message.Status.Managers;
                    break;
                default:
                    break;
            }
        }
    }

    public void Dispose()
    {
        _writing.Dispose();
        _sending.Dispose();
        _creditCame.Dispose();
    }

    private async Task WriteAsync(ServiceMessage message)
    {
        await _writing.WaitAsync();
        try
        {
            await responses.WriteAsync(message);
        }
        finally
        {
            _writing.Release();
        }
    }

    private int Fill(Run run, ref int next, out int tasks)
    {
        var room = (long)(Volatile.Read(ref _creditTasks) - _sentTasks);
        var length = 0;
        tasks = 0;
        while (next < run.Count && tasks < room)
        {
            var size = run.FrameBytes(next);
            if (length + size > MessageBytes || _sentBytes + (ulong)(length + size) > Volatile.Read(ref _creditBytes))
                break;
            length += run.Write(_message.AsSpan(length), next);
            next++;
            tasks++;
        }

        _sentTasks += (ulong)tasks;
        _sentBytes += (ulong)length;
        return length;
    }

    /// <summary>One run: its frames, and what has come back of it.</summary>
    private sealed class Run
    {
        private readonly BatchId _batch = ServiceApi.NewBatch();
        private readonly PlayedTasks _tasks;
        private readonly byte[] _opening;
        private readonly byte[] _closing;
        private readonly int _valueFrom;
        private readonly long _atLeast;
        private readonly bool[] _seen;
        private int _left;

        public Run(PlayedTasks tasks)
        {
            // [NUMBER], ["NUMBER xxxx"] or [SECONDS,NUMBER].
            _tasks = tasks;
            _opening = Encoding.ASCII.GetBytes(tasks.Opening);
            _closing = Encoding.ASCII.GetBytes(tasks.Closing);
            _valueFrom = tasks.ValueFrom;
            // Two clocks: a worker waits by one that is never set, and tells the time by one that may be.
            _atLeast = (long)((tasks.Seconds ?? 0) * 1e6 * 0.999);
            _seen = new bool[tasks.Count];
            _left = tasks.Count;
        }

        public int Count => _seen.Length;

        public TaskCompletionSource Done { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

        /// <summary>At most so many bytes.</summary>
        public int FrameBytes(int _) => FrameHeader.Size + 16 + _opening.Length + _closing.Length;

        public int Write(Span<byte> output, int number)
        {
            var body = output[FrameHeader.Size..];
            _opening.CopyTo(body);
            Utf8Formatter.TryFormat(number, body[_opening.Length..], out var digits);
            var at = _opening.Length + digits;
            _closing.CopyTo(body[at..]);
            at += _closing.Length;
            new FrameHeader
            {
                BodyLength = at,
                Kind = FrameKind.Task,
                Attempt = 1,
                Epoch = 1,
                Task = new TaskId(_batch, (uint)number),
                Function = _tasks.Seconds is null ? 1u : 2u,
                Owner = 1,
                ContentType = ContentType.Json,
            }.Write(output);
            return FrameHeader.Size + at;
        }

        // A wrong value ends the bench, not the link.
        public void TakeAll(ReadOnlySpan<byte> frames)
        {
            try
            {
                Take(frames);
            }
            catch (Exception wrong) when (wrong is InvalidDataException or FrameException)
            {
                Done.TrySetException(wrong);
            }
        }

        private void Take(ReadOnlySpan<byte> frames)
        {
            while (frames.Length > 0)
            {
                if (!FrameReader.TryRead(frames, out var header, out var length))
                    throw new InvalidDataException("the endpoint sent a part of a frame");
                var body = frames[FrameHeader.Size..length];
                frames = frames[length..];
                if (header.Kind != FrameKind.Result || header.Task.Batch != _batch)
                    throw new InvalidDataException($"the endpoint sent {header.Kind} of task {header.Task}");
                var prefix = ResultPrefix.Read(body, body.Length);
                var number = (int)header.Task.Index;
                var value = body[ResultPrefix.Size..];
                if (prefix.Outcome != TaskOutcome.Value || value.Length < _valueFrom || !Utf8Parser.TryParse(value[_valueFrom..], out int answer, out _) || answer != number || _seen[number])
                    throw new InvalidDataException($"task {number} ended as {prefix.Outcome} with {Encoding.UTF8.GetString(value[..Math.Min(value.Length, 200)])}{(_seen[number] ? " for the second time" : "")}");
                if (prefix.WorkerEnded - prefix.WorkerStarted < _atLeast)
                    throw new InvalidDataException($"task {number} took {prefix.WorkerEnded - prefix.WorkerStarted} us instead of {_tasks.Seconds} s");
                _seen[number] = true;
                _left--;
            }

            if (_left == 0)
                Done.TrySetResult();
        }
    }
}
