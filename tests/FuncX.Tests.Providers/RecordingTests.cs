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
        Recording.Conclusions(scheduler).Keys.ShouldBe(Recording.All(scheduler).Keys, ignoreOrder: true);

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void What_is_concluded_is_what_the_table_says(string scheduler)
    {
        var conclusions = Recording.Conclusions(scheduler);
        var wrong = new List<string>();
        foreach (var recording in Recording.All(scheduler).Values)
        {
            var (expected, seen) = (Sorted(conclusions[recording.Name]), Sorted(Concluding.Of(scheduler, recording)));
            if (seen != expected)
                wrong.Add($"{recording.Name}: expected '{expected}', concluded '{seen}'");
        }

        wrong.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void Recordings_that_took_each_others_place_are_noticed(string scheduler)
    {
        var (conclusions, recordings) = (Recording.Conclusions(scheduler), Recording.All(scheduler).Values.ToList());
        var unnoticed = new List<string>();
        for (var i = 0; i < recordings.Count; i++)
        {
            for (var j = i + 1; j < recordings.Count; j++)
            {
                var (left, right) = (recordings[i], recordings[j]);
                // Of one command: to another's parser a refusal is a refusal. What says the same of the same job may change places: nothing would be concluded wrongly.
                if (conclusions[left.Name] == conclusions[right.Name] || left.Name.Split('-')[0] != right.Name.Split('-')[0] || left.Command.Split(' ')[0] != right.Command.Split(' ')[0])
                    continue;
                if (Sorted(Concluding.Of(scheduler, left, right.Output)) == Sorted(conclusions[left.Name]) && Sorted(Concluding.Of(scheduler, right, left.Output)) == Sorted(conclusions[right.Name]))
                    unnoticed.Add($"{left.Name} and {right.Name}");
            }
        }

        unnoticed.ShouldBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Schedulers))]
    public void Output_that_was_cut_or_is_garbage_ends_no_job_that_it_did_not_end_whole(string scheduler)
    {
        var conclusions = Recording.Conclusions(scheduler);
        var wrong = new List<string>();
        foreach (var recording in Recording.All(scheduler).Values.Where(static recording => recording.Name.Split('-')[0] is "squeue" or "sacct" or "scontrol" or "qstat"))
        {
            var whole = Sorted(conclusions[recording.Name]).Split("; ").ToHashSet(StringComparer.Ordinal);
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

    private static string Sorted(string conclusion) => string.Join("; ", conclusion.Split("; ").Order(StringComparer.Ordinal));
}
