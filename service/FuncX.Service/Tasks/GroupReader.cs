using FuncX.Contracts.V1;
using FuncX.Service.Storage;

namespace FuncX.Service.Tasks;

/// <summary>
/// Lists an owner's groups. One may have batches in memory, in the index, or in both: what the index counts is what it had when memory was looked at.
/// </summary>
public sealed class GroupReader(TaskEngine engine)
{
    private readonly TaskStore _store = engine.Store;

    /// <summary>By name, from behind <see cref="ListGroupsRequest.After"/> on, or the latest first.</summary>
    internal async ValueTask<ListGroupsReply> ListAsync(int owner, ListGroupsRequest request, IReadOnlyList<LabelSelector> selectors, int limit)
    {
        // Names only: labels may be many, and are read of those groups only that are shown.
        var labelled = Labelled(owner, selectors);
        if (labelled is { Count: 0 })
            return new ListGroupsReply();
        var (live, indexed) = await engine.LookAsync(state => (Live(state, owner, request), state.Indexed));
        live.Sort(static (left, right) => Utf8Order.Instance.Compare(left.Info.Group, right.Info.Group));
        var found = request.Unfinished
            ? live.Select(group => Count(owner, group, indexed))
            : Merge(live, _store.Index.Groups(owner, request.After, request.Prefix, indexed));
        if (labelled is not null)
            found = found.Where(group => labelled.Contains(group.Info.Group));
        // One more than a page has tells whether there is another.
        var page = request.Recent
            ? found.OrderByDescending(static group => group.LastChunk).ThenBy(static group => group.Info.Group, Utf8Order.Instance).Take(limit).ToList()
            : found.Take(limit + 1).ToList();
        var reply = new ListGroupsReply { Next = page.Count > limit ? page[limit - 1].Info.Group : "" };
        reply.Groups.AddRange(Complete(owner, page[..Math.Min(limit, page.Count)]));
        return reply;
    }

    /// <summary>What memory has of a group.</summary>
    internal static GroupInfo Describe(GroupState group) =>
        new() { Group = group.Name, Tasks = group.Tasks, Queued = group.Queued, Waiting = group.Waiting, Dispatched = group.Dispatched, Done = group.Done, Failed = group.Failed };

    private HashSet<string>? Labelled(int owner, IReadOnlyList<LabelSelector> selectors)
    {
        HashSet<string>? names = null;
        foreach (var (key, value) in selectors)
        {
            var with = _store.Labels.NamesWith(owner, key, value);
            if (names is null)
                names = with;
            else
                names.IntersectWith(with);
        }

        return names;
    }

    private static List<Found> Live(LiveState state, int owner, ListGroupsRequest request)
    {
        var groups = new List<Found>();
        foreach (var group in state.Groups.Values)
        {
            if (group.Owner == owner && group.Batches > 0 && (!request.Unfinished || group.Unfinished > 0)
                && group.Name.StartsWith(request.Prefix, StringComparison.Ordinal) && Utf8Order.Instance.Compare(group.Name, request.After) > 0)
                groups.Add(new Found(Describe(group), group.LastChunk));
        }

        return groups;
    }

    private Found Count(int owner, Found live, long indexed)
    {
        var (_, tasks, failed, last) = _store.Index.Count(owner, live.Info.Group, indexed);
        return live.With(new IndexedGroup(live.Info.Group, tasks, failed, last));
    }

    /// <summary>Both in order; the groups of the index are read only as far as they are wanted.</summary>
    private static IEnumerable<Found> Merge(List<Found> live, IEnumerable<IndexedGroup> indexed)
    {
        var next = 0;
        foreach (var group in indexed)
        {
            int order;
            while ((order = next < live.Count ? Utf8Order.Instance.Compare(live[next].Info.Group, group.Name) : 1) < 0)
                yield return live[next++];
            yield return (order == 0 ? live[next++] : new Found(new GroupInfo { Group = group.Name }, 0)).With(group);
        }

        for (; next < live.Count; next++)
            yield return live[next];
    }

    private List<GroupInfo> Complete(int owner, List<Found> page)
    {
        var times = _store.TimesOf([.. page.Select(static group => group.LastChunk)]);
        for (var index = 0; index < page.Count; index++)
        {
            page[index].Info.LastActive = times[index];
            page[index].Info.Labels.Add(_store.Labels.Read(owner, page[index].Info.Group));
        }

        return page.ConvertAll(static group => group.Info);
    }

    private readonly record struct Found(GroupInfo Info, long LastChunk)
    {
        public Found With(IndexedGroup indexed)
        {
            Info.Tasks += indexed.Tasks;
            Info.Done += indexed.Tasks;
            Info.Failed += indexed.Failed;
            return this with { LastChunk = Math.Max(LastChunk, indexed.LastChunk) };
        }
    }
}
