namespace FuncX.Configuration;

/// <summary>One thing wrong with a file: where, what was seen and what would be right. Lines and columns count from 1.</summary>
public sealed record ConfigurationError(string File, int Line, int Column, string Message)
{
    /// <summary>As compilers print it: <c>FILE:LINE:COLUMN: message</c>.</summary>
    public override string ToString() => $"{File}:{Line}:{Column}: {Message}";
}
