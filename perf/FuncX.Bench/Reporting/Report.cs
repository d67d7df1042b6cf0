using System.Globalization;
using System.Text.Json;
using FuncX.Wire;

namespace FuncX.Bench.Reporting;

/// <summary>Figures and notes of one bench.</summary>
internal sealed class Report(string bench, string? directory = null)
{
    private readonly Dictionary<string, double> _figures = new(StringComparer.Ordinal);
    private readonly List<string> _notes = [];

    /// <summary>A figure; one that could not be had (NaN) is left out, with a note.</summary>
    public void Figure(string name, double value)
    {
        if (double.IsFinite(value))
            _figures[name] = value;
        else
            Note($"{name} left out: what it is made of was not told");
    }

    public bool HasFigures => _figures.Count > 0;

    /// <summary>Something that the reader of the figures should know.</summary>
    public void Note(string note)
    {
        _notes.Add(note);
        Print(note);
    }

    public void Print(string line) => Console.WriteLine(line);

    public void PrintFigures()
    {
        foreach (var (name, value) in _figures)
            Print(string.Create(CultureInfo.InvariantCulture, $"{name,-28} {value:#,0.###}"));
    }

    /// <summary>One line.</summary>
    public string Json() => JsonSerializer.Serialize(new
    {
        bench,
        version = ProtocolVersion.Product,
        machine = Machine.Describe(),
        figures = _figures.ToDictionary(static figure => figure.Key, static figure => Math.Round(figure.Value, 4), StringComparer.Ordinal),
        notes = _notes,
    });

    /// <summary>Where results go: where somebody asked for, or <c>perf/results</c> of the source tree; null when there is none.</summary>
    public string? Directory => directory is null ? OfSourceTree() : System.IO.Directory.CreateDirectory(directory).FullName;

    /// <summary>Appends a line per figure to <c>perf/results/BENCH.csv</c> of the source tree, when there is one.</summary>
    public void Save()
    {
        if (Directory is not { } results)
            return;
        var path = Path.Combine(results, $"{bench}.csv");
        if (!File.Exists(path))
            File.WriteAllText(path, "time,version,figure,value\n");
        var now = DateTime.UtcNow.ToString("s", CultureInfo.InvariantCulture);
        File.AppendAllLines(path, _figures.Select(figure => string.Create(CultureInfo.InvariantCulture, $"{now}Z,{ProtocolVersion.Product},{figure.Key},{figure.Value:0.####}")));
    }

    private static string? OfSourceTree() => SourceTree.Root is { } root ? System.IO.Directory.CreateDirectory(Path.Combine(root, "perf", "results")).FullName : null;
}
