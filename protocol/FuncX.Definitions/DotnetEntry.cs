namespace FuncX.Definitions;

/// <summary>What a function of kind <c>dotnet</c> calls: <c>Assembly::Namespace.Type::Method</c>. Pure.</summary>
public sealed record DotnetEntry(string Assembly, string Type, string Method)
{
    /// <exception cref="DefinitionException">It is not of this form.</exception>
    public static DotnetEntry Parse(string entry)
    {
        var parts = entry.Split("::");
        if (parts.Length != 3 || parts.Any(static part => part.Length == 0 || part.Any(static letter => char.IsControl(letter) || letter is '/' or '\\' or ' ' or ',')))
            throw new DefinitionException($"'{entry}' must be Assembly::Namespace.Type::Method, like Analysis::Lab.Fits::Run");
        return new DotnetEntry(parts[0], parts[1], parts[2]);
    }
}
