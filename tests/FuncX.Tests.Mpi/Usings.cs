global using Shouldly;
global using Xunit;

// Ranks that wait for each other spin: two jobs at once on two cores take longer than one after the other.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
