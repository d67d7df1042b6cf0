using FuncX.Contracts.V1;

namespace FuncX.Client;

/// <summary>A registered function: 64 lower-case hexadecimal digits, the SHA-256 of what it is.</summary>
public readonly record struct FunctionId(string Value)
{
    /// <summary>The id of a function that the service described.</summary>
    public static implicit operator FunctionId(FunctionInfo function) => new(function.FunctionId);

    public override string ToString() => Value;
}
