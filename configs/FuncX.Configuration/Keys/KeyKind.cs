namespace FuncX.Configuration;

/// <summary>What a key of a file holds.</summary>
public enum KeyKind
{
    /// <summary>Further keys.</summary>
    Section,

    Text,

    /// <summary>An absolute path, <c>${NAME}</c> expanded.</summary>
    Path,

    /// <summary>A name to be found in PATH, or as <see cref="Path"/>.</summary>
    Program,

    /// <summary>A whole number; beside it may stand words (<c>auto</c>).</summary>
    Integer,

    /// <summary>A number above its minimum.</summary>
    Number,

    /// <summary>A number from 0 to 1.</summary>
    Share,

    /// <summary><c>true</c> or <c>false</c>.</summary>
    Flag,

    Duration,

    /// <summary>Bytes.</summary>
    Size,

    /// <summary>One of some words.</summary>
    Choice,

    /// <summary>A list of texts.</summary>
    Texts,

    /// <summary>A list of paths, each as <see cref="Path"/>.</summary>
    Paths,

    /// <summary>Free names, each with a whole number.</summary>
    Integers,

    /// <summary>Free names, each with a text.</summary>
    TextsByName,
}
