using System.Text;
using FuncX.Endpoint.Managers;
using FuncX.Wire;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointManagerReportTests
{
    // The protocol's page has hops as what a manager may keep.
    [Theory]
    [InlineData("{}")]
    [InlineData("""{"workers": 1, "busy": 0, "queued": 0, "note": ""}""")]
    [InlineData("""{"note": null, "hops": null}""")]
    [InlineData("null")]
    public void What_a_status_leaves_out_is_nothing_that_happened(string body) =>
        ManagerReport.Read(Encoding.UTF8.GetBytes(body)).ShouldBe(new ManagerReport());

    [Fact]
    public void A_status_that_is_no_JSON_is_refused() => Should.Throw<FrameException>(() => ManagerReport.Read("<"u8));
}
