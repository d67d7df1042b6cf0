using FuncX.Endpoint.Hosting;

namespace FuncX.Endpoint.Dispatch;

/// <summary>Why the process is to end, when it was not asked to: read by whoever ends blocks and sets the exit code.</summary>
public sealed class EndpointExit
{
    /// <summary>True: another process of this endpoint is at work with the same blocks, or will be, or its user wants so: they must be left running.</summary>
    public bool LeaveBlocks { get; private set; }

    /// <summary>True: it ends by itself once what runs has ended.</summary>
    public bool IsDraining { get; private set; }

    /// <summary>True: it is to end also when results can be made durable nowhere.</summary>
    public bool IsForced { get; private set; }

    /// <summary>What to tell the user; empty when nothing happened.</summary>
    public string Message { get; private set; } = "";

    public void Drain() => IsDraining = true;

    public void Force() => IsForced = true;

    /// <summary>Blocks go on without it, for the next process to take up.</summary>
    public void Keep() => LeaveBlocks = true;

    /// <summary>Whether a loop of the process has failed. The host logs that and asks for the stop, but ends as if all were well.</summary>
    public bool IsBroken(IEnumerable<IHostedService> loops)
    {
        if (!loops.OfType<BackgroundService>().Any(static loop => loop.ExecuteTask is { IsFaulted: true }))
            return false;
        LeaveBlocks = true;
        Environment.ExitCode = ExitCode.Broken;
        return true;
    }

    public void Supersede(string message)
    {
        Message = message;
        LeaveBlocks = true;
        Environment.ExitCode = ExitCode.Superseded;
    }
}
