namespace FuncX.Manager.World;

/// <summary>A rank that is gone.</summary>
/// <param name="Node">What its node calls itself.</param>
internal readonly record struct LostRank(int Rank, string Node);
