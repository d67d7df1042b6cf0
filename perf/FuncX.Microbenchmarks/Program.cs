using BenchmarkDotNet.Running;

// dotnet run -c Release --project perf/FuncX.Microbenchmarks -- --filter '*' [--job short]
BenchmarkSwitcher.FromAssembly(typeof(FuncX.Microbenchmarks.FrameCodecBenchmarks).Assembly).Run(args);
