namespace FuncX.Mpi;

/// <summary>A call that the MPI library answered with an error. The message has the call, its object and MPI's own text.</summary>
public sealed class MpiException : Exception
{
    internal MpiException(string call, int code, int errorClass, string text, string message)
        : base(message) => (Call, Code, ErrorClass, Text) = (call, code, errorClass, text);

    /// <summary>The function of the MPI standard that failed, as <c>MPI_Isend</c>.</summary>
    public string Call { get; }

    /// <summary>What it returned. Means something to the same library only.</summary>
    public int Code { get; }

    /// <summary>The class of that code (MPI_Error_class); numbers differ between libraries.</summary>
    public int ErrorClass { get; }

    /// <summary>The library's text for it (MPI_Error_string).</summary>
    public string Text { get; }
}
