using System.IO.Hashing;
using FuncX.Wire;

namespace FuncX.Service.Observation;

/// <summary>Which tasks become a trace: a share of them by a hash of their id, so that the answer is the same at any time and in any process.</summary>
public sealed class TraceSampler(double share)
{
    private readonly ulong _below = share >= 1 ? ulong.MaxValue : (ulong)(share * Math.Pow(2, 64));

    public bool Takes(BatchId batch, int index)
    {
        Span<byte> id = stackalloc byte[TaskId.Size];
        new TaskId(batch, (uint)index).Write(id);
        return XxHash3.HashToUInt64(id) <= _below && _below > 0;
    }
}
