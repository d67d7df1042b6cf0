using FuncX.Configuration;
using FuncX.Providers.Batch;

namespace FuncX.Endpoint.Doctor;

/// <summary>Runs <c>workers.init</c> as a manager does, and then the workers' Python: its version, and whether it can import what is to be imported. On this machine or on a node.</summary>
internal static class PythonProbe
{
    // For any Python, so that an old one says its version and not that it does not understand the question. Each answer leaves at once: what is imported may end the process.
    private const string Question = """
        import importlib, sys
        def say(text):
            sys.stdout.write("\n==funcx " + text.replace("\n", " ") + "\n")
            sys.stdout.flush()
        say("version %d.%d.%d %s" % (tuple(sys.version_info[:3]) + (sys.executable,)))
        for name in sys.argv[1:]:
            say("importing " + name)
            try:
                importlib.import_module(name)
                say("imported " + name)
            except BaseException as problem:
                say("refused %s %s: %s" % (name, type(problem).__name__, problem))
        """;

    private static readonly Version s_oldest = new(3, 8);

    /// <summary>The lines for bash.</summary>
    public static string Script(WorkersConfiguration workers) => $$"""
        exec 2>&1
        # Workers see nothing of FuncX's own variables nor of an MPI launcher's.
        unset "${!FUNCX_@}" "${!PMI@}" "${!OMPI_@}" "${!PRTE_@}" "${!PALS_@}"
        {{workers.Init}}
        funcx_status=$?
        set +eu
        echo
        echo "{{MarkedOutput.Mark}}init $funcx_status"
        [ "$funcx_status" -eq 0 ] || exit 0
        command -v {{ShellText.Quote(workers.Python)}} >/dev/null || { echo "{{MarkedOutput.Mark}}missing $PATH"; exit 0; }
        {{ShellText.Quote(workers.Python)}} -c {{ShellText.Quote(Question)}} {{string.Join(' ', workers.Preload.Select(ShellText.Quote))}} 2>&1
        funcx_status=$?
        echo
        echo "{{MarkedOutput.Mark}}python $funcx_status"

        """;

    /// <summary>What the script's output says.</summary>
    /// <param name="exitCode">The script's own; null: it took too long.</param>
    public static PythonAnswer Read(MarkedOutput output, int? exitCode, WorkersConfiguration workers)
    {
        if (output.Find("init") is not { } init)
        {
            return new PythonAnswer($"workers.init {(exitCode is { } code ? $"ended with {code} before its last line" : "took too long")}{Said(output.Before)}",
                "run its lines in bash to see what stops them; an `exit` among them ends all of it");
        }

        if (init.Value != "0")
            return new PythonAnswer($"workers.init failed with exit status {init.Value}{Said(output.Before)}", "run its lines in bash to see; the last one's exit status counts");
        if (output.Find("missing") is { } missing)
            return new PythonAnswer($"workers.python is '{workers.Python}', which is not there; after workers.init PATH is {missing.Value}", "correct workers.python, or have workers.init bring it (module load, conda activate)");
        if (output.Find("version") is not { } version)
        {
            var python = output.Find("python");
            return new PythonAnswer($"workers.python '{workers.Python}' {(python is null ? "gave no answer" : $"said no version (exit status {python.Value})")}{Said(init.Text)}", "run it by hand to see; workers.python names CPython 3.8 or later, or PyPy");
        }

        var words = version.Value.Split(' ', 2);
        if (!Version.TryParse(words[0], out var number) || number < s_oldest)
            return new PythonAnswer($"workers.python '{workers.Python}' is Python {words[0]}; {s_oldest} or later is needed", "name a newer one in workers.python, or load one in workers.init") { Version = words[0] };
        return Imports(output, workers, words[0]) with { Version = words[0], Path = words.Length > 1 ? words[1] : workers.Python };
    }

    private static PythonAnswer Imports(MarkedOutput output, WorkersConfiguration workers, string version)
    {
        var refused = output.All("refused").Select(static part => part.Value).ToList();
        // One that was begun and of which nothing more is said: the process ended with it.
        if (output.All("importing").LastOrDefault() is { } last && !output.All("imported").Any(part => part.Value == last.Value) && !refused.Exists(text => text.StartsWith($"{last.Value} ", StringComparison.Ordinal)))
            refused.Add($"{last.Value}, with which Python {(output.Find("python") is { } end ? $"ended (exit status {end.Value})" : "took too long")}{Said(last.Text)}");
        return refused.Count == 0
            ? new PythonAnswer("", "")
            : new PythonAnswer($"Python {version} cannot import of workers.preload: {string.Join("; ", refused)}", $"install what is missing for that Python (`{workers.Python} -m pip install`), or take it out of workers.preload");
    }

    private static string Said(string text) => MarkedOutput.LastLines(text) is { Length: > 0 } said ? $": {said}" : "";
}
