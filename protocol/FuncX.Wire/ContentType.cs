namespace FuncX.Wire;

/// <summary>How a body is encoded. Nobody but the client and the worker looks inside.</summary>
public enum ContentType : byte
{
    None = 0,

    /// <summary>UTF-8 JSON. Arguments: an array of positional ones, or <c>{"args": [...], "kwargs": {...}}</c>.</summary>
    Json = 1,

    /// <summary>Python pickle. Arguments: a tuple <c>(args, kwargs)</c>.</summary>
    Pickle = 2,

    /// <summary>Bytes as they are.</summary>
    Octets = 3,
}
