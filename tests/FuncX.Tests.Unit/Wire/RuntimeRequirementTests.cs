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
    [InlineData("", "must begin with python or dotnet")]
    [InlineData("ruby>=3", "must begin with python or dotnet")]
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
