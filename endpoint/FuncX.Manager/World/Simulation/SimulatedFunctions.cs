using FuncX.Manager.Pools;
using FuncX.Wire;

namespace FuncX.Manager.World.Simulation;

/// <summary>
/// What the managers of a rank are told of functions. No worker waits for one that it does not run; its rank takes part in bringing it all the same, once, and checks what comes as a real node does.
/// </summary>
/// <param name="want">Has a function of so many bytes brought here.</param>
/// <param name="report">Is told what was wrong.</param>
internal sealed class SimulatedFunctions(Action<FunctionDigest, long> want, Action<string> report)
{
    private readonly HashSet<FunctionDigest> _brought = [];
    private FunctionDigest? _announced;

    public void OnNotice(in FunctionNotice function)
    {
        if (function.Bytes == 0)
            _announced = function.Digest;
        else
            Bring(function.Digest, function.Bytes);
    }

    /// <summary>The frame of a function that came behind its digest.</summary>
    public void OnFunction(ReadOnlySpan<byte> frame)
    {
        if (_announced is not { } announced)
            return;
        _announced = null;
        var digest = FunctionDigest.Of(frame);
        if (digest == announced)
            return;
        report($"function {announced} came with SHA-256 {digest}; it is asked for again");
        Bring(announced, frame.Length - FrameHeader.Size);
    }

    private void Bring(FunctionDigest digest, long bytes)
    {
        if (_brought.Add(digest))
            want(digest, bytes);
    }
}
