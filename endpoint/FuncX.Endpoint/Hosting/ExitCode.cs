namespace FuncX.Endpoint.Hosting;

/// <summary>What <c>funcx-endpoint</c> exits with; endpoint/README.md lists them too.</summary>
public static class ExitCode
{
    public const int Done = 0;

    /// <summary>It could not be done; the reason is on stderr.</summary>
    public const int Failed = 1;

    /// <summary>The command line or the configuration file is wrong, or <c>start</c> finds no ahead-of-time compiled <c>funcx-manager</c>.</summary>
    public const int Usage = 2;

    /// <summary><c>status</c>, <c>stop</c>: no endpoint runs with this state directory on this machine.</summary>
    public const int NotRunning = 3;

    /// <summary><c>start</c>: a newer process of this endpoint has taken over.</summary>
    public const int Superseded = 4;

    /// <summary><c>stop</c>, <c>start --detach</c>: it did not happen in the time given.</summary>
    public const int TimedOut = 5;

    /// <summary><c>stop</c>: results can be stored nowhere, and the endpoint does not end without them. <c>start</c>, <c>stop --force</c>: it did.</summary>
    public const int NotStored = 6;

    /// <summary>A defect of this program; stderr, which is the log of <c>start</c>, has it. Blocks go on running, the next start takes them up.</summary>
    public const int Broken = 70;
}
