using System.Buffers.Binary;
using System.Text.Json.Serialization.Metadata;
using FuncX.Manager.Interop;
using FuncX.Manager.Link;
using FuncX.Manager.Workers;
using FuncX.Tests.Fuzz;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>
/// What user code may put into its ring, its segments and its messages: read within its bounds or refused. Whatever the manager passes on, endpoint and service take. That a
/// manager lives on with it <see cref="MalformedFramesTests"/> show with real processes.
/// </summary>
public sealed unsafe class WorkerReplyFuzzTests
{
    private const int RingBytes = 16 * 1024;
    private const long MostAllocated = 64 * 1024;
    private const int LargestJoined = 600_000;

    private static readonly TaskId s_task = new(BatchId.Read([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]), 3);
    private static readonly Mutation s_results = new([Result(3), [.. Result(0), .. Result(40), .. Result(500)], Result(2_000)]);

    private static readonly Mutation s_messages = new(
        [
            """{"role":"worker","version":"0.1.0","protocol_minimum":1,"protocol_maximum":1,"pid":7,"window":300,"ring":true}"""u8.ToArray(),
            """{"pid":7,"slot":0,"note":"forked"}"""u8.ToArray(), """{"pid":7,"code":-9}"""u8.ToArray(), """{"reason":"no"}"""u8.ToArray(), """{"note":"n"}"""u8.ToArray(), """{"kind":"python","name":"a"}"""u8.ToArray(),
        ],
        "null", "1e99", "\"\\ud800\"", "{", "}", "[", "]", ",", ":", "\u00FF");

    [Fact]
    public void Results_in_a_ring_are_taken_within_their_bounds_or_refused()
    {
        var memory = Libc.MemFdCreate("fuzzed-ring", Libc.MFD_CLOEXEC | Libc.MFD_ALLOW_SEALING);
        var bytes = ResultRing.HeaderBytes + RingBytes;
        Libc.Truncate(memory, bytes).ShouldBe(0);
        var written = (byte*)Libc.Mmap(null, (nuint)bytes, Libc.PROT_READ | Libc.PROT_WRITE, Libc.MAP_SHARED, memory, 0);
        try
        {
            FuzzRun.Each("rings", 100_000, MostAllocated, s_results.Next, (input, random) => TakeAll(memory, written, input, random));
        }
        finally
        {
            _ = Libc.Munmap(written, (nuint)bytes);
            _ = Libc.Close(memory);
        }
    }

    [Fact]
    public void Segments_join_to_what_was_announced_or_are_refused() => FuzzRun.Each("segments", 20_000, 1 << 20, First, static (first, random) =>
    {
        JoinedResult? joined = null;
        try
        {
            joined = new JoinedResult(first, LargestJoined);
            var whole = BinaryPrimitives.ReadInt64LittleEndian(first.AsSpan(FrameHeader.Size));
            for (var left = whole - FrameHeader.MaxBody + sizeof(long); ;)
            {
                var wrong = random.Next(30);
                var take = wrong == 0 ? random.Next(1, FrameHeader.MaxBody) : (int)Math.Min(left, FrameHeader.MaxBody);
                left -= take;
                var segment = new byte[FrameHeader.Size + take];
                var header = new FrameHeader { Kind = FrameKind.Segment, BodyLength = take, Task = wrong == 1 ? default : s_task, Flags = left <= 0 != (wrong == 2) ? FrameFlags.Last : FrameFlags.None };
                header.Write(segment);
                if (!joined.Add(segment))
                {
                    // Its bytes have an end, and so has this.
                    left.ShouldBeGreaterThan(0);
                    continue;
                }

                ((long)joined.Bytes).ShouldBe(whole);
                return true;
            }
        }
        catch (FrameException)
        {
            return false;
        }
        finally
        {
            joined?.Free();
        }
    });

    [Fact]
    public void Messages_are_read_or_refused() => FuzzRun.Each("messages", 60_000, 4 * MostAllocated, s_messages.Next, static (input, random) => random.Next(6) switch
    {
        0 => Reads(input, MessageJson.Default.Hello),
        1 => Reads(input, MessageJson.Default.Forked),
        2 => Reads(input, MessageJson.Default.Exited),
        3 => Reads(input, MessageJson.Default.Refusal),
        4 => Reads(input, MessageJson.Default.ZygoteStatus),
        _ => Reads(input, MessageJson.Default.FunctionKindName),
    });

    private static bool TakeAll(int memory, byte* written, byte[] input, Random random)
    {
        var data = new Span<byte>(written + ResultRing.HeaderBytes, RingBytes);
        data.Clear();
        input.AsSpan(0, Math.Min(input.Length, RingBytes)).CopyTo(data);
        var total = random.Next(8) switch
        {
            0 => (ulong)random.NextInt64(),
            1 => (ulong)random.Next(2 * RingBytes),
            _ => (ulong)Math.Min(input.Length, RingBytes),
        };
        BinaryPrimitives.WriteUInt64LittleEndian(new Span<byte>(written, sizeof(ulong)), total);
        var ring = ResultRing.Map(memory);
        var taken = 0;
        try
        {
            for (; ring.TryRead(out var frame); ring.Advance(frame.Length))
            {
                (++taken).ShouldBeLessThanOrEqualTo(RingBytes / FrameHeader.Size);
                if (frame.Length < ResultFrame.HeadBytes)
                    throw new FrameException("too short");
                var head = frame[..ResultFrame.HeadBytes].ToArray();
                ResultFrame.CheckWhole(head, frame.Length);
                ResultFrame.Check(head.AsSpan(FrameHeader.Size), frame.Length - FrameHeader.Size);
                // What was taken as right here, nobody behind may refuse.
                FrameReader.TryRead(frame, out var header, out var length).ShouldBeTrue();
                (length, header.Kind).ShouldBe((frame.Length, FrameKind.Result));
                ResultPrefix.Read(frame[FrameHeader.Size..], header.BodyLength).WorkerStarted.ShouldBeGreaterThanOrEqualTo(0);
            }

            return taken > 0;
        }
        catch (FrameException)
        {
            return false;
        }
        finally
        {
            ring.Unmap();
        }
    }

    private static byte[] First(Random random)
    {
        long[] wholes = [0, -1, FrameHeader.MaxBody, FrameHeader.MaxBody + 1, LargestJoined, LargestJoined + 1, long.MaxValue, random.Next(LargestJoined), random.Next(FrameHeader.MaxBody, LargestJoined), random.Next(FrameHeader.MaxBody, LargestJoined)];
        var first = new byte[random.Next(10) == 0 ? random.Next(FrameHeader.Size, FrameHeader.MaxFrame) : FrameHeader.MaxFrame];
        new FrameHeader { Kind = FrameKind.Result, Flags = FrameFlags.Segmented, BodyLength = first.Length - FrameHeader.Size, Task = s_task }.Write(first);
        if (first.Length >= FrameHeader.Size + sizeof(long))
            BinaryPrimitives.WriteInt64LittleEndian(first.AsSpan(FrameHeader.Size), wholes[random.Next(wholes.Length)]);
        return first;
    }

    private static bool Reads<T>(byte[] input, JsonTypeInfo<T> type)
        where T : class
    {
        try
        {
            MessageBody.Read(FrameKind.Hello, input, type).ShouldNotBeNull();
            return true;
        }
        catch (FrameException)
        {
            return false;
        }
    }

    private static byte[] Result(int value)
    {
        var frame = new byte[ResultFrame.HeadBytes + value + 5];
        new FrameHeader { Kind = FrameKind.Result, BodyLength = frame.Length - FrameHeader.Size, Task = s_task, Attempt = 1, Ticket = 4 }.Write(frame);
        new ResultPrefix { Outcome = TaskOutcome.Value, ContentType = ContentType.Json, StdoutBytes = 3, StderrBytes = 2, WorkerStarted = 5, WorkerEnded = 6 }.Write(frame.AsSpan(FrameHeader.Size));
        return frame;
    }
}
