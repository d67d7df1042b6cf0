using FuncX.Endpoint.Dispatch;
using FuncX.Wire;

namespace FuncX.Endpoint.Managers;

/// <summary>
/// The functions that a leader keeps for the managers behind it: each crosses its connection once, then a frame without a body has the leader tell it to a manager. What is
/// kept there is bounded: the oldest are forgotten, and sent again when a manager needs them that does not know them yet. On the loop only.
/// </summary>
internal sealed class LeaderFunctions(long mostBytes = LeaderFunctions.MostBytes)
{
    /// <summary>Bytes of frames that a leader keeps at most, but for one that has more.</summary>
    public const long MostBytes = 64 << 20;

    private readonly HashSet<int> _known = [];
    private readonly Queue<(int Number, int Bytes)> _order = new();
    private long _bytes;

    /// <summary>Adds to the outbox what has the leader tell a function to one of its managers. True when the function itself is among it.</summary>
    public bool Tell(ManagerOutbox outbox, int number, Func<int, FrameSlice> functionOf, uint destination)
    {
        var sends = _known.Add(number);
        if (sends)
        {
            var frames = functionOf(number);
            while (_order.Count > 0 && _bytes + frames.Length > mostBytes)
                Forget(outbox);
            _order.Enqueue((number, frames.Length));
            _bytes += frames.Length;
            frames.Buffer.Retain();
            outbox.AddControl(frames);
        }

        outbox.AddControl(ManagerRoster.Encode(new FrameHeader { Kind = FrameKind.Function, Function = (uint)number, Ticket = destination }, []));
        return sends;
    }

    private void Forget(ManagerOutbox outbox)
    {
        var (number, bytes) = _order.Dequeue();
        _known.Remove(number);
        _bytes -= bytes;
        outbox.AddControl(ManagerRoster.Encode(new FrameHeader { Kind = FrameKind.Function, Function = (uint)number }, []));
    }
}
