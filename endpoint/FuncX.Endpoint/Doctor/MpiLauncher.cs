namespace FuncX.Endpoint.Doctor;

/// <summary>A program that starts ranks.</summary>
/// <param name="Version">What it says for <c>--version</c>.</param>
internal sealed record MpiLauncher(string Program, string Path, string Version);
