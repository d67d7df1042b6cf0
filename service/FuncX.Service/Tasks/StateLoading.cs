using FuncX.Service.Storage;

namespace FuncX.Service.Tasks;

/// <summary>The live state as the store has it: the newest snapshot and the chunks after it.</summary>
internal static class StateLoading
{
    /// <returns>The state, and the chunk that its snapshot stands behind; 0: none.</returns>
    /// <exception cref="ChunkException">A chunk is damaged, missing, or contradicts the state.</exception>
    /// <exception cref="InvalidDataException">What came before the first chunk is unknown.</exception>
    public static (LiveState State, long Snapshot) Load(TaskStore store)
    {
        foreach (var (chunk, bytes) in store.Snapshots.Read())
        {
            // A snapshot is only taken of what is durable; one from beyond the log belongs to another file.
            if (chunk <= store.LastChunk)
                return (Replay(store, SnapshotCodec.Read(bytes), chunk), chunk);
        }

        if (store.FirstChunk > 1)
            throw new InvalidDataException($"{store.Directory}: the log begins with chunk {store.FirstChunk} and no whole snapshot is in snapshots/; what came before is unknown. Restore the directory from a copy.");
        return (Replay(store, new LiveState(), 0), 0);
    }

    private static LiveState Replay(TaskStore store, LiveState state, long after)
    {
        var replayer = new Replayer(state);
        var next = after + 1;
        store.Replay(after, (chunk, header) =>
        {
            if (header.Id != next)
                throw new ChunkException($"chunk {next} is missing before chunk {header.Id}");
            replayer.Apply(chunk, header);
            next++;
        });
        state.Indexed = store.Index.Newest;
        return state;
    }
}
