using System.Security.Cryptography;
using FuncX.Service.Hosting;
using FuncX.Service.Registry;
using FuncX.Service.Storage;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Auth;

/// <summary>Users and tokens in registry.db. Used by the running service and, at the same time, by the token command.</summary>
public sealed class TokenStore(RegistryDatabase database, TimeProvider clock)
{
    private const string Columns =
        """
        SELECT t.id, t.owner, u.name, e.endpoint_id, t.label, t.created_at, t.expires_at, t.last_used_at, t.revoked_at, t.revoked_reason
        FROM tokens t JOIN users u ON u.number = t.owner LEFT JOIN endpoints e ON e.number = t.endpoint
        """;

    /// <summary>Makes a token for a user, and the user when there is none of that name.</summary>
    /// <param name="text">The token's text, from <see cref="TokenText.Create"/>; it is not stored.</param>
    public TokenRecord Create(string userName, string label, TimeSpan? lifetime, string text)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        var now = clock.UnixMicroseconds();
        var owner = FindOrAddUser(connection, transaction, userName, now);
        var expires = lifetime is { } span ? now + (span.Ticks / TimeSpan.TicksPerMicrosecond) : (long?)null;
        var id = Insert(connection, transaction, owner, endpoint: null, label, text, now, expires);
        FailPoints.Pass("before-commit-create-token");
        transaction.Commit();
        FailPoints.Pass("after-commit-create-token");
        return new TokenRecord(id, owner, userName, EndpointId: null, label, now, expires, LastUsedAt: null, RevokedAt: null, RevokedReason: null);
    }

    /// <summary>Inserts a token in the caller's transaction and answers its id.</summary>
    internal static string Insert(
        SqliteConnection connection, SqliteTransaction transaction, OwnerId owner, int? endpoint, string label, string text, long now, long? expires)
    {
        var id = "t" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6));
        using var command = connection.Command(
            transaction, "INSERT INTO tokens (id, hash, owner, endpoint, label, created_at, expires_at) VALUES ($id, $hash, $owner, $endpoint, $label, $now, $expires)",
            ("$id", id), ("$hash", TokenText.Hash(text)), ("$owner", owner.Number), ("$endpoint", (object?)endpoint ?? DBNull.Value), ("$label", label), ("$now", now),
            ("$expires", (object?)expires ?? DBNull.Value));
        command.ExecuteNonQuery();
        return id;
    }

    /// <summary>Finds a token by its text, also a revoked or expired one.</summary>
    public TokenRecord? Find(ReadOnlySpan<char> text)
    {
        using var connection = database.Connect();
        using var command = connection.Command(Columns + " WHERE t.hash = $hash", ("$hash", TokenText.Hash(text)));
        using var reader = command.ExecuteReader();
        return reader.Read() ? Read(reader) : null;
    }

    /// <summary>All tokens, oldest first.</summary>
    public IReadOnlyList<TokenRecord> List()
    {
        using var connection = database.Connect();
        using var command = connection.Command(Columns + " ORDER BY t.created_at, t.id");
        using var reader = command.ExecuteReader();
        var tokens = new List<TokenRecord>();
        while (reader.Read())
            tokens.Add(Read(reader));
        return tokens;
    }

    /// <summary>Whether a token of that user and label was ever made.</summary>
    public bool Exists(string userName, string label)
    {
        using var connection = database.Connect();
        using var command = connection.Command(
            "SELECT 1 FROM tokens t JOIN users u ON u.number = t.owner WHERE u.name = $name AND t.label = $label LIMIT 1",
            ("$name", userName), ("$label", label));
        return command.ExecuteScalar() is not null;
    }

    /// <summary>Revokes a token. A running service notices within half a second.</summary>
    /// <returns>The token as it was before, or null when there is none of that id.</returns>
    public TokenRecord? Revoke(string id, string reason)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        TokenRecord? before;
        using (var find = connection.Command(transaction, Columns + " WHERE t.id = $id", ("$id", id)))
        {
            using var reader = find.ExecuteReader();
            before = reader.Read() ? Read(reader) : null;
        }

        if (before is not { RevokedAt: null })
            return before;
        using var command = connection.Command(
            transaction, "UPDATE tokens SET revoked_at = $now, revoked_reason = $reason WHERE id = $id",
            ("$id", id), ("$now", clock.UnixMicroseconds()), ("$reason", reason));
        command.ExecuteNonQuery();
        FailPoints.Pass("before-commit-revoke-token");
        transaction.Commit();
        FailPoints.Pass("after-commit-revoke-token");
        return before;
    }

    /// <summary>Revokes the live credential of an endpoint, in the caller's transaction.</summary>
    internal static void RevokeOfEndpoint(SqliteConnection connection, SqliteTransaction transaction, int endpoint, long now, string reason)
    {
        using var command = connection.Command(
            transaction, "UPDATE tokens SET revoked_at = $now, revoked_reason = $reason WHERE endpoint = $endpoint AND revoked_at IS NULL",
            ("$endpoint", endpoint), ("$now", now), ("$reason", reason));
        command.ExecuteNonQuery();
    }

    /// <summary>Notes when tokens were last used.</summary>
    public void TouchLastUsed(IReadOnlyCollection<string> ids)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        using var command = connection.Command(transaction, "UPDATE tokens SET last_used_at = $now WHERE id = $id", ("$now", clock.UnixMicroseconds()));
        var id = command.Parameters.AddWithValue("$id", "");
        foreach (var used in ids)
        {
            id.Value = used;
            command.ExecuteNonQuery();
        }

        transaction.Commit();
    }

    private static OwnerId FindOrAddUser(SqliteConnection connection, SqliteTransaction transaction, string name, long now)
    {
        using var command = connection.Command(
            transaction, "INSERT INTO users (name, created_at) VALUES ($name, $now) ON CONFLICT (name) DO NOTHING; SELECT number FROM users WHERE name = $name",
            ("$name", name), ("$now", now));
        return new OwnerId(checked((int)(long)command.ExecuteScalar()!));
    }

    private static TokenRecord Read(SqliteDataReader reader) => new(
        reader.GetString(0),
        new OwnerId(reader.GetInt32(1)),
        reader.GetString(2),
        reader.IsDBNull(3) ? null : reader.GetString(3),
        reader.GetString(4),
        reader.GetInt64(5),
        reader.IsDBNull(6) ? null : reader.GetInt64(6),
        reader.IsDBNull(7) ? null : reader.GetInt64(7),
        reader.IsDBNull(8) ? null : reader.GetInt64(8),
        reader.IsDBNull(9) ? null : reader.GetString(9));
}
