using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.Managers;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointLeaderFunctionsTests : IDisposable
{
    private readonly MemoryStream _sent = new();
    private readonly ManagerOutbox _outbox;

    public EndpointLeaderFunctionsTests() => _outbox = new ManagerOutbox(_sent, new HopCounter(), new BufferPool(), static _ => { }, static () => { });

    public void Dispose() => _sent.Dispose();

    [Fact]
    public void A_leader_is_sent_a_function_once_and_again_when_it_had_to_forget_it()
    {
        // Room for two.
        var functions = new LeaderFunctions(mostBytes: 2 * (FrameHeader.Size + 100));
        Tell(functions, 1, manager: 5).ShouldBe(["1 kept", "1 to 5"]);
        Tell(functions, 1, manager: 6).ShouldBe(["1 to 6"]);
        Tell(functions, 2, manager: 5).ShouldBe(["2 kept", "2 to 5"]);
        Tell(functions, 3, manager: 5).ShouldBe(["1 forgotten", "3 kept", "3 to 5"]);
        Tell(functions, 2, manager: 6).ShouldBe(["2 to 6"]);
        Tell(functions, 1, manager: 7).ShouldBe(["2 forgotten", "1 kept", "1 to 7"]);
        Tell(functions, 4, manager: 7, bytes: 1_000).ShouldBe(["3 forgotten", "1 forgotten", "4 kept", "4 to 7"]);
    }

    private List<string> Tell(LeaderFunctions functions, int number, uint manager, int bytes = 100)
    {
        var before = (int)_sent.Length;
        var sends = functions.Tell(_outbox, number, asked => ManagerRoster.Encode(new FrameHeader { Kind = FrameKind.Function, Function = (uint)asked }, new byte[bytes]), manager);
        _outbox.Flush();
        // So little goes at once.
        var frames = _sent.ToArray().AsSpan(before);
        var told = new List<string>();
        while (FrameReader.TryRead(frames, out var header, out var length))
        {
            (header.Kind, header.Destination).ShouldBe((FrameKind.Function, 0u));
            told.Add($"{header.Function} {(header.BodyLength > 0 ? "kept" : header.Ticket > 0 ? $"to {header.Ticket}" : "forgotten")}");
            frames = frames[length..];
        }

        sends.ShouldBe(told.Contains($"{number} kept"));
        return told;
    }
}
