using FuncX.Client;

namespace FuncX.Cli.Commands;

/// <summary>Where the calls of a map come from.</summary>
internal interface IMapInput : IDisposable
{
    /// <summary>How many; null: nobody knows.</summary>
    long? Count { get; }

    /// <summary>What was wrong where reading ended before its end; null: nothing.</summary>
    UsageException? Problem { get; }

    IAsyncEnumerable<CallArguments> ReadAsync(CancellationToken cancellation);

    /// <summary>The file that a call is of; null: it is of none.</summary>
    string? FileOf(long index);

    /// <summary>A refusal of the service in words of this input.</summary>
    FuncXException Explain(FuncXException problem);
}
