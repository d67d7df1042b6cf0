using System.Text.Json;
using FuncX.Definitions;
using FuncX.Service.Auth;
using FuncX.Service.Storage;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Registry;

/// <summary>The table of containers in registry.db.</summary>
internal sealed class ContainerTable(RegistryDatabase database)
{
    private const string Columns = "SELECT owner, container_id, name, description, registered_at, deleted_at, images, environment FROM containers ";

    /// <summary>Also a deleted one.</summary>
    public ContainerRecord? Find(OwnerId owner, string containerId)
    {
        using var connection = database.Connect();
        return Find(connection, transaction: null, owner, containerId);
    }

    public ContainerRecord? Register(ContainerRecord registration, int mostContainers)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        var known = Find(connection, transaction, registration.Owner, registration.ContainerId);
        if (known is { IsDeleted: false } && known.Name == registration.Name && known.Description == registration.Description
            && FindByName(connection, transaction, registration.Owner, registration.Name) == registration.ContainerId)
            return known;
        if (known is not { IsDeleted: false } && Count(connection, transaction, registration.Owner) >= mostContainers)
            return null;
        using var command = connection.Command(
            transaction,
            """
            INSERT INTO containers (owner, container_id, name, description, registered_at, images, environment)
            VALUES ($owner, $id, $name, $description, $now, $images, $environment)
            ON CONFLICT (owner, container_id) DO UPDATE SET name = $name, description = $description, registered_at = $now, deleted_at = NULL
            """,
            ("$owner", registration.Owner.Number), ("$id", registration.ContainerId), ("$name", registration.Name), ("$description", registration.Description),
            ("$now", registration.RegisteredAt), ("$images", Write(registration.Definition.Images)), ("$environment", Write(registration.Definition.Environment)));
        command.ExecuteNonQuery();
        FailPoints.Pass("before-commit-register-container");
        transaction.Commit();
        FailPoints.Pass("after-commit-register-container");
        return registration;
    }

    public bool Delete(OwnerId owner, string containerId, long now)
    {
        using var connection = database.Connect();
        using var command = connection.Command(
            "UPDATE containers SET deleted_at = $now WHERE owner = $owner AND container_id = $id AND deleted_at IS NULL",
            ("$now", now), ("$owner", owner.Number), ("$id", containerId));
        return command.ExecuteNonQuery() > 0;
    }

    public List<string> FindByPrefix(OwnerId owner, string digits, int most)
    {
        using var connection = database.Connect();
        // As of functions: a range of the index.
        using var command = connection.Command(
            "SELECT container_id FROM containers WHERE owner = $owner AND container_id >= $digits AND container_id < $digits || 'g' AND deleted_at IS NULL LIMIT $most",
            ("$owner", owner.Number), ("$digits", digits), ("$most", most));
        using var reader = command.ExecuteReader();
        var ids = new List<string>();
        while (reader.Read())
            ids.Add(reader.GetString(0));
        return ids;
    }

    public string? FindByName(OwnerId owner, string name)
    {
        using var connection = database.Connect();
        return FindByName(connection, transaction: null, owner, name);
    }

    public List<ContainerRecord> List(OwnerId owner, int most)
    {
        using var connection = database.Connect();
        using var command = connection.Command(
            Columns + "WHERE owner = $owner AND deleted_at IS NULL ORDER BY registered_at DESC, number DESC LIMIT $most", ("$owner", owner.Number), ("$most", most));
        using var reader = command.ExecuteReader();
        var containers = new List<ContainerRecord>();
        while (reader.Read())
            containers.Add(Read(reader));
        return containers;
    }

    private static ContainerRecord? Find(SqliteConnection connection, SqliteTransaction? transaction, OwnerId owner, string containerId)
    {
        using var command = connection.Command(transaction, Columns + "WHERE owner = $owner AND container_id = $id", ("$owner", owner.Number), ("$id", containerId));
        using var reader = command.ExecuteReader();
        return reader.Read() ? Read(reader) : null;
    }

    private static string? FindByName(SqliteConnection connection, SqliteTransaction? transaction, OwnerId owner, string name)
    {
        using var command = connection.Command(
            transaction, "SELECT container_id FROM containers WHERE owner = $owner AND name = $name AND deleted_at IS NULL ORDER BY registered_at DESC, number DESC LIMIT 1",
            ("$owner", owner.Number), ("$name", name));
        return (string?)command.ExecuteScalar();
    }

    private static long Count(SqliteConnection connection, SqliteTransaction transaction, OwnerId owner)
    {
        using var command = connection.Command(transaction, "SELECT COUNT(*) FROM containers WHERE owner = $owner AND deleted_at IS NULL", ("$owner", owner.Number));
        return (long)command.ExecuteScalar()!;
    }

    private static ContainerRecord Read(SqliteDataReader reader) => new(
        new OwnerId(reader.GetInt32(0)), reader.GetString(1), reader.GetString(2), ContainerDefinition.Create(ReadTexts(reader.GetString(6)), ReadTexts(reader.GetString(7))))
    {
        Description = reader.GetString(3),
        RegisteredAt = reader.GetInt64(4),
        IsDeleted = !reader.IsDBNull(5),
    };

    private static string Write(IReadOnlyDictionary<string, string> texts) => JsonSerializer.Serialize(texts);

    private static Dictionary<string, string> ReadTexts(string json) => JsonSerializer.Deserialize<Dictionary<string, string>>(json) ?? [];
}
