using System.Globalization;
using System.Text.Json;
using FuncX.Providers.Batch;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Providers;

/// <summary>Every recording of a real scheduler against the table of what a provider has to conclude from it.</summary>
public sealed class RecordingTests
{
    public static TheoryData<string> Schedulers => ["slurm-22.05", "openpbs-23.06", "cobalt-1.0.33"];

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void Every_recording_has_a_row_and_every_row_a_recording(string scheduler) =>
        Recording.Rows(scheduler).Keys.ShouldBe(Recording.All(scheduler).Keys, ignoreOrder: true);

    /// <summary>365, 297 and 187 were recorded.</summary>
    [Fact]
    public void No_recording_is_left_out_and_the_README_counts_them()
    {
        string[] schedulers = ["slurm-22.05", "openpbs-23.06", "cobalt-1.0.33"];
        var here = schedulers.Select(static scheduler => Recording.All(scheduler).Keys.ToList()).ToList();
        var managers = schedulers.Select(static scheduler => NamesOfTheManager(scheduler).ToList()).ToList();
        for (var i = 0; i < schedulers.Length; i++)
            here[i].Concat(managers[i]).ShouldBeUnique();
        int[] recorded = [.. here.Zip(managers, static (ours, theirs) => ours.Count + theirs.Count)];
        recorded.ShouldBe([365, 297, 187]);
        var readme = File.ReadAllText(Path.Combine(BlockScratch.Repository, "tests/FuncX.Tests.Providers/Recordings/README.md"));
        readme.ShouldContain(Counted("recorded", recorded));
        readme.ShouldContain(Counted("here", here.Select(static names => names.Count)));
        readme.ShouldContain(Counted("of the manager", managers.Select(static names => names.Count)));
        readme.ShouldContain(Counted("left out", [0, 0, 0]));
    }

    /// <summary>Ten deletions that were taken have one row's words: that two of them took each other's place shows in what was recorded alone. (Those of one checksum are one command that printed the same twice.)</summary>
    [Theory]
    [MemberData(nameof(Schedulers))]
    public void Each_recording_is_what_was_recorded_under_its_name(string scheduler)
    {
        foreach (var suite in new[] { "FuncX.Tests.Providers", "FuncX.Tests.Manager" })
        {
            var path = Path.Combine(BlockScratch.Repository, "tests", suite, "Recordings", scheduler);
            var recorded = File.ReadLines($"{path}.sha256").Select(static line => line.Split("  ")).ToDictionary(static row => row[1], static row => row[0], StringComparer.Ordinal);
            var here = File.ReadLines($"{path}.jsonl").Select(Recording.Checksum).ToDictionary(static row => row.Name, static row => row.Checksum, StringComparer.Ordinal);
            here.Where(row => recorded.GetValueOrDefault(row.Key) != row.Value).Select(static row => row.Key).ShouldBeEmpty();
            here.Count.ShouldBe(recorded.Count);
        }
    }

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void What_is_concluded_is_what_the_table_says(string scheduler)
    {
        var rows = Recording.Rows(scheduler);
        var wrong = new List<string>();
        foreach (var recording in Recording.All(scheduler).Values)
        {
            var row = rows[recording.Name];
            var (expected, seen) = (Sorted(row.Conclusion), Sorted(Concluding.Of(Concluding.ReaderOf(scheduler, recording), recording.Output)));
            if (seen != expected)
                wrong.Add($"{recording.Name}: expected '{expected}', concluded '{seen}'");
            if (!row.IsShown(recording.Output))
                wrong.Add($"{recording.Name}: expected to see {row.Shown}");
        }

        wrong.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void Recordings_that_took_each_others_place_are_noticed(string scheduler)
    {
        var (rows, recordings) = (Recording.Rows(scheduler), Recording.All(scheduler).Values.ToList());
        var concluded = new Dictionary<(string Reader, string Recording), string>();
        var unnoticed = new List<string>();
        for (var i = 0; i < recordings.Count; i++)
        {
            for (var j = i + 1; j < recordings.Count; j++)
            {
                var (left, right) = (recordings[i], recordings[j]);
                // Of one command: to another's parser a refusal is a refusal. What says the same of the same job may change places: nothing would be concluded wrongly.
                if (rows[left.Name] == rows[right.Name] || Concluding.CommandOf(scheduler, left) != Concluding.CommandOf(scheduler, right))
                    continue;
                if (Fits(left, right) && Fits(right, left))
                    unnoticed.Add($"{left.Name} and {right.Name}");
            }
        }

        unnoticed.ShouldBeEmpty();

        bool Fits(Recording asked, Recording given)
        {
            var reader = Concluding.ReaderOf(scheduler, asked);
            if (!concluded.TryGetValue((reader, given.Name), out var seen))
                concluded[(reader, given.Name)] = seen = Sorted(Concluding.Of(reader, given.Output));
            return seen == Sorted(rows[asked.Name].Conclusion) && rows[asked.Name].IsShown(given.Output);
        }
    }

    /// <summary>What was printed of nodes, queues and the server, of jobs in a form that is not asked for, and by jobs: whichever question it came as the answer to, nothing is known of a job, and why is said.</summary>
    [Theory]
    [MemberData(nameof(Schedulers))]
    public void What_no_reader_is_for_is_an_answer_to_no_question(string scheduler)
    {
        var rows = Recording.Rows(scheduler);
        var others = Recording.All(scheduler).Values.Where(recording => rows[recording.Name].Shown.Length > 0).ToList();
        var wrong = new List<string>();
        foreach (var recording in others)
        {
            var expected = rows[recording.Name].Conclusion == "away" ? AnswerKind.Away : AnswerKind.Garbled;
            foreach (var (answer, index) in Concluding.Answers(scheduler, recording.Output).Select(static (answer, index) => (answer, index)))
            {
                if (answer.Kind != expected || answer.Message.Length == 0 || answer.Jobs.Count > 0)
                    wrong.Add($"{recording.Name} to question {index + 1}: {answer.Kind} '{answer.Message}', {answer.Jobs.Count} jobs");
            }

            if (Concluding.IsList(scheduler, recording.Output))
                wrong.Add($"{recording.Name}: a list of jobs");
        }

        wrong.ShouldBeEmpty();
        others.Count.ShouldBeGreaterThan(20);
    }

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void Output_that_was_cut_or_is_garbage_ends_no_job_that_it_did_not_end_whole(string scheduler)
    {
        var rows = Recording.Rows(scheduler);
        var wrong = new List<string>();
        foreach (var recording in Recording.All(scheduler).Values.Where(static recording => recording.Name.Split('-')[0] is "squeue" or "sacct" or "scontrol" or "qstat"))
        {
            var whole = Sorted(rows[recording.Name].Conclusion).Split("; ").ToHashSet(StringComparer.Ordinal);
            for (var length = 0; length < Math.Min(recording.Output.Output.Length, 4_000); length += Math.Max(1, recording.Output.Output.Length / 60))
            {
                // sacct prints each run of a job on a line of its own; that there were more lines cannot be seen. It is asked for what squeue does not know only.
                if (length > 0 && recording.Name.StartsWith("sacct", StringComparison.Ordinal) && recording.Output.Output[length - 1] == '\n')
                    continue;
                var seen = Jobs(scheduler, recording, recording.Output with { Output = recording.Output.Output[..length] });
                // A number that was cut is another job's, which nobody asked for; what is told of the jobs asked for is what the whole says, or no end.
                wrong.AddRange(seen.Where(job => job.Value.Condition.IsEnd() && whole.Any(row => row.StartsWith($"{job.Key} ", StringComparison.Ordinal)) && !whole.Any(row => row.StartsWith($"{job.Key} {job.Value.Condition}", StringComparison.Ordinal)))
                    .Select(job => $"{recording.Name} cut at {length}: {job.Key} {job.Value.Condition}"));
            }

            var garbage = Jobs(scheduler, recording, recording.Output with { Output = "\0\u001b[31m{]|||=\n<html>502 Bad Gateway</html>\n", ExitCode = 0, Errors = "" });
            wrong.AddRange(garbage.Select(job => $"{recording.Name} as garbage: {job.Key} {job.Value.Condition}"));
        }

        wrong.ShouldBeEmpty();
    }

    /// <summary>On a poll the difference between garbled and answered is that between a block that stays what it was and one that is gone.</summary>
    [Theory]
    [MemberData(nameof(Schedulers))]
    public void Output_that_ends_inside_a_line_or_is_garbage_is_no_answer_and_why_is_said(string scheduler)
    {
        var wrong = new List<string>();
        var cuts = 0;
        foreach (var recording in Recording.All(scheduler).Values.Where(static recording => recording.Name.Split('-')[0] is "squeue" or "sacct" or "scontrol" or "qstat"))
        {
            var (whole, text) = (Concluding.Answer(scheduler, recording, recording.Output).Kind, recording.Output.Output);
            for (var length = 1; length < Math.Min(text.TrimEnd().Length, 4_000); length += length < 200 ? 1 : Math.Max(1, text.Length / 60))
            {
                if (text[length - 1] == '\n')
                    continue;
                cuts++;
                Check(recording, whole, $"cut at {length}", recording.Output with { Output = text[..length] });
            }

            Check(recording, whole, "as garbage", recording.Output with { Output = "\0\u001b[31m{]|||=\n<html>502 Bad Gateway</html>\n", ExitCode = 0, Errors = "" });
        }

        wrong.ShouldBeEmpty();
        cuts.ShouldBeGreaterThan(1_000);

        void Check(Recording recording, AnswerKind whole, string how, CommandOutput output)
        {
            var answer = Concluding.Answer(scheduler, recording, output);
            // A server that is away, by its words and the exit code, is so whatever else was printed.
            var expected = output.ExitCode != 0 && whole is AnswerKind.Away or AnswerKind.NotHere ? whole : AnswerKind.Garbled;
            if (answer.Kind != expected || answer.Message.Length == 0)
                wrong.Add($"{recording.Name} {how}: {answer.Kind} '{answer.Message}'");
        }
    }

    private static IReadOnlyDictionary<string, JobReport> Jobs(string scheduler, Recording asked, CommandOutput output) => Concluding.Answer(scheduler, asked, output).Jobs;

    private static IEnumerable<string> NamesOfTheManager(string scheduler)
    {
        foreach (var line in File.ReadLines(Path.Combine(BlockScratch.Repository, $"tests/FuncX.Tests.Manager/Recordings/{scheduler}.jsonl")))
        {
            using var document = JsonDocument.Parse(line);
            yield return document.RootElement.GetProperty("name").GetString()!;
        }
    }

    private static string Counted(string what, IEnumerable<int> numbers) => string.Create(CultureInfo.InvariantCulture, $"| {what} | {string.Join(" | ", numbers)} | {numbers.Sum()} |");

    private static string Sorted(string conclusion) => string.Join("; ", conclusion.Split("; ").Order(StringComparer.Ordinal));
}
