using System.Net.Security;
using FuncX.Manager.Engine;

namespace FuncX.Manager.Link;

/// <summary>A manager with a connection of its own.</summary>
internal sealed class ManagerLink(Node node, SlabPool slabs) : ILinkUser
{
    public string Role => "manager";

    public string Node => node.Name;

    public async Task ServeAsync(SslStream stream, Hello hello, Action welcomed)
    {
        await using var session = new LinkSession(node, stream, slabs);
        var welcome = await session.GreetAsync(hello with { EndsInMs = node.EndsInMs });
        if (welcome.Workers.Simulate)
            throw new LinkRefusedException("workers.simulate is true, which is for transport: mpi; a manager with a connection of its own has real workers only");
        welcomed();
        node.OnLinkUp(session, welcome);
        await session.RunAsync(TimeSpan.FromMilliseconds(Math.Max(50, welcome.HeartbeatMs)));
    }

    // Nobody hears of it before the link is back, and then it is past: it is for the log.
    public void Report(string problem) => Console.Error.WriteLine($"funcx-manager {node.Name}: {problem}");

    public void End(int code, string reason) => node.End(code, reason);
}
