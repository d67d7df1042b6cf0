namespace FuncX.Manager.Staging;

/// <summary>A file of <c>stage_in</c>.</summary>
/// <param name="Name">Its base name.</param>
/// <param name="Digest">SHA-256 of its content, hexadecimal.</param>
/// <param name="Bytes">Its length.</param>
/// <param name="IsProgram">Its owner may execute it.</param>
internal sealed record StagedFile(string Name, string Digest, long Bytes, bool IsProgram);

/// <summary>How much there is to stage.</summary>
internal readonly record struct StagePlan(int Files, long Bytes);
