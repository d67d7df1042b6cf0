using FuncX.Service.Auth;
using FuncX.Service.Storage;

namespace FuncX.Service.Registry;

/// <summary>The table of endpoints in registry.db, with their credentials.</summary>
internal sealed class EndpointTable(RegistryDatabase database)
{
    public List<EndpointRecord> ReadAll()
    {
        using var connection = database.Connect();
        using var command = connection.Command("SELECT number, owner, endpoint_id, name, description, registered_at, deleted_at, last_seen, version FROM endpoints");
        using var reader = command.ExecuteReader();
        var endpoints = new List<EndpointRecord>();
        while (reader.Read())
        {
            endpoints.Add(new EndpointRecord(reader.GetInt32(0), new OwnerId(reader.GetInt32(1)), reader.GetString(2), reader.GetString(3))
            {
                Description = reader.GetString(4),
                RegisteredAt = reader.GetInt64(5),
                IsDeleted = !reader.IsDBNull(6),
                LastSeen = reader.GetInt64(7),
                Version = reader.GetString(8),
            });
        }

        return endpoints;
    }

    public EndpointRecord Insert(EndpointRecord endpoint, string credential)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        using var command = connection.Command(
            transaction, "INSERT INTO endpoints (owner, endpoint_id, name, description, registered_at) VALUES ($owner, $id, $name, $description, $now) RETURNING number",
            ("$owner", endpoint.Owner.Number), ("$id", endpoint.EndpointId), ("$name", endpoint.Name), ("$description", endpoint.Description), ("$now", endpoint.RegisteredAt));
        var inserted = endpoint with { Number = checked((int)(long)command.ExecuteScalar()!) };
        TokenStore.Insert(connection, transaction, inserted.Owner, inserted.Number, Label(inserted), credential, endpoint.RegisteredAt, expires: null);
        FailPoints.Pass("before-commit-register-endpoint");
        transaction.Commit();
        FailPoints.Pass("after-commit-register-endpoint");
        return inserted;
    }

    public EndpointRecord Renew(EndpointRecord endpoint, string credential, long now)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        TokenStore.RevokeOfEndpoint(connection, transaction, endpoint.Number, now, "the endpoint was registered again and has a newer credential");
        TokenStore.Insert(connection, transaction, endpoint.Owner, endpoint.Number, Label(endpoint), credential, now, expires: null);
        using var command = connection.Command(
            transaction, "UPDATE endpoints SET description = $description WHERE number = $number",
            ("$description", endpoint.Description), ("$number", endpoint.Number));
        command.ExecuteNonQuery();
        FailPoints.Pass("before-commit-renew-endpoint");
        transaction.Commit();
        FailPoints.Pass("after-commit-renew-endpoint");
        return endpoint;
    }

    public void Delete(EndpointRecord endpoint, long now)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        TokenStore.RevokeOfEndpoint(connection, transaction, endpoint.Number, now, "the endpoint was deleted");
        using var command = connection.Command(transaction, "UPDATE endpoints SET deleted_at = $now WHERE number = $number", ("$now", now), ("$number", endpoint.Number));
        command.ExecuteNonQuery();
        FailPoints.Pass("before-commit-delete-endpoint");
        transaction.Commit();
        FailPoints.Pass("after-commit-delete-endpoint");
    }

    public void Seen(EndpointRecord endpoint)
    {
        using var connection = database.Connect();
        using var command = connection.Command(
            "UPDATE endpoints SET last_seen = $seen, version = $version WHERE number = $number",
            ("$seen", endpoint.LastSeen), ("$version", endpoint.Version), ("$number", endpoint.Number));
        command.ExecuteNonQuery();
    }

    private static string Label(EndpointRecord endpoint) => $"endpoint {endpoint.Name}";
}
