using FuncX.Wire;

namespace FuncX.Manager.World;

/// <summary>
/// The functions that the endpoint has sent to the leader once, for the managers behind it. It decides nothing: the endpoint says which to keep, which to tell to whom, and which
/// to forget, so what is kept is bounded there. No rank hears of a function that none of its tasks uses. Under the leader's lock.
/// </summary>
internal sealed class LeaderFunctions
{
    private readonly Dictionary<uint, KeptFunction> _functions = [];

    public void Clear() => _functions.Clear();

    /// <summary>Takes a frame of kind <c>Function</c> or <c>Segment</c> that is the leader's own.</summary>
    /// <returns>The function and the manager that it is to be told to; null in most cases.</returns>
    /// <exception cref="FrameException">The endpoint sent what it must not.</exception>
    public KeptFunction? Take(in FrameHeader header, ReadOnlySpan<byte> frame, out uint destination)
    {
        destination = header.Ticket;
        if (header.Kind == FrameKind.Segment)
        {
            if (!_functions.TryGetValue(header.Function, out var begun) || begun.Whole)
                throw new FrameException($"a segment of function {header.Function} without a beginning");
            begun.Add(frame, (header.Flags & FrameFlags.Last) != 0);
            return null;
        }

        if (header.BodyLength > 0)
        {
            var kept = new KeptFunction();
            kept.Add(frame, (header.Flags & FrameFlags.Segmented) == 0);
            _functions[header.Function] = kept;
            return null;
        }

        if (destination == 0)
        {
            _functions.Remove(header.Function);
            return null;
        }

        return _functions.TryGetValue(header.Function, out var told) && told.Whole
            ? told
            : throw new FrameException($"manager {destination} is to be told function {header.Function}, which was not sent before");
    }
}
