namespace FuncX.Wire;

/// <summary>Bits of a frame's header.</summary>
[Flags]
public enum FrameFlags : byte
{
    None = 0,

    /// <summary>The body begins with its whole length (u64) and goes on in <see cref="FrameKind.Segment"/> frames.</summary>
    Segmented = 1,

    /// <summary>The last of its kind: the last segment of a body, the last frame of an inventory.</summary>
    Last = 2,

    /// <summary>On a task: answer it at once, do not batch the reply.</summary>
    Sync = 4,

    /// <summary>On a task: it was lost before and runs alone, with nothing else on its manager.</summary>
    Alone = 8,

    /// <summary>On a result of a lost attempt: its node was told to end, by its scheduler or by its own clock before that. The task has done nothing to be lost.</summary>
    CutOff = 16,
}
