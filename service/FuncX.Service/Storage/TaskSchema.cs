using DbUp.Engine;

namespace FuncX.Service.Storage;

/// <summary>
/// The scripts that made and changed tasks.db, in order. One that was released is never edited; a change is a new script, also of what a chunk may hold, and a
/// higher <see cref="TaskDatabase.SchemaVersion"/>, which the script sets itself: all run in one transaction, so a kill leaves the old schema or the new one.
/// </summary>
internal static class TaskSchema
{
    public static IReadOnlyList<SqlScript> Scripts { get; } =
    [
        new("0001-chunks", """
            CREATE TABLE chunk(id INTEGER PRIMARY KEY, data BLOB NOT NULL);
            CREATE TABLE finished(id INTEGER PRIMARY KEY, first BLOB NOT NULL, last BLOB NOT NULL, newest INTEGER NOT NULL, filter BLOB NOT NULL, data BLOB NOT NULL);
            CREATE TABLE finished_group(owner INTEGER NOT NULL, name TEXT NOT NULL, segment INTEGER NOT NULL, batches INTEGER NOT NULL,
                tasks INTEGER NOT NULL, failed INTEGER NOT NULL, last_chunk INTEGER NOT NULL, chunks BLOB NOT NULL, PRIMARY KEY(owner, name, segment)) WITHOUT ROWID;
            CREATE INDEX finished_group_segment ON finished_group(segment);
            """),
        // Chunks may hold ChangeKind.AttemptLost, snapshots count losses: a release that knows schema 1 would break on them without saying why.
        new("0002-losses", "PRAGMA user_version = 2;"),
        new("0003-labels", """
            CREATE TABLE group_label(owner INTEGER NOT NULL, name TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY(owner, name, key)) WITHOUT ROWID;
            CREATE INDEX group_label_key ON group_label(owner, key, value);
            PRAGMA user_version = 3;
            """),
    ];
}
