namespace FuncX.Endpoint.Core.Launching;

/// <summary>Whose job it is.</summary>
public enum AllocationKind
{
    Slurm,
    Pbs,
    Cobalt,
}
