using FuncX.Wire;

namespace FuncX.Client;

/// <summary>How one call of a map ended.</summary>
/// <param name="Index">Which of the arguments, from 0.</param>
/// <param name="TaskId">The task it was.</param>
/// <param name="Error">Why there is no value; null when there is one.</param>
public readonly record struct MapResult<T>(long Index, TaskId TaskId, T? ValueOrDefault, FuncXException? Error)
{
    /// <summary>The value, or <see cref="Error"/> thrown.</summary>
    public T Value => Error is null ? ValueOrDefault! : throw Error;
}
