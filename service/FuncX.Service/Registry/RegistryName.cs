namespace FuncX.Service.Registry;

/// <summary>How what has a content's hash as id is named: by it, by its beginning, or by the name that its owner gave it.</summary>
internal static class RegistryName
{
    private const int LeastPrefixDigits = 8;
    private const int IdDigits = 64;

    /// <param name="what">What is looked for, for messages.</param>
    /// <param name="asked">What somebody wrote.</param>
    /// <param name="findByPrefix">Ids that begin with the digits; two are enough.</param>
    /// <param name="findByName">The id of the newest of that name.</param>
    /// <returns>Its id; null when it names nothing of the owner's.</returns>
    public static string? Resolve(string what, string asked, Func<string, IReadOnlyList<string>> findByPrefix, Func<string, string?> findByName)
    {
        if (asked.Length == 0)
            throw Refuse.Invalid($"{what} is empty; give an id, the first {LeastPrefixDigits} or more digits of one, or a name.");
        if (asked.Length is >= LeastPrefixDigits and <= IdDigits && asked.All(char.IsAsciiHexDigit))
        {
            var ids = findByPrefix(asked.ToLowerInvariant());
            if (ids.Count == 1)
                return ids[0];
            if (ids.Count > 1)
                throw Refuse.Invalid($"'{asked}' begins the ids of several of your {what}s, among them {ids[0]} and {ids[1]}; give more digits.");
        }

        return asked.Length <= FunctionRegistration.MostNameCharacters ? findByName(asked) : null;
    }
}
