using System.Buffers.Binary;
using System.Diagnostics;
using System.Globalization;
using FuncX.Contracts.V1;
using FuncX.Wire;
using Google.Protobuf;

namespace FuncX.Bench.Throughput;

/// <summary>Arguments of 1 MiB, pickled bytes; the function answers with their length plus their first number.</summary>
internal static class LargeArguments
{
    private const int Bytes = 1024 * 1024;
    private const int PerBatch = 8;
    private const string Source = "def measure(data):\n    return len(data) + int.from_bytes(data[:4], 'little')\n";

    public static async Task<double> MeasureAsync(Report report, LocalCluster cluster, int tasks, int runs)
    {
        var function = await cluster.Api.RegisterAsync(Source, "measure");
        var rates = new List<double>();
        var before = Processes.Cpu(cluster.Service, cluster.Endpoint);
        for (var run = 0; run <= runs; run++)
        {
            // The first is the warm-up, as it is for single calls.
            var group = $"large-{Guid.NewGuid():N}";
            var first = new Dictionary<BatchId, int>();
            var clock = Stopwatch.StartNew();
            var submitting = SubmitAsync(cluster, function, group, tasks, first);
            var seen = 0;
            await foreach (var result in cluster.Api.ResultsAsync(group, tasks))
            {
                int number;
                lock (first)
                    number = first[result.Task.Batch] + (int)result.Task.Index;
                if (result.Outcome != Outcome.Value || Pickled(result.Value.Span) != Bytes + number)
                    throw new InvalidDataException($"call {number} with 1 MiB ended as {result.Outcome} with {Convert.ToHexString(result.Value.Span)}");
                seen++;
            }

            await submitting;
            rates.Add(seen * (double)Bytes / 1e6 / clock.Elapsed.TotalSeconds);
        }

        var (cost, each) = Processes.PerTask(before, Processes.Cpu(cluster.Service, cluster.Endpoint), tasks * (runs + 1));
        report.Note(string.Create(CultureInfo.InvariantCulture, $"mb_per_s_1mib: {cost:0} us of processor per call ({each}); runs: {string.Join(", ", rates.Select(static rate => rate.ToString("0", CultureInfo.InvariantCulture)))}, the first not counted"));
        return Median.Of(rates.Skip(1));
    }

    private static async Task SubmitAsync(LocalCluster cluster, string function, string group, int tasks, Dictionary<BatchId, int> first)
    {
        // b"\x80\x04" B<length u32> data \x85 } \x86 . : protocol 4, bytes, a tuple of it, an empty dictionary, a tuple of both
        const int Length = 2 + 5 + Bytes + 4;
        await Parallel.ForEachAsync(Enumerable.Range(0, tasks / PerBatch), new ParallelOptions { MaxDegreeOfParallelism = 4 }, async (index, cancellation) =>
        {
            var bodies = new byte[PerBatch * Length];
            var batch = ServiceApi.NewBatch();
            var request = new SubmitRequest
            {
                BatchId = ServiceApi.Bytes(batch),
                FunctionId = function,
                EndpointId = cluster.EndpointId,
                Group = group,
                ContentType = (uint)ContentType.Pickle,
                Bodies = UnsafeByteOperations.UnsafeWrap(bodies),
                ClientSent = ServiceApi.NowMicroseconds(),
            };
            for (var i = 0; i < PerBatch; i++)
            {
                request.Lengths.Add(Length);
                var body = bodies.AsSpan(i * Length, Length);
                body[0] = 0x80;
                body[1] = 4;
                body[2] = (byte)'B';
                BinaryPrimitives.WriteInt32LittleEndian(body[3..], Bytes);
                BinaryPrimitives.WriteInt32LittleEndian(body[7..], (index * PerBatch) + i);
                body[^4] = 0x85;
                body[^3] = (byte)'}';
                body[^2] = 0x86;
                body[^1] = (byte)'.';
            }

            lock (first)
                first.Add(batch, index * PerBatch);
            await cluster.Api.Tasks.SubmitAsync(request, cluster.Api.Headers, cancellationToken: cancellation);
        });
    }

    // ... J<int32> . : an integer of four bytes stands at the end of its pickle
    private static int Pickled(ReadOnlySpan<byte> value) =>
        value.Length >= 6 && value[^6] == 'J' && value[^1] == '.' ? BinaryPrimitives.ReadInt32LittleEndian(value[^5..]) : -1;
}
