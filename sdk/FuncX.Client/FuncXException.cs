namespace FuncX.Client;

/// <summary>Something that FuncX could not do. The message says what failed, on which object, and what would be right.</summary>
public class FuncXException : Exception
{
    public FuncXException(FuncXErrorKind kind, string message, Exception? inner = null)
        : base(message, inner) => Kind = kind;

    /// <summary>What a program can do about it.</summary>
    public FuncXErrorKind Kind { get; }
}
