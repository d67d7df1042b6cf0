namespace FuncX.Endpoint.Blocks;

/// <summary>The program that nodes of a block run.</summary>
public sealed record ManagerProgram(string Path);
