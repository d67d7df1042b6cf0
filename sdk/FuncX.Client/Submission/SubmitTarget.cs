using FuncX.Contracts.V1;
using FuncX.Wire;

namespace FuncX.Client.Submission;

/// <summary>What the calls of one batch have in common.</summary>
internal sealed record SubmitTarget(FunctionId Function, EndpointId Endpoint, string Group, TaskOptions Options)
{
    public ContentType ContentType { get; init; } = ContentType.Json;

    /// <summary>What they bring to their group.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = System.Collections.ObjectModel.ReadOnlyDictionary<string, string>.Empty;
}
