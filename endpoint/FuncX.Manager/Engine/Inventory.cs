using System.Buffers.Binary;
using FuncX.Manager.Link;
using FuncX.Wire;

namespace FuncX.Manager.Engine;

/// <summary>What a new link is told first: every task held here, ended ones included.</summary>
internal static class Inventory
{
    private const int EntriesPerFrame = 3000;

    public static void Write(TaskTable table, ResultOutbox outbox)
    {
        var entries = new List<InventoryEntry>(table.Count);
        for (var slot = 0; slot < table.Slots; slot++)
        {
            ref var task = ref table[slot];
            if (task.Place != TaskPlace.Free)
                entries.Add(new InventoryEntry(task.Id, task.Attempt, task.Place == TaskPlace.Queued ? HeldState.Queued : HeldState.Running));
        }

        foreach (var batch in outbox.Held())
            AddFinished(batch.Filled, entries);
        var body = new byte[EntriesPerFrame * InventoryEntry.Size];
        var written = 0;
        do
        {
            var count = Math.Min(EntriesPerFrame, entries.Count - written);
            for (var i = 0; i < count; i++)
                entries[written + i].Write(body.AsSpan(i * InventoryEntry.Size));
            written += count;
            var header = new FrameHeader { Kind = FrameKind.Inventory, Flags = written == entries.Count ? FrameFlags.Last : FrameFlags.None };
            outbox.Control(header, body.AsSpan(0, count * InventoryEntry.Size));
        }
        while (written < entries.Count);
    }

    private static void AddFinished(ReadOnlySpan<byte> frames, List<InventoryEntry> entries)
    {
        while (frames.Length >= FrameHeader.Size)
        {
            if (frames[FrameHeader.KindOffset] == (byte)FrameKind.Result)
            {
                entries.Add(new InventoryEntry(
                    TaskId.Read(frames[FrameHeader.TaskOffset..]), BinaryPrimitives.ReadUInt16LittleEndian(frames[FrameHeader.AttemptOffset..]), HeldState.Finished));
            }

            frames = frames[BinaryPrimitives.ReadInt32LittleEndian(frames)..];
        }
    }
}
