using FuncX.Client.Results;
using FuncX.Wire;

namespace FuncX.Client.Calls;

/// <summary>A batch whose outcomes are awaited.</summary>
internal interface IPendingCalls
{
    BatchId Id { get; }

    /// <summary>Takes its outcomes of one message; true when the last one is here.</summary>
    bool Take(ref ResultChunkReader results);

    /// <summary>No outcome comes any more.</summary>
    void Fail(FuncXException problem);
}
