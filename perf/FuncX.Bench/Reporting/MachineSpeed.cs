using System.Diagnostics;
using System.Globalization;
using System.IO.Pipes;
using System.Runtime.InteropServices;
using FuncX.Configuration;

namespace FuncX.Bench.Reporting;

/// <summary>
/// How fast the machine is at this moment in what a distributed system is made of. Virtual machines differ by a factor of two here while a loop of arithmetic takes
/// as long as ever: figures taken at different times are compared with these beside them.
/// </summary>
internal static class MachineSpeed
{
    private const int Page = 4096;
    private const int Block = 8 << 20;

    public static string Describe()
    {
        var path = Path.Combine(Environment.GetEnvironmentVariable("FUNCX_TESTS_DIRECTORY") ?? Path.GetTempPath(), $"funcx-bench-{Guid.NewGuid():N}");
        try
        {
            return string.Create(
                CultureInfo.InvariantCulture,
                $"machine at this moment: a byte through a pipe {Pipe():0.0} us, to another thread and back {Wake():0} us, a new page of memory {NewPage():0.00} us, a sync of 4 KiB {Sync(path):0} us, synced writes of 8 MiB {SyncedWrites(path):0} MB/s");
        }
        finally
        {
            File.Delete(path);
        }
    }

    private static double Pipe()
    {
        using var write = new AnonymousPipeServerStream(PipeDirection.Out);
        using var read = new AnonymousPipeClientStream(PipeDirection.In, write.ClientSafePipeHandle);
        return Each(20_000, () =>
        {
            write.WriteByte(1);
            read.ReadByte();
        });
    }

    private static double Wake()
    {
        using var there = new AnonymousPipeServerStream(PipeDirection.Out);
        using var back = new AnonymousPipeServerStream(PipeDirection.In);
        using var atThere = new AnonymousPipeClientStream(PipeDirection.In, there.ClientSafePipeHandle);
        using var fromThere = new AnonymousPipeClientStream(PipeDirection.Out, back.ClientSafePipeHandle);
        var other = new Thread(() =>
        {
            while (atThere.ReadByte() == 1)
                fromThere.WriteByte(1);
        });
        other.Start();
        var each = Each(2_000, () =>
        {
            there.WriteByte(1);
            back.ReadByte();
        });
        there.WriteByte(0);
        other.Join();
        return each;
    }

    private static unsafe double NewPage()
    {
        // Larger than what malloc keeps for itself.
        const int Pages = 16_384;
        return Each(3, () =>
        {
            var memory = (byte*)NativeMemory.Alloc(Pages * Page);
            for (var page = 0; page < Pages; page++)
                memory[page * Page] = 1;
            NativeMemory.Free(memory);
        }) / Pages;
    }

    private static double Sync(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        var bytes = new byte[Page];
        RandomAccess.Write(file, new byte[Page * 64], 0);
        DiskSync.Flush(file, path);
        var at = 0;
        return Each(100, () =>
        {
            RandomAccess.Write(file, bytes, Page * (at++ % 64));
            DiskSync.Flush(file, path);
        });
    }

    private static double SyncedWrites(string path)
    {
        using var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        var bytes = new byte[Block];
        var at = 0L;
        return Block / Each(8, () =>
        {
            RandomAccess.Write(file, bytes, Block * at++);
            DiskSync.Flush(file, path);
        });
    }

    /// <summary>Microseconds each.</summary>
    private static double Each(int count, Action action)
    {
        action();
        var clock = Stopwatch.StartNew();
        for (var i = 0; i < count; i++)
            action();
        return clock.Elapsed.TotalMicroseconds / count;
    }
}
