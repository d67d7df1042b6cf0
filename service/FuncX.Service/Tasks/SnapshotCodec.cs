using System.Buffers.Binary;
using FuncX.Service.Storage;
using FuncX.Wire;

namespace FuncX.Service.Tasks;

/// <summary>
/// The live state as one run of bytes; its size follows what is live. Pure.
/// <code>
/// u8 version | varint next batch | varint endpoints: number, epoch, instance, deleted | varint groups: owner, name, floor, results: chunk difference, ordinal, offset
/// varint batches, unfinished ones by number, then finished ones in their order: see WriteBatch
/// </code>
/// </summary>
internal static class SnapshotCodec
{
    private const byte Version = 4;

    /// <summary>The same without losses: what was lost then is counted in the attempts only.</summary>
    private const byte WithoutLosses = 1;

    /// <summary>The same without retries.</summary>
    private const byte WithoutRetries = 2;

    // What a batch has, as bits: where its arguments begin, large ones, a retry policy, what it waits for, and what it waited for in vain (from version 4 on).
    private const int HasOffsets = 1;
    private const int HasLarge = 2;
    private const int HasRetry = 4;
    private const int HasWaits = 8;
    private const int IsBroken = 16;

    public static ChunkBuffer Write(LiveState state)
    {
        var output = new ChunkBuffer(1 << 16);
        output.Byte(Version);
        output.Varint(state.NextBatch);
        output.Varint(state.Endpoints.Count);
        foreach (var endpoint in state.Endpoints.Values.OrderBy(static endpoint => endpoint.Number))
        {
            output.Varint(endpoint.Number);
            output.Varint(endpoint.Epoch);
            output.Text(endpoint.Instance);
            output.Byte(endpoint.Deleted ? (byte)1 : (byte)0);
        }

        var groups = new Dictionary<GroupState, int>(state.Groups.Count);
        output.Varint(state.Groups.Count);
        foreach (var group in state.Groups.Values.OrderBy(static group => group.Owner).ThenBy(static group => group.Name, StringComparer.Ordinal))
        {
            groups.Add(group, groups.Count);
            WriteGroup(output, group);
        }

        output.Varint(state.Batches.Count);
        foreach (var batch in state.Batches.Values.Where(static batch => !batch.Finished).OrderBy(static batch => batch.Number))
            WriteBatch(output, batch, groups[batch.Group]);
        foreach (var batch in state.Finished)
            WriteBatch(output, batch, groups[batch.Group]);
        return output;
    }

    /// <exception cref="ChunkException">It is not a snapshot of this release.</exception>
    public static LiveState Read(ReadOnlySpan<byte> bytes)
    {
        var input = new ChunkCursor(bytes);
        var version = input.Byte();
        if (version is < WithoutLosses or > Version)
            throw new ChunkException($"snapshot has version {version}; this release reads {WithoutLosses} to {Version}");
        var state = new LiveState { NextBatch = input.Signed() };
        for (var left = input.Count(); left > 0; left--)
        {
            var endpoint = state.Endpoint(input.Count());
            endpoint.Epoch = (uint)input.Varint();
            endpoint.Instance = input.Text();
            endpoint.Deleted = input.Byte() != 0;
        }

        var groups = new GroupState[input.Count(bytes.Length)];
        for (var index = 0; index < groups.Length; index++)
            groups[index] = ReadGroup(ref input, state);
        for (var left = input.Count(bytes.Length); left > 0; left--)
            state.Restore(ReadBatch(ref input, version, state, groups));
        if (input.Left != 0)
            throw new ChunkException($"snapshot has {input.Left} bytes too many");
        return state;
    }

    private static void WriteGroup(ChunkBuffer output, GroupState group)
    {
        output.Varint(group.Owner);
        output.Text(group.Name);
        output.Varint(group.Floor);
        var results = group.CopyResults();
        output.Varint(results.Count);
        long chunk = 0;
        foreach (var position in results)
        {
            output.Varint(position.Chunk - chunk);
            output.Varint(position.Ordinal);
            output.Varint(position.Offset);
            chunk = position.Chunk;
        }
    }

    private static GroupState ReadGroup(ref ChunkCursor input, LiveState state)
    {
        var group = state.RestoreGroup(input.Count(), input.Text(), input.Signed());
        long chunk = 0;
        for (var left = input.Count(); left > 0; left--)
            group.AddResult(new ResultPosition(chunk += input.Signed(), input.Count(), input.Count()));
        return group;
    }

    // varint number | 16 key | group | endpoint | function | count | 16 content | u8 type, priority | attempts | walltime | deadline | committed | chunk, offset, bytes
    // done, failed | result chunks | unfinished ones: retry, waits (batch, index + 1), broken, lengths, large lengths, slots
    private static void WriteBatch(ChunkBuffer output, Batch batch, int group)
    {
        output.Varint(batch.Number);
        batch.Key.Write(output.Take(BatchKey.Size));
        output.Varint(group);
        output.Varint(batch.Endpoint.Number);
        output.Varint(batch.Function);
        output.Varint(batch.Count);
        BinaryPrimitives.WriteUInt128LittleEndian(output.Take(16), batch.Content);
        output.Byte(batch.ContentType);
        output.Byte(batch.Priority);
        output.Varint(batch.MaxAttempts);
        output.Varint(batch.WalltimeMilliseconds);
        output.Varint(batch.Deadline);
        output.Varint(batch.Committed);
        output.Varint(batch.SubmitChunk);
        output.Varint(batch.SubmitOffset);
        output.Varint(batch.SubmitBytes);
        output.Varint(batch.Done);
        output.Varint(batch.Failed);
        output.Varint(batch.ResultChunks.Count);
        long chunk = 0;
        foreach (var id in batch.ResultChunks)
        {
            output.Varint(id - chunk);
            chunk = id;
        }

        if (batch.Finished)
            return;
        output.Byte((byte)((batch.Offsets is null ? 0 : HasOffsets) | (batch.LargeBytes is null ? 0 : HasLarge) | (batch.Retry is null ? 0 : HasRetry)
            | (batch.Waits is null ? 0 : HasWaits) | (batch.Broken is null ? 0 : IsBroken)));
        batch.Retry?.Write(output);
        if (batch.Waits is { } waits)
        {
            output.Varint(waits.Count);
            foreach (var (before, index) in waits.OrderBy(static wait => wait.Batch.Id).ThenBy(static wait => wait.Index))
                new Dependency(before.Id, index).Write(output);
        }

        batch.Broken?.Write(output);
        output.Varint(batch.SameLength);
        for (var index = 0; batch.Offsets is not null && index < batch.Count; index++)
            output.Varint(batch.Offsets[index + 1] - batch.Offsets[index]);
        for (var index = 0; batch.LargeBytes is not null && index < batch.Count; index++)
            output.Varint(batch.LargeBytes[index]);
        for (var index = 0; index < batch.Count;)
        {
            var slot = batch.Slots[index];
            var same = index + 1;
            while (same < batch.Count && batch.Slots[same].State == slot.State && batch.Slots[same].Attempt == slot.Attempt && batch.Slots[same].Losses == slot.Losses && batch.Slots[same].Retries == slot.Retries
                && batch.Slots[same].CancelAsked == slot.CancelAsked)
                same++;
            output.Varint(same - index);
            output.Byte((byte)((byte)slot.State | (slot.CancelAsked ? 4 : 0)));
            output.Varint(slot.Attempt);
            output.Varint(slot.Losses);
            output.Varint(slot.Retries);
            index = same;
        }
    }

    private static Batch ReadBatch(ref ChunkCursor input, byte version, LiveState state, GroupState[] groups)
    {
        var number = input.Signed();
        var key = BatchKey.Read(input.Bytes(BatchKey.Size));
        var group = groups[input.Count(groups.Length - 1)];
        var endpoint = state.Endpoint(input.Count());
        var function = input.Count();
        var count = input.Count();
        var content = BinaryPrimitives.ReadUInt128LittleEndian(input.Bytes(16));
        var contentType = input.Byte();
        var priority = input.Byte();
        var attempts = (ushort)input.Count(ushort.MaxValue);
        var walltime = (uint)input.Varint();
        var deadline = input.Signed();
        var committed = input.Signed();
        var submitChunk = input.Signed();
        var submitOffset = input.Count();
        var submitBytes = input.Count();
        var done = input.Count(count);
        var failed = input.Count(done);
        var chunks = new List<long>();
        long chunk = 0;
        for (var left = input.Count(input.Left); left > 0; left--)
            chunks.Add(chunk += input.Signed());
        int[]? offsets = null;
        int[]? largeBytes = null;
        var sameLength = 0;
        RetryPolicy? retry = null;
        TaskSlot[] slots = [];
        var flags = done < count ? input.Byte() : 0;
        if ((flags & HasRetry) != 0)
            retry = RetryPolicy.Read(ref input);
        var waits = (flags & HasWaits) != 0 ? new HashSet<(BatchKey Batch, int Index)>() : null;
        for (var left = waits is null ? 0 : input.Count(Dependency.Most); left > 0; left--)
        {
            var wait = Dependency.Read(ref input);
            waits!.Add((new BatchKey(wait.Batch, key.Owner), wait.Index));
        }

        Dependency? broken = (flags & IsBroken) != 0 ? Dependency.Read(ref input) : null;
        if (done < count)
            (sameLength, offsets, largeBytes, slots) = ReadTasks(ref input, version, flags, count);
        var batch = new Batch
        {
            Number = number,
            Key = key,
            Group = group,
            Endpoint = endpoint,
            Function = function,
            Count = count,
            Content = content,
            ContentType = contentType,
            Priority = priority,
            MaxAttempts = attempts,
            Retry = retry,
            WalltimeMilliseconds = walltime,
            Deadline = deadline,
            Committed = committed,
            SubmitChunk = submitChunk,
            SubmitOffset = submitOffset,
            SubmitBytes = submitBytes,
            SameLength = sameLength,
            Offsets = offsets,
            LargeBytes = largeBytes,
            Slots = slots,
            Done = done,
            Failed = failed,
            Waits = waits,
            Broken = broken,
        };
        batch.ResultChunks.AddRange(chunks);
        for (var index = 0; index < slots.Length; index++)
        {
            if (slots[index].State == SlotState.Queued)
                batch.Queued++;
            else if (slots[index].State == SlotState.Dispatched)
                batch.Dispatched++;
            if (slots[index].CancelAsked && slots[index].State != SlotState.Done)
                endpoint.CancelsAsked.Add((batch, index));
        }

        return batch;
    }

    private static (int SameLength, int[]? Offsets, int[]? LargeBytes, TaskSlot[] Slots) ReadTasks(ref ChunkCursor input, byte version, int flags, int count)
    {
        var sameLength = input.Count();
        int[]? offsets = (flags & HasOffsets) != 0 ? new int[count + 1] : null;
        for (var index = 0; offsets is not null && index < count; index++)
            offsets[index + 1] = checked(offsets[index] + input.Count());
        int[]? largeBytes = (flags & HasLarge) != 0 ? new int[count] : null;
        for (var index = 0; largeBytes is not null && index < count; index++)
            largeBytes[index] = input.Count();
        var slots = new TaskSlot[count];
        for (var index = 0; index < count;)
        {
            var same = input.Count(count - index);
            var state = input.Byte();
            var attempt = (ushort)input.Count(ushort.MaxValue);
            var losses = version == WithoutLosses ? (ushort)0 : (ushort)input.Count(ushort.MaxValue);
            var retries = version <= WithoutRetries ? (ushort)0 : (ushort)input.Count(ushort.MaxValue);
            if (same == 0)
                throw new ChunkException("snapshot has an empty run of tasks");
            slots.AsSpan(index, same).Fill(new TaskSlot { State = (SlotState)(state & 3), Attempt = attempt, Losses = losses, Retries = retries, CancelAsked = (state & 4) != 0 });
            index += same;
        }

        return (sameLength, offsets, largeBytes, slots);
    }
}
