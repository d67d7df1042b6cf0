using FuncX.Service.Auth;
using FuncX.Service.Storage;
using Microsoft.Data.Sqlite;

namespace FuncX.Service.Registry;

/// <summary>The table of functions in registry.db.</summary>
internal sealed class FunctionTable(RegistryDatabase database)
{
    private const string Columns = "SELECT number, owner, function_id, kind, name, entry, description, registered_at, deleted_at, code, requires, container FROM functions ";

    public FunctionRecord? Find(OwnerId owner, string functionId)
    {
        using var connection = database.Connect();
        using var command = connection.Command(Columns + "WHERE owner = $owner AND function_id = $id AND deleted_at IS NULL", ("$owner", owner.Number), ("$id", functionId));
        return ReadOne(command);
    }

    public FunctionRecord? FindByNumber(int number)
    {
        using var connection = database.Connect();
        using var command = connection.Command(Columns + "WHERE number = $number", ("$number", number));
        return ReadOne(command);
    }

    public FunctionRecord? Register(FunctionRecord registration, int mostFunctions)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        var known = FindAny(connection, transaction, registration.Owner, registration.FunctionId);
        if (known is { IsDeleted: false } && known.Name == registration.Name && known.Description == registration.Description
            && FindByName(connection, transaction, registration.Owner, registration.Name) == registration.FunctionId)
            return known;
        if (known is not { IsDeleted: false } && Count(connection, transaction, registration.Owner) >= mostFunctions)
            return null;
        using var command = connection.Command(
            transaction,
            """
            INSERT INTO functions (owner, function_id, kind, name, entry, description, registered_at, code, requires, container)
            VALUES ($owner, $id, $kind, $name, $entry, $description, $now, $code, $requires, $container)
            ON CONFLICT (owner, function_id) DO UPDATE SET name = $name, description = $description, registered_at = $now, deleted_at = NULL
            RETURNING number
            """,
            ("$owner", registration.Owner.Number), ("$id", registration.FunctionId), ("$kind", registration.Kind), ("$name", registration.Name),
            ("$entry", registration.Entry), ("$description", registration.Description), ("$now", registration.RegisteredAt), ("$code", registration.Code), ("$requires", registration.Requires),
            ("$container", registration.Container));
        var number = checked((int)(long)command.ExecuteScalar()!);
        FailPoints.Pass("before-commit-register-function");
        transaction.Commit();
        FailPoints.Pass("after-commit-register-function");
        return registration with { Number = number };
    }

    public FunctionRecord? Delete(OwnerId owner, string functionId, long now)
    {
        using var connection = database.Connect();
        using var transaction = connection.BeginTransaction();
        if (FindAny(connection, transaction, owner, functionId) is not { IsDeleted: false } known)
            return null;
        using var command = connection.Command(transaction, "UPDATE functions SET deleted_at = $now WHERE number = $number", ("$number", known.Number), ("$now", now));
        command.ExecuteNonQuery();
        FailPoints.Pass("before-commit-delete-function");
        transaction.Commit();
        FailPoints.Pass("after-commit-delete-function");
        return known with { IsDeleted = true };
    }

    public List<string> FindByPrefix(OwnerId owner, string digits, int most)
    {
        using var connection = database.Connect();
        // 'g' follows every hexadecimal digit, so this is a range of the index, which LIKE would not be.
        using var command = connection.Command(
            "SELECT function_id FROM functions WHERE owner = $owner AND function_id >= $digits AND function_id < $digits || 'g' AND deleted_at IS NULL LIMIT $most",
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

    public List<FunctionRecord> List(OwnerId owner, int most)
    {
        using var connection = database.Connect();
        using var command = connection.Command(
            """
            SELECT number, owner, function_id, kind, name, entry, description, registered_at, deleted_at, x'', requires, container FROM functions
            WHERE owner = $owner AND deleted_at IS NULL ORDER BY registered_at DESC, number DESC LIMIT $most
            """,
            ("$owner", owner.Number), ("$most", most));
        using var reader = command.ExecuteReader();
        var functions = new List<FunctionRecord>();
        while (reader.Read())
            functions.Add(Read(reader));
        return functions;
    }

    private static FunctionRecord? FindAny(SqliteConnection connection, SqliteTransaction transaction, OwnerId owner, string functionId)
    {
        using var command = connection.Command(transaction, Columns + "WHERE owner = $owner AND function_id = $id", ("$owner", owner.Number), ("$id", functionId));
        return ReadOne(command);
    }

    private static string? FindByName(SqliteConnection connection, SqliteTransaction? transaction, OwnerId owner, string name)
    {
        using var command = connection.Command(
            transaction, "SELECT function_id FROM functions WHERE owner = $owner AND name = $name AND deleted_at IS NULL ORDER BY registered_at DESC, number DESC LIMIT 1",
            ("$owner", owner.Number), ("$name", name));
        return (string?)command.ExecuteScalar();
    }

    private static long Count(SqliteConnection connection, SqliteTransaction transaction, OwnerId owner)
    {
        using var command = connection.Command(transaction, "SELECT COUNT(*) FROM functions WHERE owner = $owner AND deleted_at IS NULL", ("$owner", owner.Number));
        return (long)command.ExecuteScalar()!;
    }

    private static FunctionRecord? ReadOne(SqliteCommand command)
    {
        using var reader = command.ExecuteReader();
        return reader.Read() ? Read(reader) : null;
    }

    private static FunctionRecord Read(SqliteDataReader reader) => new(
        reader.GetInt32(0), new OwnerId(reader.GetInt32(1)), reader.GetString(2), reader.GetString(3), reader.GetString(4), reader.GetString(5), (byte[])reader.GetValue(9))
    {
        Description = reader.GetString(6),
        RegisteredAt = reader.GetInt64(7),
        IsDeleted = !reader.IsDBNull(8),
        Requires = reader.GetString(10),
        Container = reader.GetString(11),
    };
}
