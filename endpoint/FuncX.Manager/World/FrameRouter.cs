using System.Buffers;
using FuncX.Wire;

namespace FuncX.Manager.World;

/// <summary>What becomes of frames that the endpoint has sent.</summary>
internal interface IRoutedFrames
{
    /// <summary>A frame for the leader itself.</summary>
    void OnOwn(in FrameHeader header, ReadOnlySpan<byte> frame);

    /// <summary>Frames of one kind of message for one rank, in one piece, as they go on: no longer than a message but for a single frame that is.</summary>
    void OnFrames(WorldRank rank, int tag, ReadOnlySpan<byte> frames);
}

/// <summary>
/// Sorts what comes from the endpoint by the rank it is for, in runs: a run of frames for one rank is looked at header by header and handed on in one piece, nothing is unpacked.
/// Benchmark: RelayBenchmarks.
/// </summary>
internal sealed class FrameRouter(WorldRank[] ranks, IRoutedFrames user)
{
    /// <summary>Of frames that go together in one message.</summary>
    public const int MessageBytes = (16 * 1024) - WorldPrefix.Size;

    /// <summary>Takes the whole frames of the input away from its front.</summary>
    /// <exception cref="FrameException">What comes is no frame.</exception>
    public void Route(ref ReadOnlySequence<byte> input)
    {
        while (!input.IsEmpty)
        {
            var used = Route(input.FirstSpan);
            if (used > 0)
            {
                input = input.Slice(used);
                continue;
            }

            // A frame across two pieces of memory.
            if (!FrameReader.TryRead(ref input, out var header, out var frame))
                return;
            var whole = ArrayPool<byte>.Shared.Rent(header.FrameLength);
            frame.CopyTo(whole);
            Route(whole.AsSpan(0, header.FrameLength));
            ArrayPool<byte>.Shared.Return(whole);
        }
    }

    /// <summary>Takes whole frames; returns how many bytes they are.</summary>
    public int Route(ReadOnlySpan<byte> input)
    {
        var used = 0;
        var run = 0;
        WorldRank? target = null;
        var tag = 0;
        while (FrameReader.TryRead(input[used..], out var header, out var length))
        {
            var rank = header.Destination == 0 ? null : RankOf(header.Destination);
            var wanted = WorldRank.TagOf(header.Kind);
            if (rank != target || wanted != tag)
            {
                if (target is not null)
                    HandOn(target, tag, input[run..used]);
                (run, target, tag) = (used, rank, wanted);
            }

            if (header.Destination == 0)
                user.OnOwn(header, input.Slice(used, length));
            used += length;
        }

        if (target is not null)
            HandOn(target, tag, input[run..used]);
        return used;
    }

    /// <summary>Whose frame it is; null: a rank's that is not there.</summary>
    public WorldRank? RankOf(uint destination)
    {
        // A rank's managers have the numbers that leave the same remainder; a second one only when they are simulated.
        var rank = ranks[(destination - 1) % (uint)ranks.Length];
        return rank.Generation == 0 ? null : rank;
    }

    /// <summary>Cuts runs of small frames into messages; a single frame may be larger than one.</summary>
    private void HandOn(WorldRank rank, int tag, ReadOnlySpan<byte> frames)
    {
        while (frames.Length > 0)
        {
            var part = Part(frames);
            user.OnFrames(rank, tag, frames[..part]);
            frames = frames[part..];
        }
    }

    /// <summary>Bytes of the frames in front that go in one message.</summary>
    private static int Part(ReadOnlySpan<byte> frames)
    {
        if (frames.Length <= MessageBytes)
            return frames.Length;
        var part = BitConverter.ToInt32(frames);
        while (part < frames.Length && BitConverter.ToInt32(frames[part..]) is var length && part + length <= MessageBytes)
            part += length;
        return part;
    }
}
