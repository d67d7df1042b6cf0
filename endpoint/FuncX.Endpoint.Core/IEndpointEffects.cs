using FuncX.Wire;

namespace FuncX.Endpoint.Core;

/// <summary>
/// What the core decided: the shell does it after (or while) the turn runs. Calls come on the core's thread, in the order of the
/// decisions, and must not call back into the core.
/// </summary>
public interface IEndpointEffects
{
    /// <summary>Send the task to the manager. Its payload is kept until <see cref="Forget"/>: it may come back.</summary>
    void SendTask(int manager, int ticket, int function, int owner);

    /// <summary>Tell the manager to cancel a task that was sent to it.</summary>
    void CancelTask(int manager, int ticket, in TaskId task);

    /// <summary>Ask the manager to give back at most so many tasks that have not started.</summary>
    void RecallTasks(int manager, int count);

    /// <summary>The task ended here, without a worker's result: tell the service. <see cref="Forget"/> follows.</summary>
    void EndTask(in EndedTask task);

    /// <summary>The task has not started and never will here: give it back to the service. <see cref="Forget"/> follows.</summary>
    void GiveBackTask(in EndedTask task);

    /// <summary>The ticket is free again; its payload can go.</summary>
    void Forget(int ticket);

    /// <summary>Nothing was heard of the manager for too long: close its connection, and ask the provider about its block.</summary>
    void CloseManager(int manager, string block, string reason);

    /// <summary>Ask the manager which runtimes its node has; the answer is <see cref="EndpointCore.OnRuntimes"/>.</summary>
    void AskRuntimes(int manager);

    /// <summary>The manager's number is free again.</summary>
    void ForgetManager(int manager);

    /// <summary>Ask the provider for a block.</summary>
    void RequestBlock(string block);

    /// <summary>End a block.</summary>
    void EndBlock(string block, string reason);
}

/// <summary>A task that ended at the endpoint itself.</summary>
/// <param name="Ticket">The core's number of it.</param>
/// <param name="Task">Its id.</param>
/// <param name="Attempt">Which execution of it.</param>
/// <param name="Epoch">Of the link under which it came.</param>
/// <param name="ServiceTicket">The service's own number for it.</param>
/// <param name="Outcome">Cancelled, Expired, AttemptLost, or Rejected when no manager has what its function requires or no block lasts as long as its walltime; None when it is given back.</param>
/// <param name="Manager">The manager that lost it, or -1.</param>
/// <param name="Received">When it came to the endpoint, Unix microseconds.</param>
/// <param name="Sent">When it was sent to a manager, 0 never.</param>
/// <param name="Requirement">What its function requires.</param>
/// <param name="Walltime">Of a task that no block lasts for, milliseconds; else 0.</param>
/// <param name="CutOff">It was lost because its block's time was over, or its block's processes were made to stand still.</param>
/// <param name="Suspended">The second of these.</param>
public readonly record struct EndedTask(
    int Ticket, TaskId Task, ushort Attempt, uint Epoch, uint ServiceTicket, TaskOutcome Outcome, int Manager, long Received, long Sent, int Requirement, uint Walltime = 0,
    bool CutOff = false, bool Suspended = false);
