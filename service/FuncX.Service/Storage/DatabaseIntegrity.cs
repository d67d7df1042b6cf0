using Microsoft.Data.Sqlite;

namespace FuncX.Service.Storage;

/// <summary>SQLite's own look at a database.</summary>
internal static class DatabaseIntegrity
{
    /// <summary>What is wrong with the structure of tables and indexes, each with the file's name; empty: nothing.</summary>
    public static IReadOnlyList<string> Check(string path)
    {
        var name = Path.GetFileName(path);
        try
        {
            var problems = new List<string>();
            using var connection = new SqliteConnection(new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadWrite, Pooling = false }.ConnectionString);
            connection.Open();
            using var command = connection.Command("PRAGMA integrity_check");
            using var reader = command.ExecuteReader();
            while (reader.Read())
            {
                if (reader.GetString(0) is var problem && problem != "ok")
                    problems.Add($"{name}: {problem}");
            }

            return problems;
        }
        catch (SqliteException problem)
        {
            return [$"{name}: {problem.Message}"];
        }
    }
}
