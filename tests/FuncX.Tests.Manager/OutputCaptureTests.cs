using FuncX.Manager.Interop;
using FuncX.Manager.Workers;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed unsafe class OutputCaptureTests : IDisposable
{
    private const int F_SETPIPE_SZ = 1031;
    private const int Written = 1 << 20;

    private readonly Poller _poller = new();
    private readonly OutputCapture _capture;
    private readonly int _writer;

    /// <summary>A pipe that holds a MiB, full: to whoever drains it what a writer looks like that is always faster.</summary>
    public OutputCaptureTests()
    {
        var pipe = stackalloc int[2];
        Libc.Pipe2(pipe, Libc.O_CLOEXEC).ShouldBe(0);
        _writer = pipe[1];
        Libc.Fcntl(_writer, F_SETPIPE_SZ, Written).ShouldBe(Written);
        _capture = new OutputCapture(_poller, pipe[0], limit: 8 << 20);
        var text = new byte[Written];
        text.AsSpan().Fill((byte)'x');
        fixed (byte* bytes = text)
            Libc.Write(_writer, bytes, Written).ShouldBe(Written);
    }

    [Fact]
    public void A_turn_takes_what_a_pipe_holds_by_default_and_the_next_turns_the_rest()
    {
        for (var taken = 0; taken < Written; taken += 64 * 1024)
        {
            _poller.Dispatch(_poller.Wait());
            _capture.Take().Length.ShouldBe(64 * 1024);
        }
    }

    [Fact]
    public void The_last_words_of_a_process_are_bounded_while_others_still_write()
    {
        _capture.Drain();

        _capture.Take().Length.ShouldBe(64 * 1024);
    }

    public void Dispose()
    {
        _capture.Close();
        _ = Libc.Close(_writer);
    }
}
