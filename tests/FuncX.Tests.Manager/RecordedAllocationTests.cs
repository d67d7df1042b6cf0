using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using FuncX.Manager.Launching;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>
/// Every environment of a real job with the node file that went with it, and every host list that Slurm expanded or wrote, against the table of what the manager has to conclude from them. How they
/// were made and what a row says is in FuncX.Tests.Providers/Recordings/README.md.
/// </summary>
public sealed class RecordedAllocationTests
{
    public static TheoryData<string> Schedulers => ["slurm-22.05", "openpbs-23.06", "cobalt-1.0.33"];

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void Every_recording_has_a_row_and_every_row_a_recording(string scheduler) =>
        Conclusions(scheduler).Keys.ShouldBe(Recordings(scheduler).Keys, ignoreOrder: true);

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void What_is_concluded_is_what_the_table_says(string scheduler)
    {
        var (conclusions, recordings) = (Conclusions(scheduler), Recordings(scheduler));
        var wrong = new List<string>();
        foreach (var name in recordings.Keys)
        {
            if (Conclude(name, recordings.GetValueOrDefault) is var seen && seen != conclusions[name])
                wrong.Add($"{name}: expected '{conclusions[name]}', concluded '{seen}'");
        }

        wrong.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void Recordings_that_took_each_others_place_are_noticed(string scheduler)
    {
        var (conclusions, recordings) = (Conclusions(scheduler), Recordings(scheduler));
        var unnoticed = new List<string>();
        var pairs = 0;
        foreach (var (left, right) in recordings.Keys.SelectMany(left => recordings.Keys.Where(right => string.CompareOrdinal(left, right) < 0).Select(right => (left, right))))
        {
            // What says the same of the same job may change places, such as the environments of the ranks of a step.
            if (conclusions[left] == conclusions[right] || left.Split('-')[0] != right.Split('-')[0])
                continue;
            pairs++;
            Recorded? Swapped(string name) => recordings.GetValueOrDefault(name == left ? right : name == right ? left : name);
            if (Conclude(left, Swapped) == conclusions[left] && Conclude(right, Swapped) == conclusions[right])
                unnoticed.Add($"{left} and {right}");
        }

        unnoticed.ShouldBeEmpty();
        pairs.ShouldBeGreaterThan(10);
    }

    /// <param name="name">Of an environment, of a node file, of which the nodes alone are concluded, or of a host list.</param>
    /// <param name="at">What is recorded under a name.</param>
    private static string Conclude(string name, Func<string, Recorded?> at)
    {
        if (name.StartsWith("scontrol", StringComparison.Ordinal))
            return Expand(at(name)!);
        var job = name[(name.IndexOf('-', StringComparison.Ordinal) + 1)..];
        var variables = at($"env-{job}")!.Output.Split('\n').Select(static line => line.Split('=', 2)).Where(static pair => pair.Length == 2)
            .ToDictionary(static pair => pair[0], static pair => pair[1], StringComparer.Ordinal);
        try
        {
            if (Allocation.Find(variables.GetValueOrDefault, ReadLines) is not { } found)
                return "no job";
            var nodes = string.Join(' ', found.Nodes);
            if (name.StartsWith("nodefile", StringComparison.Ordinal))
                return nodes;
            var cores = found.CoresPerNode is { } count ? string.Create(CultureInfo.InvariantCulture, $"; cores {count}") : "";
            var ends = found.End is { } end ? string.Create(CultureInfo.InvariantCulture, $"; ends {end.ToUnixTimeSeconds()}") : "";
            return $"{found.Kind.ToString().ToLowerInvariant()} {found.JobId}: {nodes}{cores}{ends}";
        }
        catch (FileNotFoundException missing)
        {
            return $"asks for {missing.FileName}";
        }
        catch (FormatException refused)
        {
            return refused.Message;
        }

        // The file that the environment names is not of this machine; what it held is recorded.
        IEnumerable<string> ReadLines(string file)
        {
            var named = variables.Any(variable => variable.Key.EndsWith("_NODEFILE", StringComparison.Ordinal) && variable.Value == file);
            return named && at($"nodefile-{job}") is { } content ? content.Lines : throw new FileNotFoundException(null, file);
        }
    }

    // The argument of hostnames is what a job's environment would have; of one that is no list scontrol prints nonsense or nothing, with exit code 0. What hostlist has written of names is read back.
    private static string Expand(Recorded recorded)
    {
        var expanded = recorded.Command.StartsWith("scontrol show hostnames ", StringComparison.Ordinal);
        var argument = recorded.Command[(recorded.Command.IndexOf(' ', "scontrol show ".Length) + 1)..].Trim('\'');
        try
        {
            var names = HostList.Expand(expanded ? argument : recorded.Lines[0]);
            IReadOnlyList<string> of = expanded ? recorded.Lines : argument.Split(',');
            var same = names.SequenceEqual(of) ? "" : names.Order(StringComparer.Ordinal).SequenceEqual(of.Order(StringComparer.Ordinal)) ? ", in another order" : ", unlike scontrol";
            return string.Join(' ', names) + same;
        }
        catch (FormatException)
        {
            return "refused";
        }
    }

    private static Dictionary<string, Recorded> Recordings(string scheduler) =>
        Lines($"{scheduler}.jsonl").Select(static line => JsonSerializer.Deserialize<Recorded>(line, JsonSerializerOptions.Web)!).ToDictionary(static recorded => recorded.Name, StringComparer.Ordinal);

    private static Dictionary<string, string> Conclusions(string scheduler) =>
        Lines($"{scheduler}.conclusions").Select(static line => line.Split('\t')).ToDictionary(static row => row[0], static row => row[1], StringComparer.Ordinal);

    private static string[] Lines(string resource)
    {
        using var reader = new StreamReader(typeof(RecordedAllocationTests).Assembly.GetManifestResourceStream(resource)!, Encoding.UTF8);
        return reader.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }

    private sealed record Recorded(string Name, string Command, [property: JsonPropertyName("stdout")] string Output)
    {
        public string[] Lines => Output.TrimEnd('\n').Split('\n');
    }
}
