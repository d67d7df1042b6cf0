namespace FuncX.Manager.Pools;

/// <summary>Numbers of functions towards workers; none is given twice, so none can mean another function to a worker that is still there.</summary>
internal sealed class FunctionNumbers
{
    private uint _last;

    public uint Next() => ++_last;
}
