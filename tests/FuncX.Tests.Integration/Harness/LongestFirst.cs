using FuncX.Tests.Integration.Access;
using FuncX.Tests.Integration.Blocks;
using FuncX.Tests.Integration.Commands;
using FuncX.Tests.Integration.Durability;
using FuncX.Tests.Integration.Faults;
using FuncX.Tests.Integration.Outcomes;
using Xunit.Sdk;
using Xunit.v3;

[assembly: TestCollectionOrderer(typeof(FuncX.Tests.Integration.Harness.LongestFirst))]

namespace FuncX.Tests.Integration.Harness;

/// <summary>Classes that take a minute or more begin first, the longest ahead: one that begins last has the machine to itself, which then mostly waits.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly Type[] s_longest =
    [
        typeof(CommitTests), typeof(SlurmBlocksTests), typeof(QuickstartTests), typeof(EndpointAwayTests), typeof(AccessTests), typeof(PlayedFaultsTests),
        typeof(ScaleAndDrainTests), typeof(OutcomeMatrixTests), typeof(KillScheduleTests), typeof(MalformedTests), typeof(ReadmeTourTests),
        typeof(EndpointCommandTests), typeof(WorldFaultsTests),
    ];

    public IReadOnlyCollection<TTestCollection> OrderTestCollections<TTestCollection>(IReadOnlyCollection<TTestCollection> testCollections)
        where TTestCollection : ITestCollection => [.. testCollections.OrderBy(static collection => Place(collection.TestCollectionDisplayName))];

    // "Test collection for NAME (id: ...)", or the name that a collection was given: a cluster that many classes share is long too.
    private static int Place(string collection)
    {
        var place = Array.FindIndex(s_longest, type => collection.Contains($" {type.FullName} ", StringComparison.Ordinal));
        return place >= 0 ? place : collection.StartsWith("Test collection for ", StringComparison.Ordinal) ? s_longest.Length : -1;
    }
}
