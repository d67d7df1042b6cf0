namespace FuncX.Definitions;

/// <summary>A definition that can never be run; the message says what is wrong with it.</summary>
public sealed class DefinitionException : Exception
{
    public DefinitionException()
    {
    }

    public DefinitionException(string message)
        : base(message)
    {
    }

    public DefinitionException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
