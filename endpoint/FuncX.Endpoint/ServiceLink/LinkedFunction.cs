using FuncX.Contracts.V1;

namespace FuncX.Endpoint.ServiceLink;

/// <summary>A function of which a link has told.</summary>
/// <param name="Function">The process's number of it.</param>
/// <param name="Requirement">The core's number of what it requires.</param>
/// <param name="Walltime">Milliseconds after which it ends by its own definition, 0 never.</param>
/// <param name="Container">What it is to run in; null: on the node itself.</param>
internal readonly record struct LinkedFunction(int Function, int Requirement, uint Walltime, LinkContainer? Container);
