using System.Text;
using System.Text.Json;
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
    public void What_managers_count_is_read_and_added_up_figure_by_figure()
    {
        foreach (var property in typeof(ManagerHops).GetProperties())
        {
            var hops = new Dictionary<string, long> { [JsonNamingPolicy.SnakeCaseLower.ConvertName(property.Name)] = 4 };
            var report = ManagerReport.Read(JsonSerializer.SerializeToUtf8Bytes(new { hops }));
            property.GetValue(report.Hops + report.Hops).ShouldBe(8L, property.Name);
        }
    }

    [Fact]
    public void A_status_that_is_no_JSON_is_refused() => Should.Throw<FrameException>(() => ManagerReport.Read("<"u8));
}
