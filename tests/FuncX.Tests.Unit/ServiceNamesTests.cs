using FuncX.Contracts;
using FuncX.Contracts.V1;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class ServiceNamesTests
{
    [Fact]
    public void They_are_those_of_the_contract()
    {
        ServiceNames.Tasks.ShouldBe(Tasks.Descriptor.FullName);
        ServiceNames.Link.ShouldBe(Link.Descriptor.FullName);
    }
}
