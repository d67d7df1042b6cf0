using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.Wire;

public sealed class ResultPrefixTests
{
    [Fact]
    public void A_prefix_reads_back_as_it_was_written()
    {
        var prefix = new ResultPrefix
        {
            Outcome = TaskOutcome.AttemptLost, ContentType = ContentType.Json, Code = -11, StdoutBytes = 5, StderrBytes = 6, EndpointReceived = 1,
            EndpointSent = 2, ManagerReceived = 3, WorkerStarted = 4, WorkerEnded = 5, EndpointBack = 6,
        };
        var bytes = new byte[ResultPrefix.Size + 11];
        prefix.Write(bytes);

        ResultPrefix.Read(bytes, bytes.Length).ShouldBe(prefix);
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(10, 0, 0)]
    [InlineData(1, 12, 0)]
    [InlineData(1, 6, 6)]
    [InlineData(1, -1, 0)]
    [InlineData(1, int.MaxValue, int.MaxValue)]
    public void A_prefix_that_cannot_be_right_is_refused(byte outcome, int stdout, int stderr)
    {
        var bytes = new byte[ResultPrefix.Size + 11];
        new ResultPrefix { Outcome = (TaskOutcome)outcome, StdoutBytes = stdout, StderrBytes = stderr }.Write(bytes);

        Should.Throw<FrameException>(() => ResultPrefix.Read(bytes, bytes.Length));
    }

    [Fact]
    public void A_body_shorter_than_its_prefix_is_refused() =>
        Should.Throw<FrameException>(() => ResultPrefix.Read(new byte[ResultPrefix.Size - 1], ResultPrefix.Size - 1)).Message.ShouldContain("63 bytes");

    [Fact]
    public void Versions_agree_on_the_highest_both_speak_or_refuse_naming_both()
    {
        ProtocolVersion.TryAgree(1, 7, out var chosen).ShouldBeTrue();
        chosen.ShouldBe(1);
        ProtocolVersion.TryAgree(2, 7, out _).ShouldBeFalse();
        ProtocolVersion.TryAgree(0, 0, out _).ShouldBeFalse();
        ProtocolVersion.Mismatch("9.9.9", 2, 7).ShouldContain("9.9.9");
    }
}
