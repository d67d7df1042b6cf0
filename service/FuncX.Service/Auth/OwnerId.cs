namespace FuncX.Service.Auth;

/// <summary>The number that registry.db gave a user. It is never given to another.</summary>
public readonly record struct OwnerId(int Number)
{
    public override string ToString() => Number.ToString(System.Globalization.CultureInfo.InvariantCulture);
}
