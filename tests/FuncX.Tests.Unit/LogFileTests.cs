using System.Globalization;
using System.Text;
using FuncX.Configuration;
using FuncX.Telemetry;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

/// <summary>A log file that is followed by another at its size.</summary>
public sealed class LogFileTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("funcx-log-").FullName;

    private string Log => Path.Combine(_directory, "x.log");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public void Nothing_is_lost_lines_stay_whole_and_no_file_outgrows_its_size()
    {
        var written = new StringBuilder();
        using (var log = new LogFileStream(Log, new LogsConfiguration { Size = 1_000, Files = 100 }))
        {
            for (var number = 0; number < 1_500; number++)
                Write(log, $"line {number}\n", written);
        }

        var files = Files();
        files.Count.ShouldBeGreaterThan(10);
        string.Concat(files.Select(File.ReadAllText)).ShouldBe(written.ToString());
        files.ShouldAllBe(file => new FileInfo(file).Length <= 1_000 && File.ReadAllText(file).EndsWith('\n'));
        files.ShouldAllBe(static file => File.GetUnixFileMode(file) == FileModes.PrivateFile);
        // Full: the next line of such a length would not have fitted.
        files.Take(files.Count - 1).ShouldAllBe(static file => new FileInfo(file).Length > 1_000 - 10);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(5)]
    public void There_are_never_more_files_than_allowed_and_they_are_the_newest(int allowed)
    {
        var written = new StringBuilder();
        using (var log = new LogFileStream(Log, new LogsConfiguration { Size = 1_000, Files = allowed }))
        {
            for (var number = 0; number < 2_000; number++)
            {
                Write(log, $"line {number}\n", written);
                Files().Count.ShouldBeLessThanOrEqualTo(allowed);
            }
        }

        Files().Count.ShouldBe(allowed);
        var kept = string.Concat(Files().Select(File.ReadAllText));
        kept.Length.ShouldBeGreaterThan((allowed - 1) * 980);
        written.ToString().ShouldEndWith(kept);
    }

    [Fact]
    public void A_line_that_comes_in_pieces_or_is_longer_than_a_file_stays_in_one()
    {
        var written = new StringBuilder();
        using (var log = new LogFileStream(Log, new LogsConfiguration { Size = 1_000, Files = 9 }))
        {
            Write(log, new string('a', 900), written);
            Write(log, new string('b', 900), written);
            Write(log, "\n", written);
            Write(log, "after\n", written);
            Write(log, new string('c', 5_000) + "\n", written);
            Write(log, "last\n", written);
        }

        Files().Select(static file => new FileInfo(file).Length).ShouldBe([1_801, 6, 5_001, 5]);
        string.Concat(Files().Select(File.ReadAllText)).ShouldBe(written.ToString());
    }

    [Fact]
    public void A_log_goes_on_where_the_last_process_left_it_and_a_shorter_row_loses_its_oldest()
    {
        File.WriteAllText(Log, "before\n");
        File.SetUnixFileMode(Log, FileModes.PrivateFile | UnixFileMode.OtherRead);
        foreach (var number in (int[])[1, 2, 10])
            File.WriteAllText($"{Log}.{number}", $"{number}\n");
        File.WriteAllText(Log + ".kept", "somebody's own\n");
        using (var log = new LogFileStream(Log, new LogsConfiguration { Size = 1_000, Files = 2 }))
            log.Write("now\n"u8);
        File.ReadAllText(Log).ShouldBe("before\nnow\n");
        File.GetUnixFileMode(Log).ShouldBe(FileModes.PrivateFile);
        Directory.EnumerateFiles(_directory).Select(Path.GetFileName).ShouldBe(["x.log", "x.log.1", "x.log.kept"], ignoreOrder: true);
    }

    [Fact]
    public void A_log_that_cannot_be_written_throws_nothing_and_says_later_what_is_missing()
    {
        using var log = new LogFileStream(Log, new LogsConfiguration { Size = 64, Files = 2 });
        log.Write("first, and long enough for a file of its own, nearly\n"u8);
        // Neither the old file can be moved away nor a new one be made.
        File.Delete(Log);
        Directory.CreateDirectory(Log);
        File.WriteAllText(Path.Combine(Log, "x"), "");
        Directory.CreateDirectory(Log + ".1");
        File.WriteAllText(Path.Combine(Log + ".1", "x"), "");
        log.Write("lost\n"u8);
        Directory.Delete(Log, recursive: true);
        Directory.Delete(Log + ".1", recursive: true);
        log.Write("again\n"u8);
        string.Concat(Files().Select(File.ReadAllText)).ShouldMatch("^5 bytes of the log are missing here: .+\nagain\n$");
    }

    [Fact]
    public void Two_processes_on_one_log_and_whoever_moves_it_away_leave_it_whole()
    {
        var configuration = new LogsConfiguration { Size = 100, Files = 9 };
        using var older = new LogFileStream(Log, configuration);
        older.Write(Encoding.UTF8.GetBytes(new string('a', 90) + "\n"));
        using var newer = new LogFileStream(Log, configuration);
        newer.Write("newer begins the next\n"u8);
        older.Write("older follows\n"u8);
        newer.Write("and so on\n"u8);
        File.ReadAllText(Log).ShouldBe("newer begins the next\nolder follows\nand so on\n");
        Files().Count.ShouldBe(2);
        File.Move(Log, Log + ".away");
        newer.Write("anew\n"u8);
        File.ReadAllText(Log).ShouldBe("anew\n");
    }

    private List<string> Files() => [.. LogFileStream.Older(Log).Reverse().Select(static older => older.File), .. File.Exists(Log) ? [Log] : Array.Empty<string>()];

    private static void Write(LogFileStream log, string text, StringBuilder written)
    {
        log.Write(Encoding.UTF8.GetBytes(text));
        written.Append(CultureInfo.InvariantCulture, $"{text}");
    }
}
