global using FuncX.Cluster;
global using FuncX.Contracts.V1;
global using FuncX.Wire;
global using Shouldly;
global using Xunit;

// Two cores: clusters of real processes run one after another.
[assembly: Xunit.v3.Parallelization(Mode = Xunit.Sdk.ParallelMode.None)]
