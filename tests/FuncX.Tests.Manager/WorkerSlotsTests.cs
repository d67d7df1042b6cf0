using FuncX.Manager.Link;
using FuncX.Manager.Pools;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class WorkerSlotsTests
{
    private static readonly int[] s_cpus = [0, 1, 2, 3, 8, 9, 10, 11];

    [Theory]
    [InlineData("block", 4, 2, "0,1 2,3 8,9 10,11")]
    [InlineData("alternating", 4, 2, "0,8 1,9 2,10 3,11")]
    [InlineData("block", 3, 2, "0,1 2,3 8,9")]
    [InlineData("alternating", 2, 3, "0,2,8 1,3,9")]
    [InlineData("block", 2, 8, "0,1,2,3,8,9,10,11 0,1,2,3,8,9,10,11")]
    [InlineData("block", 10, 1, "0 1 2 3 8 9 10 11 0 1")]
    [InlineData("none", 2, 4, "all all")]
    public void Places_have_the_CPUs_that_the_file_says(string affinity, int workers, int cores, string expected)
    {
        var slots = new WorkerSlots(new WorkerSettings { PerNode = workers, CoresPerWorker = cores, CpuAffinity = affinity }, s_cpus);
        string.Join(' ', Enumerable.Range(0, workers).Select(number => slots.Describe(number).Cpus is { } cpus ? string.Join(',', cpus) : "all")).ShouldBe(expected);
    }

    [Theory]
    [InlineData(4, "0 1 2 3", "0|1|2|3")]
    [InlineData(2, "0 1 2 3", "0,1|2,3")]
    [InlineData(3, "0 1 2 3", "0|1|2,3")]
    [InlineData(4, "GPU-a GPU-b", "GPU-a|GPU-a|GPU-b|GPU-b")]
    [InlineData(1, "0 1", "0,1")]
    public void Every_device_belongs_to_a_place_and_every_place_has_one(int workers, string devices, string expected)
    {
        var slots = new WorkerSlots(new WorkerSettings { PerNode = workers, Accelerators = devices.Split(' ') }, s_cpus);
        foreach (var name in (string[])["CUDA_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "ZE_AFFINITY_MASK"])
            string.Join('|', Enumerable.Range(0, workers).Select(number => slots.Describe(number).Variables.Single(variable => variable.Key == name).Value)).ShouldBe(expected);
    }

    [Fact]
    public void A_place_is_taken_once_and_the_lowest_free_one_first()
    {
        var slots = new WorkerSlots(new WorkerSettings { PerNode = 3 }, s_cpus);
        (slots.Take().Number, slots.Take().Number, slots.Take().Number).ShouldBe((0, 1, 2));
        slots.Release(1);
        slots.Take().Number.ShouldBe(1);
        slots.Take().Number.ShouldBe(3, "one more than there are is another place, not somebody else's");
        slots.Describe(0).Variables.ShouldNotContain(static variable => variable.Key == "CUDA_VISIBLE_DEVICES");
    }
}
