namespace FuncX.Definitions;

/// <summary>Arguments of one call that do not fit its function.</summary>
public sealed class ArgumentsException : Exception
{
    public ArgumentsException()
    {
    }

    public ArgumentsException(string message)
        : base(message)
    {
    }

    public ArgumentsException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
