using Microsoft.Data.Sqlite;
using SQLitePCL;

namespace FuncX.Service.Storage;

/// <summary>One connection with its prepared statement for reading chunks by number. Not for two threads at once.</summary>
internal sealed class ChunkReader : IDisposable
{
    private readonly SqliteConnection _connection;
    private readonly sqlite3_stmt _select;

    public ChunkReader(SqliteConnection connection)
    {
        _connection = connection;
        if (raw.sqlite3_prepare_v2(connection.Handle, "SELECT data FROM chunk WHERE id = ?1", out _select) != raw.SQLITE_OK)
            throw new ChunkException($"{connection.DataSource}: {raw.sqlite3_errmsg(connection.Handle).utf8_to_string()}");
    }

    public byte[]? Read(long id)
    {
        raw.sqlite3_bind_int64(_select, 1, id);
        try
        {
            var result = raw.sqlite3_step(_select);
            if (result == raw.SQLITE_DONE)
                return null;
            if (result != raw.SQLITE_ROW)
                throw new ChunkException($"chunk {id} could not be read: {raw.sqlite3_errmsg(_connection.Handle).utf8_to_string()}");
            return raw.sqlite3_column_blob(_select, 0).ToArray();
        }
        finally
        {
            raw.sqlite3_reset(_select);
        }
    }

    public void Dispose()
    {
        raw.sqlite3_finalize(_select);
        _connection.Dispose();
    }
}
