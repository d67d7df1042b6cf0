using FuncX.Worker;
using FuncX.Wire;
using FuncX.Workers;

if (args is ["--version"])
{
    Console.WriteLine($"funcx-worker {ProtocolVersion.Product}, protocol {ProtocolVersion.Minimum} to {ProtocolVersion.Maximum}");
    return 0;
}

if (args is ["--runtime"])
{
    Console.WriteLine(Environment.Version);
    return 0;
}

using var runner = new DotnetRunner();
return WorkerLoop.Run(runner);
