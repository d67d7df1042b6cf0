using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using HdrHistogram;

namespace FuncX.Tests.Functions;

/// <summary>What the tests call as .NET functions: one method for each way in which a task can end.</summary>
public static partial class Calls
{
    public static int Square(int x) => (x * x) + 7;

    public static async Task<string> Later(string text, int milliseconds = 5)
    {
        await Task.Delay(milliseconds);
        return text + "!";
    }

    public static async ValueTask<long> Soon(long number)
    {
        await Task.Yield();
        return number + 1;
    }

    public static Task Nothing() => Task.Delay(1);

    public static Point Shift(Point point, double by = 1) => new(point.X + by, point.Y + by);

    /// <summary>Needs an assembly of its package.</summary>
    public static long Median(long[] values)
    {
        var histogram = new LongHistogram(1_000_000, 3);
        foreach (var value in values)
            histogram.RecordValue(value);
        return histogram.GetValueAtPercentile(50);
    }

    public static void Fail(int x)
    {
        Console.WriteLine($"before {x}");
        throw new InvalidDataException($"no {x}");
    }

    public static async Task FailLater(int x)
    {
        await Task.Delay(1);
        throw new InvalidDataException($"no {x}");
    }

    public static void Exit() => Environment.Exit(3);

    /// <summary>In native code, where it is no exception.</summary>
    public static nuint Crash() => Length(16);

    public static void Abort() => Environment.FailFast("aborted on purpose");

    public static int Spin()
    {
        for (var i = 0; ; i++)
            Thread.SpinWait(i % 100);
    }

    /// <summary>Ends when it is asked to.</summary>
    public static async Task<string> Patient(CancellationToken ending)
    {
        await Task.Delay(TimeSpan.FromMinutes(10), ending);
        return "never";
    }

    /// <summary>The same, and says that it has begun.</summary>
    public static Task<string> Begin(string path, CancellationToken ending)
    {
        File.WriteAllText(path, "");
        return Patient(ending);
    }

    public static int LeaveChild()
    {
        using var child = Process.Start(new ProcessStartInfo("sleep", "600"))!;
        return child.Id;
    }

    public static object Cycle()
    {
        var list = new List<object>();
        list.Add(list);
        return list;
    }

    public static string Large(int bytes) => new('x', bytes);

    public static int Flood(int lines)
    {
        for (var i = 0; i < lines; i++)
            Console.WriteLine("a line of the flood, and what stands in it");
        return lines;
    }

    public static int CloseAll()
    {
        for (var descriptor = 3; descriptor < 1024; descriptor++)
            _ = Close(descriptor);
        return 1;
    }

    public static int Fork()
    {
        var child = ForkProcess();
        if (child == 0)
            Leave(0);
        return 1;
    }

    public static string Missing() => Touch();

    /// <summary>Has so much memory, and keeps it.</summary>
    public static int Hoard(long bytes)
    {
        var held = Fill(bytes);
        Thread.Sleep(TimeSpan.FromMinutes(1));
        return held.Count;
    }

    public static ulong Hungry(long bytes) => (ulong)Fill(bytes).Count;

    private static List<byte[]> Fill(long bytes)
    {
        var held = new List<byte[]>();
        for (var left = bytes; left > 0; left -= 16 << 20)
        {
            var block = new byte[16 << 20];
            Array.Fill<byte>(block, 1);
            held.Add(block);
        }

        return held;
    }

    public static string? Variable(string name) => Environment.GetEnvironmentVariable(name);

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static string Touch() => System.Reflection.Assembly.Load("Not.There, Version=1.0.0.0").FullName!;

    [LibraryImport("libc", EntryPoint = "strlen")]
    private static partial nuint Length(nint text);

    [LibraryImport("libc", EntryPoint = "close")]
    private static partial int Close(int descriptor);

    [LibraryImport("libc", EntryPoint = "fork")]
    private static partial int ForkProcess();

    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void Leave(int code);
}

public sealed record Point(double X, double Y);
