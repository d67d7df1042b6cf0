using FuncX.Service.Links;

namespace FuncX.Service.Tasks;

/// <summary>What is told to others once a turn is durable. Links first, then streams of results, then those who asked.</summary>
internal sealed class TurnEffects
{
    public List<LinkSession> Links { get; } = [];

    public List<GroupState> Groups { get; } = [];

    public List<EngineEvent> Events { get; } = [];

    public void Release(bool inline)
    {
        foreach (var link in Links)
            link.Wake(inline);
        foreach (var group in Groups)
            group.Announce(inline);
        foreach (var done in Events)
            done.Complete(inline);
        Links.Clear();
        Groups.Clear();
        Events.Clear();
    }
}
