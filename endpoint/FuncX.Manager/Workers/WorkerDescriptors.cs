namespace FuncX.Manager.Workers;

/// <summary>What a new worker came with; the worker's record owns all of it.</summary>
internal sealed record WorkerDescriptors(int Pid, int Socket, ResultRing? Ring, int Stdout, int Stderr);
