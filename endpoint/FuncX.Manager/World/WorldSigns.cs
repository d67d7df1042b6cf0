namespace FuncX.Manager.World;

/// <summary>What the ranks of a world have said of it.</summary>
internal sealed record WorldSigns
{
    /// <summary>All have found each other.</summary>
    public bool IsUp { get; init; }

    /// <summary>It does not go on: the worst exit code of those who say so. Null: nobody says so.</summary>
    public int? Over { get; init; }

    /// <summary>A rank was gone before it knew its number.</summary>
    public bool LostBeforeUp { get; init; }

    /// <summary>Ranks that are gone without having been told to.</summary>
    public IReadOnlyList<LostRank> Lost { get; init; } = [];
}
