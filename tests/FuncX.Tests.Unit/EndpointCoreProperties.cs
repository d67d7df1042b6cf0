using FsCheck;
using FsCheck.Fluent;
using FsCheck.Xunit;

namespace FuncX.Tests.Unit;

/// <summary>Any order of events against a model of what surrounds the core: a service that hands out attempts, blocks that end, and managers that hold what they were sent.</summary>
public sealed class EndpointCoreProperties
{
    [Property(MaxTest = 300)]
    public void Whatever_happens_every_attempt_is_in_one_place_and_ends_once(NonNegativeInt seed, PositiveInt length)
    {
        var model = new EndpointCoreModel(new Random(seed.Get));
        for (var i = 0; i < 20 + (length.Get * 5); i++)
            model.Step();
        model.Finish();
    }

    [Property(MaxTest = 100)]
    public void An_endpoint_that_stops_in_the_middle_sends_nothing_more_and_what_runs_at_its_managers_ends(NonNegativeInt seed, PositiveInt length)
    {
        var model = new EndpointCoreModel(new Random(seed.Get));
        for (var i = 0; i < 20 + (length.Get * 5); i++)
            model.Step();
        model.Stop();
    }
}
