using FuncX.Mpi;

namespace FuncX.Tests.Mpi.Program;

/// <summary>What one rank says, in a file of its own: launchers may tear lines of their output apart.</summary>
internal sealed class Report : IDisposable
{
    private readonly StreamWriter _file;

    // Two singletons are both rank 0: the process id keeps them apart.
    public Report(string directory, MpiCommunicator world)
    {
        _file = new StreamWriter(Path.Combine(directory, $"rank-{world.Rank}-{Environment.ProcessId}")) { AutoFlush = true };
        Say("size", world.Size.ToString());
    }

    /// <summary>One line: the scenario, a tab, what it said.</summary>
    public void Say(string scenario, string text) => _file.WriteLine($"{scenario}\t{text.ReplaceLineEndings(" | ")}");

    public void Dispose() => _file.Dispose();
}
