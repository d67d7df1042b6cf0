using System.Collections.Concurrent;
using System.Net.Sockets;
using FuncX.Contracts.V1;
using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Managers;
using FuncX.Endpoint.ServiceLink;
using Grpc.Core;
using Microsoft.Extensions.Logging;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>How the senders to managers and to the service end: what broke on the way is one thing, a defect of the endpoint another.</summary>
public sealed class EndpointSendersTests
{
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

    [Fact]
    public async Task A_call_that_the_service_has_ended_is_no_defect()
    {
        var session = new LinkSession(new ThrowingWriter(new InvalidOperationException("Can't write the message because the call is complete.")), new HopCounter(), () => { }, _failures.Enqueue);

        session.Send(new EndpointMessage());

        await Eventually.True(() => !_failures.IsEmpty);
        TransportFailure.Is(_failures.Single()).ShouldBeTrue();
        _failures.Single().Message.ShouldContain("the call is complete");
    }

    [Fact]
    public async Task A_message_that_cannot_be_written_is_a_defect()
    {
        var session = new LinkSession(new ThrowingWriter(new InvalidOperationException("Can't write the message because the previous write is in progress.")), new HopCounter(), () => { }, _failures.Enqueue);

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

    private sealed class ThrowingStream(Exception problem) : MemoryStream
    {
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => throw problem;
    }
}
