using System.Diagnostics;
using System.Text.Json;
using FuncX.Cli.Output;
using FuncX.Client;
using FuncX.Contracts.V1;
using HdrHistogram;

namespace FuncX.Cli.Quickstart;

/// <summary>What quickstart shows: one call, many calls, one call at a time, and where the time goes.</summary>
internal sealed class Tour
{
    private const int SingleCalls = 300;
    private const int CallsLookedAt = 100;

    // On a machine that is busy with other things fewer calls have to do.
    private static readonly TimeSpan SingleCallsLimit = TimeSpan.FromSeconds(3);

    private const string Definition = """{"command": ["date", "-u", "-d", "@{seconds}", "+%F"]}""";
    private const long SecondsOfADay = 100_000_000;
    private const int PrimesUpTo = 1_000_000;
    private const int PrimesFound = 78_498;

    private const string Source = """
        import os, platform


        def greet(name):
            print("greeting", name)
            return f"Hello {name}, from Python {platform.python_version()} in process {os.getpid()}"


        def square(number):
            return number * number

        """;

    private readonly Invocation _invocation;
    private readonly int _calls;
    private readonly int _workers;

    public Tour(Invocation invocation, int calls, int workers)
    {
        _invocation = invocation;
        _calls = calls;
        _workers = workers;
    }

    /// <summary>After the tour everything goes on until the user ends it.</summary>
    public bool KeepsRunning { get; init; }

    /// <summary>The directory with the logs is left.</summary>
    public bool KeepsLogs { get; init; }

    public async Task<int> RunAsync(CancellationToken cancellation)
    {
        var python = await FindPythonAsync(cancellation);
        var cluster = new LocalCluster(KeepsLogs);
        try
        {
            await TourAsync(cluster, python, cancellation);
            if (KeepsRunning)
                await KeepAsync(cluster, cancellation);
        }
        catch (Exception) when (!cancellation.IsCancellationRequested)
        {
            foreach (var process in cluster.Processes)
            {
                await _invocation.Terminal.Error.WriteLineAsync($"--- last lines of {process.Name}{(process.HasExited ? $", which ended with {process.Ending}" : "")}:");
                foreach (var line in process.LastLines)
                    await _invocation.Terminal.Error.WriteLineAsync(line);
            }

            throw;
        }
        finally
        {
            await cluster.DisposeAsync();
        }

        Say(KeepsLogs ? $"Everything is stopped; {cluster.DirectoryPath} is left for you." : "Everything is stopped and removed.");
        return ExitCodes.Ok;
    }

    private async Task TourAsync(LocalCluster cluster, (string Path, string Version)? python, CancellationToken cancellation)
    {
        Say($"FuncX quickstart in {cluster.DirectoryPath}");
        if (LocalCluster.ManagerIsJit)
            Say("funcx-manager is not published ahead of time here; its slower build is used. (To publish: dotnet publish -c Release endpoint/FuncX.Manager)");
        var watch = Stopwatch.StartNew();
        await cluster.StartServiceAsync(cancellation);
        Say($"service   listens on {cluster.Client.Address.GetLeftPart(UriPartial.Authority)} ({watch.Elapsed.TotalSeconds:0.0} s)");
        var endpoint = await cluster.StartEndpointAsync("quickstart", _workers, python?.Path ?? "python3", cancellation);
        Say($"endpoint  'quickstart' is online with {endpoint.Status.Workers} workers{(python is { } found ? $" of Python {found.Version}" : "")} ({watch.Elapsed.TotalSeconds:0.0} s)");

        var client = cluster.Client;
        await KindsAsync(client, endpoint, hasPython: python is not null, cancellation);
        var square = python is not null ? await client.RegisterPythonAsync(Source, "square", cancellation: cancellation) : await DotnetAsync(client, "Square", cancellation);

        var (seconds, sum) = await MapAsync(client, square, endpoint, cancellation);
        var rate = _calls / seconds;
        Say($"square of 0 to {_calls - 1:N0}: {_calls:N0} calls in {seconds:0.00} s = {rate:N0} calls/s; every value checked, sum {sum}");

        var (latency, hops) = await OneAtATimeAsync(client, square, endpoint, cancellation);
        var (p50, p99) = (latency.GetValueAtPercentile(50), latency.GetValueAtPercentile(99));
        Say($"{latency.TotalCount} calls one at a time: median {Tables.Duration(p50)}, 99 % within {Tables.Duration(p99)}");
        if (_invocation.IsJson)
        {
            _invocation.WriteJson(new
            {
                Calls = _calls,
                Workers = _workers,
                Seconds = seconds,
                CallsPerSecond = rate,
                LatencyP50Ms = p50 / 1e3,
                LatencyP99Ms = p99 / 1e3,
                Hops = hops.Select(hop => new { hop.Hop, hop.Microseconds }),
            });
        }
        else
        {
            _invocation.Terminal.People.Write(HopTable.Create("Where the time of a single call goes (medians)", "median", hops));
            await _invocation.Terminal.Output.FlushAsync(cancellation);
        }
    }

    /// <summary>One function of each kind.</summary>
    private async Task KindsAsync(FuncXClient client, EndpointInfo endpoint, bool hasPython, CancellationToken cancellation)
    {
        if (hasPython)
        {
            var greet = await client.RegisterPythonAsync(Source, "greet", cancellation: cancellation);
            var greeting = await client.CallAsync<string, string>(greet, endpoint, Environment.UserName, cancellation: cancellation);
            Say($"python    greet(\"{Environment.UserName}\") = \"{greeting}\"");
        }

        var day = await client.Functions.RegisterCommandAsync("day", Definition, cancellation: cancellation);
        var printed = await client.CallAsync<long, JsonElement>(day, endpoint, SecondsOfADay, cancellation: cancellation);
        if (printed.GetProperty("returncode").GetInt32() != 0 || printed.GetProperty("stdout").GetString() != "1973-03-03\n")
            throw new FuncXException(FuncXErrorKind.UnexpectedValue, $"date -u -d @{SecondsOfADay} +%F came back as {printed}.");
        Say($"command   date -u -d @{SecondsOfADay} +%F printed \"{printed.GetProperty("stdout").GetString()!.TrimEnd()}\", return code {printed.GetProperty("returncode")}");

        var primes = await client.CallAsync<int, int>(await DotnetAsync(client, "PrimesUpToAsync", cancellation), endpoint, PrimesUpTo, cancellation: cancellation);
        if (primes != PrimesFound)
            throw new FuncXException(FuncXErrorKind.UnexpectedValue, $"There are {PrimesFound} primes up to {PrimesUpTo}, and {primes} came back.");
        Say($".NET      PrimesUpToAsync({PrimesUpTo}) = {primes}");
    }

    private static async Task<FunctionInfo> DotnetAsync(FuncXClient client, string method, CancellationToken cancellation)
    {
        var assembly = await File.ReadAllBytesAsync(Path.Combine(AppContext.BaseDirectory, "FuncX.Samples.dll"), cancellation);
        return await client.Functions.RegisterDotnetAsync(assembly, $"FuncX.Samples::FuncX.Samples.Numbers::{method}", cancellation: cancellation);
    }

    private async Task<(string Path, string Version)?> FindPythonAsync(CancellationToken cancellation)
    {
        try
        {
            return await Python.FindAsync(cancellation);
        }
        catch (UsageException problem)
        {
            Say($"Without Python functions: {problem.Message}");
            return null;
        }
    }

    private async Task KeepAsync(LocalCluster cluster, CancellationToken cancellation)
    {
        cluster.WriteCredentials();
        Say($"Everything goes on until you press Ctrl-C (or end process {Environment.ProcessId}). In another terminal:");
        Say($"  export FUNCX_CONFIG_DIR={cluster.DirectoryPath}");
        Say("  funcx endpoint list");
        while (!cancellation.IsCancellationRequested)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(200), cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cluster.Processes.FirstOrDefault(process => process.HasExited) is { } ended && !cancellation.IsCancellationRequested)
                throw new FuncXException(FuncXErrorKind.Failed, $"{ended.Name} has ended ({ended.Ending}).");
        }
    }

    private async Task<(double Seconds, Int128 Sum)> MapAsync(FuncXClient client, FunctionInfo square, EndpointInfo endpoint, CancellationToken cancellation)
    {
        var started = Stopwatch.GetTimestamp();
        var sum = await ProgressBar.RunAsync(_invocation, "square", _calls, async report =>
        {
            long number = 0;
            Int128 total = 0;
            await foreach (var value in client.MapAsync<int, long>(square, endpoint, Enumerable.Range(0, _calls), cancellation: cancellation))
            {
                if (value != number * number)
                    throw new FuncXException(FuncXErrorKind.UnexpectedValue, $"square({number}) came back as {value} instead of {number * number}.");
                total += value;
                if (++number % 128 == 0)
                    report(number);
            }

            if (number != _calls)
                throw new FuncXException(FuncXErrorKind.Failed, $"{number} results came for {_calls} calls.");
            report(number);
            return total;
        });
        return (Stopwatch.GetElapsedTime(started).TotalSeconds, sum);
    }

    private static async Task<(LongHistogram Latency, IReadOnlyList<(string Hop, string Clock, long? Microseconds)> Hops)> OneAtATimeAsync(
        FuncXClient client, FunctionInfo square, EndpointInfo endpoint, CancellationToken cancellation)
    {
        var latency = new LongHistogram(highestTrackableValue: 60_000_000, numberOfSignificantValueDigits: 3);
        var hops = new List<IReadOnlyList<(string Hop, string Clock, long? Microseconds)>>(CallsLookedAt);
        var tasks = new List<Wire.TaskId>(SingleCalls);
        await CallForAsync(SingleCalls / 3, SingleCallsLimit / 3, static (_, _) => { });
        await CallForAsync(SingleCalls, SingleCallsLimit, (task, microseconds) =>
        {
            latency.RecordValue(microseconds);
            tasks.Add(task);
        });
        foreach (var task in tasks.TakeLast(CallsLookedAt))
            hops.Add(HopTable.Hops((await client.Tasks.GetAsync(task, cancellation: cancellation)).Times ?? new HopTimes()));
        return (latency, [.. hops[0].Select((hop, index) => (hop.Hop, hop.Clock, Median(hops.Select(task => task[index].Microseconds))))]);

        async Task CallForAsync(int most, TimeSpan limit, Action<Wire.TaskId, long> done)
        {
            var begun = Stopwatch.GetTimestamp();
            for (var call = 0; call < most && Stopwatch.GetElapsedTime(begun) < limit; call++)
            {
                var started = Stopwatch.GetTimestamp();
                var handle = await client.SubmitAsync<int, long>(square, endpoint, call, cancellation: cancellation);
                await handle.AsTask().WaitAsync(cancellation);
                done(handle.Id, (long)Stopwatch.GetElapsedTime(started).TotalMicroseconds);
            }
        }
    }

    private static long? Median(IEnumerable<long?> values)
    {
        var known = values.OfType<long>().Order().ToList();
        return known.Count == 0 ? null : known[known.Count / 2];
    }

    /// <summary>For people; on standard error when standard output is for a program.</summary>
    private void Say(string line)
    {
        var writer = _invocation.IsJson ? _invocation.Terminal.Error : _invocation.Terminal.Output;
        writer.WriteLine(line);
        writer.Flush();
    }
}
