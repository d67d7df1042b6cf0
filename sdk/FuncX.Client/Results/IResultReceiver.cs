using FuncX.Contracts.V1;

namespace FuncX.Client.Results;

/// <summary>Whoever waits for outcomes of one group: the single calls of a client, or one map. Called by one thread at a time.</summary>
internal interface IResultReceiver
{
    /// <summary>True while an outcome is missing.</summary>
    bool IsWaiting { get; }

    /// <summary>Outcomes of one batch. Throws <see cref="FuncXException"/> for a message that cannot be right.</summary>
    void Take(ResultChunk chunk);

    /// <summary>No outcome comes any more.</summary>
    void Fail(FuncXException problem);
}
