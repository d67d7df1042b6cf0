using Microsoft.Data.Sqlite;

namespace FuncX.Service.Storage;

/// <summary>
/// What one turn changes of groups' labels; written within the commit of its chunk, so that labels are durable exactly when the submission is that brought them. Owned
/// by the turn.
/// </summary>
public sealed class LabelChanges(GroupLabels labels)
{
    /// <summary>Labels that one group may have.</summary>
    public const int MostLabels = 32;

    private const int MostRemembered = 1_024;

    private readonly Dictionary<(int Owner, string Group), SortedDictionary<string, string>> _changed = [];

    /// <summary>A map says the same labels with each batch: those of the groups that were labelled last are not read again.</summary>
    private readonly Dictionary<(int Owner, string Group), SortedDictionary<string, string>> _known = [];

    public bool IsEmpty => _changed.Count == 0;

    /// <summary>A turn begins. What the one before changed and did not write is void.</summary>
    public void Begin()
    {
        if (IsEmpty)
            return;
        _changed.Clear();
        Forget();
    }

    /// <summary>Labels were changed by others than turns, or may not be durable.</summary>
    public void Forget() => _known.Clear();

    /// <summary>Adds and removes labels of a group.</summary>
    /// <returns>How many it would have when those are too many, and nothing is changed; else 0.</returns>
    public int TryChange(int owner, string group, IEnumerable<KeyValuePair<string, string>> set, IEnumerable<string> remove)
    {
        var now = Of(owner, group);
        var changed = new SortedDictionary<string, string>(now, StringComparer.Ordinal);
        foreach (var key in remove)
            changed.Remove(key);
        foreach (var (key, value) in set)
            changed[key] = value;
        if (changed.Count > MostLabels)
            return changed.Count;
        if (!now.SequenceEqual(changed))
            _known[(owner, group)] = _changed[(owner, group)] = changed;
        return 0;
    }

    /// <summary>Within the transaction of the turn's chunk.</summary>
    internal void Write(SqliteConnection connection)
    {
        foreach (var ((owner, group), changed) in _changed)
        {
            using var command = connection.Command("DELETE FROM group_label WHERE owner = $owner AND name = $name", ("$owner", owner), ("$name", group));
            command.ExecuteNonQuery();
            command.CommandText = "INSERT INTO group_label(owner, name, key, value) VALUES($owner, $name, $key, $value)";
            command.Parameters.AddWithValue("$key", "");
            command.Parameters.AddWithValue("$value", "");
            foreach (var (key, value) in changed)
            {
                command.Parameters["$key"].Value = key;
                command.Parameters["$value"].Value = value;
                command.ExecuteNonQuery();
            }
        }
    }

    /// <summary>The commit is durable.</summary>
    public void Written() => _changed.Clear();

    private SortedDictionary<string, string> Of(int owner, string group)
    {
        if (_known.TryGetValue((owner, group), out var known))
            return known;
        if (_known.Count >= MostRemembered && IsEmpty)
            _known.Clear();
        return _known[(owner, group)] = labels.Read(owner, group);
    }
}
