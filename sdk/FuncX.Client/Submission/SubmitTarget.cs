using FuncX.Contracts.V1;

namespace FuncX.Client.Submission;

/// <summary>What the calls of one batch have in common.</summary>
internal sealed record SubmitTarget(FunctionId Function, EndpointId Endpoint, string Group, TaskOptions Options);
