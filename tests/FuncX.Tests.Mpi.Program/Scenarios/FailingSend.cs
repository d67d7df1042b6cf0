using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Program.Scenarios;

/// <summary>Four sends, tags 3 to 6, of which a library made for this fails one.</summary>
internal static class FailingSend
{
    public static string Run(MpiRuntime mpi)
    {
        var tags = new Dictionary<MpiSendId, int>();
        var finished = new MpiSendCompletion[8];
        for (var tag = 3; tag <= 6; tag++)
        {
            Check.That(mpi.Self.TryStartSend(new byte[1], 0, tag, out var id), "no room");
            tags.Add(id, tag);
        }

        var said = new List<string>();
        while (mpi.Sends.Outstanding > 0)
        {
            foreach (var send in finished.AsSpan(0, mpi.Sends.Test(finished)))
                said.Add($"tag {tags[send.Id]} {send.Error}{(send.Succeeded ? "" : $" \"{mpi.ErrorText(send.Error)}\"")}");
        }

        return string.Join(", ", said);
    }
}
