using Microsoft.Data.Sqlite;

namespace FuncX.Service.Storage;

/// <summary>The labels of groups as they are durable: rows of tasks.db, changed within the commits of chunks (<see cref="LabelChanges"/>). Any thread reads.</summary>
public sealed class GroupLabels(TaskDatabase database)
{
    /// <summary>Labels of one group; empty when there are none.</summary>
    public SortedDictionary<string, string> Read(int owner, string group)
    {
        using var connection = database.OpenReader();
        return Read(connection, owner, group);
    }

    /// <summary>Names of the groups of an owner that have a label, with that value when <paramref name="value"/> is not null.</summary>
    public HashSet<string> NamesWith(int owner, string key, string? value)
    {
        using var connection = database.OpenReader();
        using var command = connection.Command(
            $"SELECT name FROM group_label WHERE owner = $owner AND key = $key{(value is null ? "" : " AND value = $value")}",
            ("$owner", owner), ("$key", key));
        if (value is not null)
            command.Parameters.AddWithValue("$value", value);
        using var reader = command.ExecuteReader();
        var names = new HashSet<string>(StringComparer.Ordinal);
        while (reader.Read())
            names.Add(reader.GetString(0));
        return names;
    }

    /// <summary>Every label, as owner, group, key and value.</summary>
    internal IReadOnlyList<(int Owner, string Group, string Key, string Value)> All()
    {
        using var connection = database.OpenReader();
        using var command = connection.Command("SELECT owner, name, key, value FROM group_label ORDER BY owner, name, key");
        using var reader = command.ExecuteReader();
        var labels = new List<(int, string, string, string)>();
        while (reader.Read())
            labels.Add((reader.GetInt32(0), reader.GetString(1), reader.GetString(2), reader.GetString(3)));
        return labels;
    }

    internal static SortedDictionary<string, string> Read(SqliteConnection connection, int owner, string group)
    {
        using var command = connection.Command("SELECT key, value FROM group_label WHERE owner = $owner AND name = $name", ("$owner", owner), ("$name", group));
        using var reader = command.ExecuteReader();
        var labels = new SortedDictionary<string, string>(StringComparer.Ordinal);
        while (reader.Read())
            labels.Add(reader.GetString(0), reader.GetString(1));
        return labels;
    }

    /// <summary>Groups with labels that have batches in a segment of the index.</summary>
    internal static List<(int Owner, string Group)> LabelledIn(SqliteConnection connection, long segment)
    {
        using var command = connection.Command(
            "SELECT owner, name FROM finished_group WHERE segment = $segment AND EXISTS (SELECT 1 FROM group_label WHERE group_label.owner = finished_group.owner AND group_label.name = finished_group.name)",
            ("$segment", segment));
        using var reader = command.ExecuteReader();
        var groups = new List<(int, string)>();
        while (reader.Read())
            groups.Add((reader.GetInt32(0), reader.GetString(1)));
        return groups;
    }

    /// <summary>Deletes the labels of a group that the index has no more.</summary>
    internal static void DeleteUnlessIndexed(SqliteConnection connection, int owner, string group)
    {
        using var command = connection.Command(
            "DELETE FROM group_label WHERE owner = $owner AND name = $name AND NOT EXISTS (SELECT 1 FROM finished_group WHERE owner = $owner AND name = $name)",
            ("$owner", owner), ("$name", group));
        command.ExecuteNonQuery();
    }
}
