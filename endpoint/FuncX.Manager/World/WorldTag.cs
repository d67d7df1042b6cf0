namespace FuncX.Manager.World;

/// <summary>
/// What a message between two ranks is; every one begins with a <see cref="WorldPrefix"/>. Downwards and upwards have tags of their own: rank 0 is leader and member.
/// </summary>
internal static class WorldTag
{
    // From the leader.

    /// <summary>Whole frames, counted against the window.</summary>
    public const int Frames = 1;

    /// <summary>Answers to hellos, counted likewise.</summary>
    public const int Greetings = 2;

    /// <summary>Control frames, which wait for nothing.</summary>
    public const int Control = 3;

    /// <summary>There is a link to the endpoint, or the endpoint no longer knows this rank: say hello. The argument is the heartbeat in milliseconds.</summary>
    public const int Begin = 4;

    /// <summary>There is none.</summary>
    public const int End = 5;
    public const int Beat = 6;

    /// <summary>As <see cref="Engine.Node.Drain"/>; the argument is the patience in milliseconds, 0 for none.</summary>
    public const int Drain = 7;

    /// <summary>The world ends; the argument is 1 when all ranks are there to end MPI together.</summary>
    public const int Finish = 8;

    // To the leader.

    /// <summary>Whole frames, counted against the window. The argument is how many managers the rank is, when they are simulated.</summary>
    public const int FramesUp = 20;
    public const int BeatUp = 21;

    /// <summary>This rank's manager has ended.</summary>
    public const int Done = 22;

    // Before all that.
    public const int Name = 30;
    public const int NameAnswer = 31;

    /// <summary>Whether it counts against the window of the way that it takes.</summary>
    public static bool IsCounted(int tag) => tag is Frames or Greetings or FramesUp;
}
