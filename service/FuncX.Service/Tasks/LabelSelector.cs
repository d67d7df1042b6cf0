namespace FuncX.Service.Tasks;

/// <summary>Which labels a group must have: a key, with that value when <paramref name="Value"/> is not null.</summary>
internal readonly record struct LabelSelector(string Key, string? Value)
{
    /// <param name="text">KEY or KEY=VALUE.</param>
    /// <param name="problem">What is wrong with it.</param>
    public static LabelSelector? Parse(string text, out string? problem)
    {
        var equals = text.IndexOf('=');
        var selector = equals < 0 ? new LabelSelector(text, null) : new LabelSelector(text[..equals], text[(equals + 1)..]);
        problem = LabelRules.CheckKey(selector.Key) ?? (selector.Value is { } value ? LabelRules.CheckValue(selector.Key, value) : null);
        return problem is null ? selector : null;
    }
}
