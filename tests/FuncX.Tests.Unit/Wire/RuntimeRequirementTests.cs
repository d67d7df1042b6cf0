using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.Wire;

public sealed class RuntimeRequirementTests
{
    [Theory]
    [InlineData("python>=3.12", "3.12.0 3.12 3.13.1 4", "3.11.9 3 2.7")]
    [InlineData("python >= 3.9, < 3.13", "3.9.0 3.12.99", "3.8.18 3.13.0 3.13.0rc1")]
    [InlineData("python==3.11", "3.11 3.11.0", "3.11.2 3.12")]
    [InlineData("python==3.11.*", "3.11 3.11.2", "3.1 3.12")]
    [InlineData("python!=3.11.*", "3.10.1 3.12", "3.11 3.11.5")]
    [InlineData("python!=3.11.3", "3.11.2 3.11", "3.11.3")]
    [InlineData("python~=3.11", "3.11 3.12.4 3.99", "3.10.9 4.0")]
    [InlineData("python~=3.11.2", "3.11.2 3.11.9", "3.11.1 3.12.0")]
    [InlineData("dotnet>9", "10.0.1 9.0.1", "9 9.0 8.0.4")]
    [InlineData("dotnet<=10.0.3", "10.0.3 9.0", "10.0.4 11")]
    public void A_version_will_do_or_not(string text, string those, string others)
    {
        var requirement = RuntimeRequirement.Parse(text);

        foreach (var version in those.Split(' '))
            requirement.IsMetBy(version).ShouldBeTrue($"{text} by {version}");
        foreach (var version in others.Split(' '))
            requirement.IsMetBy(version).ShouldBeFalse($"{text} by {version}");
        requirement.IsMetBy(null).ShouldBeFalse();
        requirement.IsMetBy("").ShouldBeFalse();
        requirement.IsMetBy("unknown").ShouldBeFalse();
        requirement.ToString().ShouldBe(text.Replace(" ", "", StringComparison.Ordinal));
        RuntimeRequirement.Parse(requirement.ToString()).ToString().ShouldBe(requirement.ToString());
    }

    [Theory]
    [InlineData("cores>=4", "4 16", "3 0", "cores>=4")]
    [InlineData("cores >= 2, < 8", "2 7", "1 8", "cores>=2,<8")]
    [InlineData("memory>=8GiB", "8192MiB 20000MiB", "8191MiB 0MiB", "memory>=8192MiB")]
    [InlineData("memory>=512MiB,<2TiB", "512MiB 2097151MiB", "511MiB 2097152MiB", "memory>=512MiB,<2097152MiB")]
    [InlineData("accelerators==2", "2", "0 1 4", "accelerators==2")]
    public void A_quantity_will_do_or_not(string text, string those, string others, string stored)
    {
        var requirement = RuntimeRequirement.Parse(text);

        foreach (var quantity in those.Split(' '))
            requirement.IsMetBy(quantity).ShouldBeTrue($"{text} by {quantity}");
        foreach (var quantity in others.Split(' '))
            requirement.IsMetBy(quantity).ShouldBeFalse($"{text} by {quantity}");
        requirement.IsMetBy(null).ShouldBeFalse("a manager of an earlier release says nothing of it");
        requirement.ToString().ShouldBe(stored);
        RuntimeRequirement.Parse(stored).ToString().ShouldBe(stored);
    }

    [Theory]
    [InlineData("", "no runtime at all")]
    [InlineData("python=3.11.2", "python 3.11.2")]
    [InlineData("cores=4 python=3.11.2 memory=1024MiB dotnet=10.0.1 accelerators=0", "dotnet 10.0.1 and python 3.11.2, for each worker accelerators 0 and cores 4 and memory 1024MiB")]
    [InlineData("cores=4", "no runtime at all, for each worker cores 4")]
    public void What_a_node_has_is_said_runtimes_first(string found, string said) =>
        RuntimeRequirement.Describe(found.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(static one => one.Split('=')).ToDictionary(static one => one[0], static one => one[1])).ShouldBe(said);

    [Fact]
    public void Memory_is_said_in_the_unit_that_is_compared() => RuntimeRequirement.Parse("memory>=8GiB").IsMetBy(RuntimeRequirement.MemoryOf(8L << 30)).ShouldBeTrue();

    [Theory]
    [InlineData("cores>=two", "'two' is no whole number")]
    [InlineData("cores>=1.5", "'1.5' is no whole number")]
    [InlineData("cores>=", "'' is no whole number")]
    [InlineData("cores~=4", "~= goes with versions only")]
    [InlineData("cores==4.*", "'4.*' is no whole number")]
    [InlineData("memory>=8", "'8' is no memory")]
    [InlineData("memory>=8GB", "'8GB' is no memory")]
    [InlineData("memory>=GiB", "'GiB' is no whole number of GiB")]
    [InlineData("memory>=2048TiB", "that a node may have")]
    [InlineData("memory>=-1GiB", "no whole number")]
    [InlineData("accelerators>=99999999999", "no whole number")]
    [InlineData("", "must begin with python, dotnet, cores, memory or accelerators")]
    [InlineData("ruby>=3", "must begin with python, dotnet, cores, memory or accelerators")]
    [InlineData("python", "does not begin with one of")]
    [InlineData("python3.11", "does not begin with one of")]
    [InlineData("python>=", "is no version")]
    [InlineData("python>=3.x", "is no version")]
    [InlineData("python>=3..1", "is no version")]
    [InlineData("python>=03", "is no version")]
    [InlineData("python>=3.11rc1", "is no version")]
    [InlineData("python>=3.11.*", "'.*' goes with")]
    [InlineData("python~=3", "at least two numbers")]
    [InlineData("python>=3,", "does not begin with one of")]
    [InlineData("python>=1.2.3.4.5.6.7", "is no version")]
    [InlineData("python>3,>3,>3,>3,>3,>3,>3,>3,>3", "9 clauses")]
    public void What_is_none_is_refused(string text, string why) =>
        Should.Throw<FormatException>(() => RuntimeRequirement.Parse(text)).Message.ShouldContain(why);
}
