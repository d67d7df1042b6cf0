global using FuncX.Bench.Reporting;
global using FuncX.Cluster;
