namespace FuncX.Client;

/// <summary>Something that FuncX could not do. The message says what failed, on which object, and what would be right.</summary>
public class FuncXException : Exception
{
    public FuncXException(FuncXErrorKind kind, string message, Exception? inner = null)
        : base(message, inner) => Kind = kind;

    /// <summary>What a program can do about it.</summary>
    public FuncXErrorKind Kind { get; }

    /// <summary>Of a map that the service refused to go on with: the calls of the message that it refused, the first counted from 0 in the map.</summary>
    public (long First, int Count)? Calls { get; init; }
}
