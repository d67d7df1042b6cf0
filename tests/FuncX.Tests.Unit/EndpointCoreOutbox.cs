using FuncX.Endpoint.Core;
using FuncX.Wire;

namespace FuncX.Tests.Unit;

/// <summary>Keeps what a core sent and drops the rest, without allocating. Compiled into FuncX.Microbenchmarks too.</summary>
internal sealed class CoreOutbox(int most) : IEndpointEffects
{
    private readonly (int Manager, int Ticket)[] _sent = new (int, int)[most];

    public int Count { get; private set; }

    public (int Manager, int Ticket) this[int index] => _sent[index];

    public void Clear() => Count = 0;

    public void SendTask(int manager, int ticket, int function, int owner) => _sent[Count++] = (manager, ticket);

    public void CancelTask(int manager, int ticket, in TaskId task)
    {
    }

    public void RecallTasks(int manager, int count)
    {
    }

    public void EndTask(in EndedTask task)
    {
    }

    public void GiveBackTask(in EndedTask task)
    {
    }

    public void Forget(int ticket)
    {
    }

    public void AskRuntimes(int manager)
    {
    }

    public void CloseManager(int manager, string block, string reason)
    {
    }

    public void ForgetManager(int manager)
    {
    }

    public void RequestBlock(string block)
    {
    }

    public void EndBlock(string block, string reason)
    {
    }
}
