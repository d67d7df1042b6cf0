using FuncX.Service.Registry;
using FuncX.Service.Storage;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Auth;

/// <summary>The revocations that other processes and other connections wrote to registry.db since the last look. One thread at a time.</summary>
public sealed class RevocationLog : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly SqliteCommand _version;
    private readonly SqliteCommand _news;
    private readonly SqliteParameter _after;
    private long _seenVersion = -1;
    private long _seen;

    public RevocationLog(RegistryDatabase database)
    {
        // Its own connection, on which nothing is written: data_version changes exactly when another connection has committed.
        _connection = database.Connect();
        _version = _connection.Command("PRAGMA data_version");
        _news = _connection.Command("SELECT r.sequence, r.token_id, t.revoked_reason FROM revocations r JOIN tokens t ON t.id = r.token_id WHERE r.sequence > $after ORDER BY r.sequence");
        _after = _news.Parameters.AddWithValue("$after", 0L);
        using var newest = _connection.Command("SELECT COALESCE(MAX(sequence), 0) FROM revocations");
        _seen = (long)newest.ExecuteScalar()!;
    }

    /// <summary>Whether anything at all was written since <see cref="Take"/> was last called. Costs a few microseconds.</summary>
    public bool HasChanged() => (long)_version.ExecuteScalar()! != _seenVersion;

    /// <summary>The tokens revoked since the last call, with the reason.</summary>
    public List<(string TokenId, string Reason)> Take()
    {
        // The version before the rows: what is committed in between is seen again, never missed.
        _seenVersion = (long)_version.ExecuteScalar()!;
        _after.Value = _seen;
        using var reader = _news.ExecuteReader();
        var revoked = new List<(string, string)>();
        while (reader.Read())
        {
            _seen = reader.GetInt64(0);
            revoked.Add((reader.GetString(1), reader.IsDBNull(2) ? "revoked" : reader.GetString(2)));
        }

        return revoked;
    }

    public void Dispose()
    {
        _version.Dispose();
        _news.Dispose();
        _connection.Dispose();
    }
}
