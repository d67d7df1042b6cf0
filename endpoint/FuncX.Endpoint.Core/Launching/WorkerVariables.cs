using System.Globalization;

namespace FuncX.Endpoint.Core.Launching;

/// <summary>What a worker's environment has besides that of its node. A manager sets it; <c>funcx-endpoint render</c> shows it beforehand.</summary>
public static class WorkerVariables
{
    /// <summary>Those that say how many threads a library may have.</summary>
    public static IReadOnlyList<string> ThreadCounts { get; } = ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"];

    // What CUDA, ROCm and oneAPI look at.
    private static readonly string[] s_devices = ["CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"];

    /// <summary>The same for all workers of a node.</summary>
    /// <param name="node">What it is called.</param>
    /// <param name="coresPerWorker">So many threads.</param>
    /// <param name="stageDirectory">Where the files of <c>stage_in</c> are; empty: there are none.</param>
    public static IEnumerable<KeyValuePair<string, string>> OfNode(string node, int coresPerWorker, string stageDirectory) =>
    [
        .. ThreadCounts.Select(name => new KeyValuePair<string, string>(name, Number(coresPerWorker))),
        new("FUNCX_NODE", node),
        .. OfFiles(stageDirectory),
    ];

    /// <summary>Where the files of <c>stage_in</c> are; of <c>workers.init</c>, too.</summary>
    public static IEnumerable<KeyValuePair<string, string>> OfFiles(string stageDirectory) => stageDirectory.Length > 0 ? [new("FUNCX_STAGE_DIR", stageDirectory)] : [];

    /// <summary>Those of one worker's place.</summary>
    /// <param name="number">From 0.</param>
    /// <param name="perNode">Workers of a node.</param>
    /// <param name="devices">Of a node: each place has an even share of them, in this order; with more workers than devices some share one.</param>
    public static IReadOnlyList<KeyValuePair<string, string>> OfPlace(int number, int perNode, IReadOnlyList<string> devices)
    {
        KeyValuePair<string, string> place = new("FUNCX_WORKER_SLOT", Number(number));
        if (devices.Count == 0)
            return [place];
        var among = number % perNode;
        var first = (int)((long)among * devices.Count / perNode);
        var end = (int)((among + 1L) * devices.Count / perNode);
        var share = string.Join(',', devices.Skip(first).Take(Math.Max(1, end - first)));
        return [.. s_devices.Select(name => new KeyValuePair<string, string>(name, share)), place];
    }

    private static string Number(int value) => value.ToString(CultureInfo.InvariantCulture);
}
