using System.Text;
using FuncX.Mpi;

namespace FuncX.Manager.World;

/// <summary>What each rank's node is called: as MPI calls it, with the rank where several have the same.</summary>
internal static class WorldNames
{
    // MPI_Init returns in each rank when it likes, and this machine may have far fewer cores than ranks: wait with pauses.
    private const int LongestPauseMilliseconds = 10;

    /// <summary>This rank's name, when all ranks have said theirs.</summary>
    public static string Agree(MpiRuntime mpi)
    {
        var name = mpi.ProcessorName;
        var (rank, size) = (mpi.World.Rank, mpi.World.Size);
        if (size == 1)
            return name;
        if (rank > 0)
        {
            mpi.World.Send(Encoding.UTF8.GetBytes(name), 0, WorldTag.Name);
            using var answer = Wait(mpi, WorldTag.NameAnswer, out _);
            return answer.Span[0] == 0 ? name : $"{name}-{rank}";
        }

        var names = new string[size];
        names[0] = name;
        for (var left = size - 1; left > 0; left--)
        {
            using var said = Wait(mpi, WorldTag.Name, out var source);
            names[source] = Encoding.UTF8.GetString(said.Span);
        }

        var counts = names.CountBy(static each => each).ToDictionary(StringComparer.Ordinal);
        for (var other = 1; other < size; other++)
            mpi.World.Send([counts[names[other]] > 1 ? (byte)1 : (byte)0], other, WorldTag.NameAnswer);
        return counts[name] > 1 ? $"{name}-0" : name;
    }

    private static MpiBuffer Wait(MpiRuntime mpi, int tag, out int source)
    {
        var pause = 0;
        while (true)
        {
            if (mpi.World.TryProbe(MpiCommunicator.AnySource, tag, out var message))
            {
                source = message.Source;
                return mpi.World.Receive(message);
            }

            Thread.Sleep(pause);
            pause = Math.Min(pause + 1, LongestPauseMilliseconds);
        }
    }
}
