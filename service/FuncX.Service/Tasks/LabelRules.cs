using FuncX.Service.Storage;

namespace FuncX.Service.Tasks;

/// <summary>What a label of a group may be. Pure; each answer says what is wrong and what would be right, null: nothing.</summary>
internal static class LabelRules
{
    public const int MostKeyCharacters = 64;
    public const int MostValueCharacters = 256;

    public static string? Check(ICollection<KeyValuePair<string, string>> labels)
    {
        if (labels.Count > LabelChanges.MostLabels)
            return $"there are {labels.Count} labels; a group has up to {LabelChanges.MostLabels}";
        foreach (var (key, value) in labels)
        {
            if ((CheckKey(key) ?? CheckValue(key, value)) is { } wrong)
                return wrong;
        }

        return null;
    }

    public static string? CheckKey(string key)
    {
        if (key.Length is 0 or > MostKeyCharacters)
            return $"a label's key has {key.Length} characters; 1 to {MostKeyCharacters} are right";
        var at = key.AsSpan().IndexOfAnyExcept(KeyCharacters);
        return at < 0 ? null : $"label key '{key}' has {Show(key[at])}; letters, digits, '.', '_', '/' and '-' are right";
    }

    public static string? CheckValue(string key, string value)
    {
        if (value.Length > MostValueCharacters)
            return $"the value of label '{key}' has {value.Length} characters; up to {MostValueCharacters} are right";
        // SQLite's text ends at the first zero, and a newline would break whoever prints it.
        foreach (var character in value)
        {
            if (char.IsControl(character))
                return $"the value of label '{key}' has {Show(character)}; control characters are not right";
        }

        return null;
    }

    private static System.Buffers.SearchValues<char> KeyCharacters { get; } =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/-");

    private static string Show(char character) => char.IsControl(character) || char.IsSurrogate(character) ? $"U+{(int)character:X4}" : $"'{character}'";
}
