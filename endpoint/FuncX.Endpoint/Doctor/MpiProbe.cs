using FuncX.Endpoint.Core.Launching;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>Asks in bash, where <c>provider.init</c> has run as in a batch script, which launchers there are and which library a rank would load.</summary>
internal static class MpiProbe
{
    private static readonly string[] s_programs = ["mpirun", "mpirun.openmpi", "mpiexec", "mpiexec.hydra", "srun", "aprun"];

    /// <summary>The lines for bash.</summary>
    /// <param name="init">The site's own lines.</param>
    public static string Script(string init, string manager) => $$"""
        {{init}}
        set +eu
        echo
        for program in {{string.Join(' ', s_programs)}}; do
            path=$(command -v "$program") || continue
            echo "{{MarkedOutput.Mark}}launcher $program $path"
            timeout 10 "$program" --version </dev/null 2>&1 | head -n 20
        done
        echo "{{MarkedOutput.Mark}}kinds"
        ! command -v srun >/dev/null || timeout 10 srun --mpi=list </dev/null 2>&1
        echo "{{MarkedOutput.Mark}}library"
        timeout 30 {{ShellText.Quote(manager)}} --mpi-library </dev/null 2>&1
        echo "{{MarkedOutput.Mark}}end $?"

        """;

    /// <summary>What the script's output says; null: the site's lines ended it.</summary>
    public static MpiAnswer? Read(MarkedOutput output)
    {
        if (output.Find("library") is not { } library || output.Find("end") is not { } end)
            return null;
        var found = end.Value == "0" ? RankLibrary.Parse(library.Text) : null;
        return new MpiAnswer
        {
            Launchers = [.. output.All("launcher").Select(static part => new MpiLauncher(part.Value.Split(' ', 2)[0], part.Value.Split(' ', 2)[^1], part.Text))],
            SlurmKinds = output.Find("kinds")?.Text ?? "",
            Library = found,
            LibraryProblem = found is null ? MarkedOutput.LastLines(library.Text) : "",
        };
    }
}
