using System.Collections.Concurrent;
using System.Net.Sockets;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Managers;
using FuncX.Endpoint.ServiceLink;
using FuncX.Tests.Unit.ServiceFront;
using FuncX.Tests.Unit.ServiceTasks;
using FuncX.Wire;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>How the senders to managers and to the service end: what broke on the way is one thing, a defect of the endpoint another.</summary>
public sealed class EndpointSendersTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly BufferPool _pool = new();
    private readonly ConcurrentQueue<Exception> _failures = new();
    private readonly HeardLogger _logger = new();

    public static TheoryData<string, bool> Problems => new()
    {
        { nameof(IOException), false },
        { nameof(RpcException), false },
        { nameof(SocketException), false },
        { nameof(ObjectDisposedException), false },
        { nameof(OperationCanceledException), false },
        { nameof(InvalidOperationException), true },
        { nameof(KeyNotFoundException), true },
    };

    [Theory]
    [MemberData(nameof(Problems))]
    public async Task A_defect_in_sending_to_a_manager_is_logged_with_its_stack_and_a_broken_connection_is_not(string problem, bool isDefect)
    {
        using var stream = new ThrowingStream(Problem(problem));
        var aborts = 0;
        var connection = new ManagerConnection(stream, _pool, new HopCounter(), null!, () => Interlocked.Increment(ref aborts), _logger);

        connection.Outbox.AddControl(new FrameSlice(_pool.Rent(64), 0, 64));
        connection.Outbox.Flush();

        await Eventually.True(() => Volatile.Read(ref aborts) == 1);
        connection.CloseReason.ShouldStartWith("writing failed: ");
        ShouldBeHeard(isDefect, problem);
    }

    [Theory]
    [MemberData(nameof(Problems))]
    public void A_defect_in_sending_to_the_service_is_logged_with_its_stack_and_a_broken_link_is_not(string problem, bool isDefect)
    {
        using var over = new CancellationTokenSource();
        var end = new SendingEnd(over, _logger);

        end.OnFailed(Thrown(problem));

        over.IsCancellationRequested.ShouldBeTrue();
        end.Problem.ShouldNotBeNull().GetType().Name.ShouldBe(problem);
        ShouldBeHeard(isDefect, problem);
    }

    [Fact]
    public void A_sender_that_ends_after_its_link_ends_nothing_more()
    {
        var over = new CancellationTokenSource();
        var end = new SendingEnd(over, _logger);
        over.Dispose();

        end.OnFailed(new IOException("broken"));

        end.Problem.ShouldNotBeNull();
    }

    [Theory]
    [InlineData("superseded")]
    [InlineData("stopped")]
    [InlineData("disposed")]
    public async Task Writing_on_a_link_that_is_over_is_no_defect(string how)
    {
        await using var service = await RunningService.StartAsync();
        var (_, endpoint, credential) = ServiceTasksPlayed.Register(service);
        using var call = service.Channel.CreateCallInvoker().AsyncDuplexStreamingCall(
            new LinkMethod(_pool, new HopCounter()).Connect(), null, new CallOptions(RunningService.Bearer(credential)));
        await call.RequestStream.WriteAsync(new PlainMessage(new EndpointMessage
        {
            Hello = new EndpointHello { Version = "1", ProtocolMinimum = 1, ProtocolMaximum = 1, EndpointId = endpoint, Instance = "one" },
        }));
        (await call.ResponseStream.MoveNext(CancellationToken.None)).ShouldBeTrue();
        var session = new LinkSession(call.RequestStream, new HopCounter(), TimeProvider.System, () => { }, _failures.Enqueue);

        if (how == "superseded")
            (await ServiceTasksPlayed.ConnectAsync(service, endpoint, credential)).Dispose();
        else if (how == "stopped")
            await service.StopAsync();
        else
            call.Dispose();

        await Eventually.True(() =>
        {
            session.Send(new EndpointMessage { Credit = new Credit() });
            return !_failures.IsEmpty;
        });
        var problem = _failures.First();
        TransportFailure.Is(problem).ShouldBeTrue(problem.ToString());
    }

    [Fact]
    public async Task A_large_result_goes_in_parts_of_whole_frames_and_lets_control_and_small_results_pass_between_them()
    {
        var writer = new GatedWriter();
        var session = new LinkSession(writer, new HopCounter(), TimeProvider.System, () => { }, _failures.Enqueue);
        var ledger = new ResultLedger(new HopCounter(), new ResultRoom(), (_, _) => { });
        ledger.OnLinkUp(session);
        var frames = Enumerable.Range(0, 9).Select(_ => new FrameSlice(_pool.Rent(200_000), 0, 200_000)).ToList();
        ledger.CountResult();
        ledger.AddWhole(frames);
        ledger.Flush();

        // Two of three fit into a message of 512 KiB.
        await Eventually.True(() => writer.Begun.Count == 1);
        session.Send(new EndpointMessage { Credit = new Credit() });
        ledger.CountResult();
        ledger.Add(new FrameSlice(_pool.Rent(100), 0, 100));
        ledger.Flush();
        for (var begun = 2; begun <= 7; begun++)
        {
            writer.Gate.Release();
            await Eventually.True(() => writer.Begun.Count == begun);
        }

        writer.Gate.Release();
        writer.Begun.ShouldBe(["1:400000", "control", "2:100", "3:400000", "4:400000", "5:400000", "6:200000"]);
        (ledger.Results, ledger.IsEmpty).ShouldBe((2, false));
        ledger.OnCommitted(5);
        ledger.Results.ShouldBe(2, "a part is not the whole, and what is behind its beginning waits for it");
        ledger.OnCommitted(6);
        ledger.IsEmpty.ShouldBeTrue();
        frames.ForEach(static frame => frame.Buffer.Release());
    }

    [Fact]
    public async Task Small_results_wait_for_none_of_several_large_ones()
    {
        var writer = new GatedWriter();
        var session = new LinkSession(writer, new HopCounter(), TimeProvider.System, () => { }, _failures.Enqueue);
        var durable = new List<ulong>();
        var ledger = new ResultLedger(new HopCounter(), new ResultRoom(), (_, mark) => durable.Add(mark));
        ledger.OnLinkUp(session);
        for (var large = 0; large < 3; large++)
        {
            ledger.CountResult();
            ledger.AddWhole([new FrameSlice(_pool.Rent(300_000), 0, 300_000), new FrameSlice(_pool.Rent(300_000), 0, 300_000)]);
            ledger.Flush();
        }

        await Eventually.True(() => writer.Begun.Count == 1);
        Small(1);
        await WriteAsync(3);
        // One of three is over, the next begins with the next turn.
        ledger.Flush();
        await WriteAsync(4);
        Small(2);
        await WriteAsync(6);
        ledger.Flush();
        await WriteAsync(8);
        writer.Gate.Release();

        writer.Begun.ShouldBe(["1:300000", "2:100", "3:300000", "4:300000", "5:100", "6:300000", "7:300000", "8:300000"]);
        ledger.OnCommitted(5);
        durable.ShouldBeEmpty("a mark says that everything before it is durable, and two of three large ones are not");
        ledger.Results.ShouldBe(4);
        ledger.OnCommitted(8);
        durable.ShouldBe([1ul, 2ul]);
        ledger.IsEmpty.ShouldBeTrue();
        _failures.ShouldBeEmpty();

        void Small(ulong mark)
        {
            ledger.CountResult();
            ledger.Add(new FrameSlice(_pool.Rent(100), 0, 100));
            ledger.Mark(null!, mark);
            ledger.Flush();
        }

        async Task WriteAsync(int begun)
        {
            while (writer.Begun.Count < begun)
            {
                var before = writer.Begun.Count;
                writer.Gate.Release();
                await Eventually.True(() => writer.Begun.Count > before);
            }
        }
    }

    [Fact]
    public async Task Parts_of_a_large_result_rest_while_small_ones_pass_and_those_do_not_wait_for_the_rest()
    {
        var time = new FakeTimeProvider();
        var writer = new GatedWriter();
        writer.Gate.Release(100);
        var session = new LinkSession(writer, new HopCounter(), time, () => { }, _failures.Enqueue);
        var ledger = new ResultLedger(new HopCounter(), new ResultRoom(), (_, _) => { });
        ledger.OnLinkUp(session);
        Small();
        ledger.CountResult();
        ledger.AddWhole([.. Enumerable.Range(0, 4).Select(_ => new FrameSlice(_pool.Rent(300_000), 0, 300_000))]);
        ledger.Flush();

        await Eventually.True(() => writer.Begun.Count == 2);
        Small();
        Small();
        await Eventually.True(() => writer.Begun.Count == 4);
        writer.Begun.ShouldBe(["1:100", "2:300000", "3:100", "4:100"]);
        time.Advance(TimeSpan.FromMilliseconds(0.9));
        Small();
        await Eventually.True(() => writer.Begun.Count == 5);
        writer.Begun.Last().ShouldBe("5:100");
        time.Advance(TimeSpan.FromMilliseconds(1));
        await Eventually.True(() => writer.Begun.Count == 6);
        writer.Begun.Last().ShouldBe("6:300000");
        // Nothing small comes any more: the rest goes without a rest.
        time.Advance(TimeSpan.FromMicroseconds(LargePace.BesideMicroseconds));
        await Eventually.True(() => writer.Begun.Count == 8);

        void Small()
        {
            ledger.CountResult();
            ledger.Add(new FrameSlice(_pool.Rent(100), 0, 100));
            ledger.Flush();
        }
    }

    [Fact]
    public void A_link_that_is_over_numbers_nothing_that_goes_over_the_next()
    {
        var (older, newer) = (NewSession(), NewSession());
        var message = HeldMessage.New();
        message.SendOn(older);
        message.SendOn(newer);
        message.Number(older, 7);
        message.Sequence.ShouldBe(ulong.MaxValue);
        message.Number(newer, 8);
        message.Sequence.ShouldBe(8ul);
        message.Release();

        LinkSession NewSession() => new(new GatedWriter(), new HopCounter(), TimeProvider.System, () => { }, _failures.Enqueue);
    }

    [Fact]
    public void A_large_result_on_its_way_pauses_no_dispatch_and_several_do()
    {
        var room = new ResultRoom();
        room.AddLarge(100 << 20);
        room.PausesDispatch.ShouldBeFalse();
        room.Add(65 << 20);
        room.PausesDispatch.ShouldBeTrue();
        room.Add(-(65 << 20));
        room.AddLarge(100 << 20);
        room.PausesDispatch.ShouldBeTrue();
    }

    [Fact]
    public async Task A_message_that_cannot_be_written_is_a_defect()
    {
        var session = new LinkSession(new ThrowingWriter(new InvalidOperationException("Can't write the message because the previous write is in progress.")), new HopCounter(), TimeProvider.System, () => { }, _failures.Enqueue);

        session.Send(new EndpointMessage());

        await Eventually.True(() => !_failures.IsEmpty);
        TransportFailure.Is(_failures.Single()).ShouldBeFalse();
    }

    [Fact]
    public async Task What_was_not_sent_goes_back_once()
    {
        using var stream = new ThrowingStream(new IOException("broken"));
        var outbox = new ManagerOutbox(stream, new HopCounter(), _pool, _failures.Enqueue, () => { });
        PooledBuffer[] buffers = [_pool.Rent(4096), _pool.Rent(4096), _pool.Rent(4096)];

        outbox.AddTask(new FrameSlice(buffers[0], 0, 4096));
        outbox.AddTask(new FrameSlice(buffers[1], 0, 4096));
        outbox.AddLarge(new FrameSlice(buffers[2], 0, 4096));
        outbox.Flush();

        await Eventually.True(() => !_failures.IsEmpty);
        foreach (var buffer in buffers)
            await Eventually.True(() => buffer.References == 1);
    }

    [Fact]
    public async Task A_frame_that_cannot_be_given_back_is_not_given_back_again_and_keeps_no_other()
    {
        using var stream = new MemoryStream();
        var outbox = new ManagerOutbox(stream, new HopCounter(), _pool, _failures.Enqueue, () => { });
        var (before, broken, after) = (_pool.Rent(4096), _pool.Rent(4096), _pool.Rent(4096));
        foreach (var buffer in (PooledBuffer[])[before, broken, after])
            outbox.AddTask(new FrameSlice(buffer, 0, 4096));
        // The defect: somebody has given back what was not his.
        broken.Release(2);

        outbox.Flush();

        await Eventually.True(() => !_failures.IsEmpty);
        _failures.Single().ShouldBeOfType<InvalidOperationException>();
        await Eventually.True(() => before.References == 1 && after.References == 1);
        broken.References.ShouldBe(-1);
    }

    [Fact]
    public void A_sender_that_is_interrupted_as_it_ends_takes_nothing_from_the_next_one()
    {
        using var ends = new ManualResetEventSlim();
        using var goesOn = new ManualResetEventSlim();
        var pool = new InterruptingPool(ends, goesOn);
        using var stream = new HeldStream();
        var outbox = new ManagerOutbox(stream, new HopCounter(), pool, _failures.Enqueue, () => { });
        PooledBuffer[] buffers = [pool.Rent(4096), pool.Rent(4096), pool.Rent(4096)];

        var first = new Thread(() => Send(buffers[0]));
        first.Start();
        ends.Wait(s_patience).ShouldBeTrue();
        stream.Held = new TaskCompletionSource();
        Send(buffers[1], buffers[2]);
        goesOn.Set();
        first.Join(s_patience).ShouldBeTrue();
        stream.Held.SetResult();

        _failures.ShouldBeEmpty();
        stream.Length.ShouldBe(3 * 4096);
        buffers.ShouldAllBe(static buffer => buffer.References == 0);

        void Send(params PooledBuffer[] frames)
        {
            foreach (var frame in frames)
                outbox.AddSmall(new FrameSlice(frame, 0, 4096));
            outbox.Flush();
        }
    }

    [Fact]
    public async Task A_sender_that_gets_no_buffer_ends_its_connection()
    {
        using var stream = new MemoryStream();
        var outbox = new ManagerOutbox(stream, new HopCounter(), null!, _failures.Enqueue, () => { });

        outbox.AddControl(new FrameSlice(_pool.Rent(64), 0, 64));
        outbox.Flush();

        await Eventually.True(() => !_failures.IsEmpty);
    }

    private static Exception Problem(string name) => name switch
    {
        nameof(IOException) => new IOException("broken"),
        nameof(RpcException) => new RpcException(new Status(StatusCode.Unavailable, "gone")),
        nameof(SocketException) => new SocketException(),
        nameof(ObjectDisposedException) => new ObjectDisposedException("stream"),
        nameof(OperationCanceledException) => new OperationCanceledException(),
        nameof(InvalidOperationException) => new InvalidOperationException("a buffer was released more often than it was retained"),
        _ => new KeyNotFoundException(),
    };

    private static Exception Thrown(string name)
    {
        try
        {
            throw Problem(name);
        }
        catch (Exception problem)
        {
            return problem;
        }
    }

    private void ShouldBeHeard(bool isDefect, string problem)
    {
        if (!isDefect)
        {
            _logger.Entries.ShouldBeEmpty();
            return;
        }

        var (level, defect) = _logger.Entries.ShouldHaveSingleItem();
        level.ShouldBe(LogLevel.Error);
        defect.ShouldNotBeNull().GetType().Name.ShouldBe(problem);
        defect.StackTrace.ShouldNotBeNull().ShouldContain(nameof(EndpointSendersTests));
    }

    private sealed class HeardLogger : ILogger
    {
        public ConcurrentQueue<(LogLevel Level, Exception? Problem)> Entries { get; } = new();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) => Entries.Enqueue((logLevel, exception));
    }

    private sealed class ThrowingWriter(Exception problem) : IClientStreamWriter<OutgoingMessage>
    {
        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(OutgoingMessage message) => Task.FromException(problem);

        public Task CompleteAsync() => Task.CompletedTask;
    }

    /// <summary>Each message is written when the gate lets it.</summary>
    private sealed class GatedWriter : IClientStreamWriter<OutgoingMessage>
    {
        public SemaphoreSlim Gate { get; } = new(0);

        public ConcurrentQueue<string> Begun { get; } = new();

        public WriteOptions? WriteOptions { get; set; }

        public Task WriteAsync(OutgoingMessage message)
        {
            Begun.Enqueue(message is ResultsMessage results ? $"{results.Sequence}:{results.Bytes}" : "control");
            return Gate.WaitAsync();
        }

        public Task CompleteAsync() => Task.CompletedTask;
    }

    /// <summary>Holds the first sender up when it gives its own buffer back.</summary>
    private sealed class InterruptingPool(ManualResetEventSlim ends, ManualResetEventSlim goesOn) : BufferPool
    {
        internal override void Return(PooledBuffer buffer)
        {
            if (buffer.Array.Length == 16 << 10 && !ends.IsSet)
            {
                ends.Set();
                goesOn.Wait(s_patience);
            }

            base.Return(buffer);
        }
    }

    /// <summary>Takes as long as it is told to.</summary>
    private sealed class HeldStream : MemoryStream
    {
        public TaskCompletionSource? Held { get; set; }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (Held is not null)
                await Held.Task;
            Write(buffer.Span);
        }
    }

    private sealed class ThrowingStream(Exception problem) : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw problem;
    }
}
