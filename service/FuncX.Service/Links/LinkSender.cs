using System.Buffers;
using System.Buffers.Binary;
using FuncX.Contracts.V1;
using FuncX.Service.Registry;
using FuncX.Service.Storage;
using FuncX.Service.Tasks;
using FuncX.Wire;
using Google.Protobuf;
using Grpc.Core;

namespace FuncX.Service.Links;

/// <summary>
/// The one sender of a link: takes what the turns put in line and writes it as messages of up to 256 KiB. Bodies are copied once, from the memory
/// of the request (or its chunk) into the message.
/// </summary>
internal sealed class LinkSender(LinkSession link, TaskEngine engine, FunctionCatalog functions, ContainerCatalog containers, IAsyncStreamWriter<ServiceMessage> stream)
{
    private const int MessageBytes = 256 * 1024;

    private readonly ArrayBufferWriter<byte> _frames = new(MessageBytes + FrameHeader.MaxFrame);
    private readonly HashSet<int> _functions = [];
    private readonly HashSet<int> _owners = [];
    private readonly List<byte> _cancels = [];
    private ulong _acknowledge;
    private (long Chunk, byte[] Bytes) _chunk;

    /// <summary>Sends until the link ends or the endpoint is superseded.</summary>
    public async Task RunAsync()
    {
        while (true)
        {
            var superseded = false;
            while (!superseded && link.TryTake(out var item))
            {
                switch (item.Kind)
                {
                    case LinkItemKind.Tasks:
                        await SendTasksAsync(item.Assignment);
                        break;
                    case LinkItemKind.Acknowledge:
                        _acknowledge = Math.Max(_acknowledge, item.Sequence);
                        break;
                    case LinkItemKind.Cancel:
                        // Behind the task it cancels.
                        await FlushFramesAsync();
                        var at = _cancels.Count;
                        _cancels.AddRange(new byte[TaskId.Size]);
                        item.Task.Write(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(_cancels)[at..]);
                        break;
                    default:
                        await stream.WriteAsync(new ServiceMessage { Superseded = new Superseded { By = item.By } });
                        superseded = true;
                        break;
                }
            }

            if (superseded)
            {
                link.End("superseded by a newer process of this endpoint");
                return;
            }

            await FlushFramesAsync();
            if (_acknowledge > 0)
            {
                FailPoints.Pass("before-ack");
                await stream.WriteAsync(new ServiceMessage { Ack = new LinkAck { Sequence = _acknowledge } });
                FailPoints.Pass("after-ack");
                _acknowledge = 0;
            }

            if (_cancels.Count > 0)
            {
                await stream.WriteAsync(new ServiceMessage { Cancel = new LinkCancel { Tasks = ByteString.CopyFrom([.. _cancels]) } });
                _cancels.Clear();
            }

            if (link.Ended is not null)
                return;
            await link.WaitAsync();
        }
    }

    private async ValueTask SendTasksAsync(Assignment assignment)
    {
        var batch = assignment.Batch;
        if (_functions.Add(batch.Function) && !await SendFunctionAsync(batch))
        {
            engine.Unsendable(assignment, $"function number {batch.Function} is not in the service's registry any more");
            return;
        }

        if (_owners.Add(batch.Key.Owner))
        {
            var name = batch.Key.Owner == link.Owner ? link.OwnerName : $"user-{batch.Key.Owner}";
            await stream.WriteAsync(new ServiceMessage { Owner = new LinkOwner { Number = (uint)batch.Key.Owner, Owner = name } });
        }

        SubmissionRecord record;
        try
        {
            record = assignment.Record ?? Load(batch);
        }
        catch (ChunkException problem)
        {
            engine.Unsendable(assignment, $"the task's arguments cannot be read: {problem.Message}");
            return;
        }

        var now = engine.Now;
        for (var index = assignment.From; index < assignment.From + assignment.Count; index++)
        {
            assignment.Slots[index].Sent = now;
            var header = HeaderOf(batch, assignment.Slots[index], index);
            if (record.LargeBytes is null || record.LargeBytes[index] == 0)
            {
                FrameWriter.Write(_frames, header, Body(record, index));
            }
            else if (record.CameAt is { } at)
            {
                await SendLargeAsync(header, record.Came[at[index]..at[index + 1]]);
            }
            else if (!await SendFromDiskAsync(header, record.Large![index], record.LargeBytes[index]))
            {
                engine.Unsendable(assignment with { From = index, Count = 1 }, "the task's arguments cannot be read back from the service's disk");
            }

            if (_frames.WrittenCount >= MessageBytes)
                await FlushFramesAsync();
        }
    }

    private async ValueTask<bool> SendFromDiskAsync(FrameHeader header, SegmentReference reference, int bytes)
    {
        var rented = ArrayPool<byte>.Shared.Rent(bytes);
        try
        {
            engine.Store.Segments.Read(reference, rented.AsSpan(0, bytes));
            await SendLargeAsync(header, rented.AsMemory(0, bytes));
            return true;
        }
        catch (ChunkException)
        {
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>One frame, or a first one and segments, each message on its way before the next is filled.</summary>
    private async ValueTask SendLargeAsync(FrameHeader header, ReadOnlyMemory<byte> body)
    {
        if (body.Length <= FrameHeader.MaxBody)
        {
            FrameWriter.Write(_frames, header, body.Span);
            return;
        }

        var taken = FrameHeader.MaxBody - sizeof(long);
        WriteFirst(header, body.Span[..taken], body.Length);
        while (taken < body.Length)
        {
            await FlushFramesAsync();
            var count = Math.Min(FrameHeader.MaxBody, body.Length - taken);
            var segment = header;
            segment.Kind = FrameKind.Segment;
            segment.Flags = taken + count == body.Length ? FrameFlags.Last : FrameFlags.None;
            FrameWriter.Write(_frames, segment, body.Span.Slice(taken, count));
            taken += count;
        }
    }

    private void WriteFirst(in FrameHeader header, ReadOnlySpan<byte> slice, int whole)
    {
        var first = header;
        first.Flags |= FrameFlags.Segmented;
        first.BodyLength = slice.Length + sizeof(long);
        var span = _frames.GetSpan(first.FrameLength);
        first.Write(span);
        BinaryPrimitives.WriteInt64LittleEndian(span[FrameHeader.Size..], whole);
        slice.CopyTo(span[(FrameHeader.Size + sizeof(long))..]);
        _frames.Advance(first.FrameLength);
    }

    private FrameHeader HeaderOf(Batch batch, in TaskSlot slot, int index) => new()
    {
        Kind = FrameKind.Task,
        Flags = slot.Alone ? FrameFlags.Alone : FrameFlags.None,
        Attempt = slot.Attempt,
        Epoch = link.Epoch,
        Task = new TaskId(batch.Key.Id, (uint)index),
        Function = (uint)batch.Function,
        Owner = (uint)batch.Key.Owner,
        WalltimeMilliseconds = batch.WalltimeMilliseconds,
        ContentType = (ContentType)batch.ContentType,
        Priority = batch.Priority,
        DeadlineMicroseconds = batch.Deadline,
    };

    private static ReadOnlySpan<byte> Body(SubmissionRecord record, int index) => record.Offsets is null
        ? record.Bodies.Span.Slice(index * record.SameLength, record.SameLength)
        : record.Bodies.Span[record.Offsets[index]..record.Offsets[index + 1]];

    /// <summary>Batches that were submitted together lie in one chunk and are mostly sent together: the last chunk is kept.</summary>
    private SubmissionRecord Load(Batch batch)
    {
        if (_chunk.Chunk != batch.SubmitChunk)
        {
            var bytes = engine.Store.ReadChunk(batch.SubmitChunk) ?? throw new ChunkException($"chunk {batch.SubmitChunk} is gone");
            ChunkHeader.Read(bytes, batch.SubmitChunk);
            _chunk = (batch.SubmitChunk, bytes);
        }

        return SubmissionCodec.Read(_chunk.Bytes.AsMemory(batch.SubmitOffset, batch.SubmitBytes));
    }

    private async ValueTask<bool> SendFunctionAsync(Batch batch)
    {
        if (!functions.TryGetByNumber(batch.Function, out var function))
        {
            _functions.Remove(batch.Function);
            return false;
        }

        var container = containers.OfFunction(function);
        if (container is null && function.Container.Length > 0)
        {
            // Without it would be another environment.
            _functions.Remove(batch.Function);
            return false;
        }

        await stream.WriteAsync(new ServiceMessage
        {
            Function = new LinkFunction
            {
                Number = (uint)function.Number,
                FunctionId = function.FunctionId,
                Kind = function.Kind,
                Name = function.Name,
                Entry = function.Entry,
                Requires = function.Requires,
                Container = Describe(container),
                Code = UnsafeByteOperations.UnsafeWrap(function.Code),
            },
        });
        return true;
    }

    private static LinkContainer? Describe(ContainerRecord? container) => container is null ? null : new LinkContainer
    {
        ContainerId = container.ContainerId,
        Name = container.Name,
        Images = { container.Definition.Images.ToDictionary() },
        Environment = { container.Definition.Environment.ToDictionary() },
    };

    private async ValueTask FlushFramesAsync()
    {
        if (_frames.WrittenCount == 0)
            return;
        FailPoints.Pass("before-dispatch");
        // The message is serialised before WriteAsync returns its task, so the buffer may be filled again once it is done.
        await stream.WriteAsync(new ServiceMessage { Tasks = new LinkTasks { Frames = UnsafeByteOperations.UnsafeWrap(_frames.WrittenMemory) } });
        FailPoints.Pass("after-dispatch");
        _frames.ResetWrittenCount();
    }
}
