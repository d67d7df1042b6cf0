using System.Reflection;

namespace FuncX.Wire;

/// <summary>The versions every hello carries. Two sides speak the highest version that both ranges contain, or refuse each other by name.</summary>
public static class ProtocolVersion
{
    /// <summary>Oldest protocol this build still speaks.</summary>
    public const int Minimum = 1;

    /// <summary>Newest protocol this build speaks.</summary>
    public const int Maximum = 1;

    /// <summary>The product's version, as in the assembly.</summary>
    public static string Product { get; } =
        typeof(ProtocolVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0.0.0";

    /// <summary>Picks the protocol both sides speak.</summary>
    /// <param name="peerMinimum">Oldest version the peer speaks.</param>
    /// <param name="peerMaximum">Newest version the peer speaks.</param>
    /// <param name="chosen">The version to speak, when the result is true.</param>
    public static bool TryAgree(int peerMinimum, int peerMaximum, out int chosen)
    {
        chosen = Math.Min(Maximum, peerMaximum);
        return chosen >= Minimum && chosen >= peerMinimum;
    }

    /// <summary>The message of a refusal: both versions and both ranges.</summary>
    public static string Mismatch(string peerProduct, int peerMinimum, int peerMaximum) =>
        $"protocol mismatch: the peer is version {peerProduct} and speaks {peerMinimum} to {peerMaximum}; this is version {Product} and speaks {Minimum} to {Maximum}. Install the same release on both sides.";
}
