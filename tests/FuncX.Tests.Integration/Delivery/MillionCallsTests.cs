using System.Diagnostics;
using System.Globalization;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Delivery;

/// <summary>A million calls (200,000 in the short run) through the real programs by a client of its own that makes its arguments as they are wanted.</summary>
[Collection(SharedClusterCollection.Name)]
[Trait(Beside.Name, Beside.Suites)]
public sealed class MillionCallsTests(SharedCluster shared)
{
    private static readonly int Calls = Scenario.Full ? 1_000_000 : 200_000;

    /// <summary>Between two looks at the client's memory.</summary>
    private static readonly int Step = Calls / 10;

    /// <summary>Less than 50 bytes for each call of a million between the third look and the last; 120 of the shorter run.</summary>
    private static readonly long Growth = Scenario.Full ? 32L << 20 : 16L << 20;

    /// <summary>What the runtime gives the client in all: with 150 bytes for each call it would not come to the end.</summary>
    private const long HeapBytes = 192L << 20;

    [Fact]
    public async Task A_million_calls_take_a_client_no_more_memory_than_a_hundred_thousand()
    {
        await shared.FunctionAsync("def million(x):\n    return x\n");
        using var process = Start();
        try
        {
            await MapAsync(process);
        }
        finally
        {
            process.Kill();
        }
    }

    private async Task MapAsync(Process process)
    {
        var errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        var writing = WriteAsync(process.StandardInput);
        var clock = Stopwatch.StartNew();
        var memory = new List<long>();
        for (var number = 0; number < Calls; number++)
        {
            var line = await process.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken);
            if (!int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var value) || value != number)
                throw new InvalidDataException($"call {number} came back as '{line}': {(line is null ? await errors : "")}");
            // Long before the last: it may be gone while those are read.
            if (number % Step == Step / 2)
                memory.Add(ProcessTable.PrivateBytes(process.Id));
        }

        await writing;
        (await errors).ShouldBe("group million\n");
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        process.ExitCode.ShouldBe(0);
        var seen = string.Join(", ", memory.Select(static bytes => $"{bytes >> 20}"));
        Scenario.Note("million-calls", string.Create(CultureInfo.InvariantCulture, $"{Calls:#,0} calls in {clock.Elapsed.TotalSeconds:0.0} s; the client's private memory at every {Step:#,0}: {seen} MB"));
        memory.Count.ShouldBe(Calls / Step);
        (memory[^1] - memory[2]).ShouldBeLessThan(Growth, seen);
        (await shared.Api.GroupAsync("million")).Done.ShouldBe(Calls);
    }

    private Process Start()
    {
        var start = new ProcessStartInfo(
            SourceTree.Program("sdk/FuncX.Cli", "funcx"),
            ["map", "million", shared.Cluster.EndpointId, "--group", "million", "--service", shared.Cluster.Service.Address, "--token-file", shared.Cluster.TokenFile])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["FUNCX_CONFIG_DIR"] = shared.Cluster.DirectoryPath;
        start.Environment["DOTNET_GCHeapHardLimit"] = HeapBytes.ToString("x", CultureInfo.InvariantCulture);
        return Process.Start(start)!;
    }

    private static async Task WriteAsync(StreamWriter arguments)
    {
        await using (arguments)
        {
            for (var number = 0; number < Calls; number++)
                await arguments.WriteLineAsync(number.ToString(CultureInfo.InvariantCulture));
        }
    }
}
