using System.Globalization;
using FuncX.Endpoint.Core.Launching;
using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class WorkerShareTests
{
    private const long GiB = 1L << 30;

    [Theory]
    [InlineData(4, 2, 0, 0, "2", "4096MiB", "0")]
    [InlineData(4, 1, 2, 4, "1", "2048MiB", "1")]
    [InlineData(2, 8, 0, 8, "8", "8192MiB", "4")]
    [InlineData(4, 1, 0, 2, "1", "4096MiB", "1")]
    [InlineData(3, 1, 0, 8, "1", "5461MiB", "2")]
    public void A_worker_has_its_cores_its_memory_and_its_part_of_the_devices(int perNode, int cores, int memory, int devices, string hasCores, string hasMemory, string hasDevices)
    {
        var settings = new WorkerSettings
        {
            PerNode = perNode,
            CoresPerWorker = cores,
            MemoryPerWorker = memory * GiB,
            Accelerators = [.. Enumerable.Range(0, devices).Select(static number => $"{number}")],
        };

        var has = WorkerShare.Of(settings, 16 * GiB).ToDictionary();

        (has["cores"], has["memory"], has["accelerators"]).ShouldBe((hasCores, hasMemory, hasDevices));
        // No place has fewer.
        Enumerable.Range(0, perNode).Min(place => Seen(place, settings)).ShouldBe(int.Parse(hasDevices, CultureInfo.InvariantCulture));
    }

    private static int Seen(int place, WorkerSettings settings)
    {
        var variables = WorkerVariables.OfPlace(place, settings.PerNode, settings.Accelerators).ToDictionary();
        return variables.TryGetValue("CUDA_VISIBLE_DEVICES", out var devices) ? devices.Split(',').Length : 0;
    }
}
