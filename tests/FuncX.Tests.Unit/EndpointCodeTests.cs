using System.Text;
using FuncX.Contracts.V1;
using FuncX.Endpoint.ServiceLink;
using Google.Protobuf;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointCodeTests : IDisposable
{
    private const int Functions = 100;
    private const int Bound = 10_000;

    private readonly string _directory = Path.Combine(EndpointHarness.NewDirectory(), "code");

    [Fact]
    public void Code_beyond_the_bound_lies_on_disk_and_every_function_can_be_told_of()
    {
        var table = new CodeTable(_directory, Bound);
        for (var i = 0; i < Functions; i++)
        {
            table.NumberOf(Function(i)).ShouldBe(i + 1);
            table.Bytes.ShouldBeLessThanOrEqualTo(Bound);
        }

        File.GetUnixFileMode(_directory).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var order = Enumerable.Range(0, Functions * 3).Select(i => i * 37 % Functions);
        foreach (var i in order)
        {
            SourceOf(table, i).ShouldContain($"def f{i}()");
            table.NumberOf(Function(i)).ShouldBe(i + 1);
            table.Bytes.ShouldBeLessThanOrEqualTo(Bound);
        }
    }

    [Fact]
    public void What_is_used_all_the_time_is_not_read_again()
    {
        var table = new CodeTable(_directory, Bound);
        table.NumberOf(Function(0));
        var frames = table.Function(1);
        for (var i = 1; i < Functions; i++)
        {
            table.NumberOf(Function(i));
            table.Function(1).Buffer.ShouldBeSameAs(frames.Buffer);
        }
    }

    [Fact]
    public void A_disk_that_takes_nothing_costs_memory_and_no_function()
    {
        File.WriteAllText(_directory, "in the way");
        var table = new CodeTable(_directory, Bound);
        for (var i = 0; i < Functions; i++)
            table.NumberOf(Function(i));
        table.Bytes.ShouldBeGreaterThan(Functions * 1_000);
        for (var i = 0; i < Functions; i++)
            SourceOf(table, i).ShouldContain($"def f{i}()");
    }

    [Fact]
    public async Task What_an_older_process_may_still_read_is_there_until_that_has_ended()
    {
        var older = new CodeTable(_directory, Bound);
        for (var i = 0; i < Functions; i++)
            older.NumberOf(Function(i));

        await using (var system = await EndpointSystem.LinkedAsync(configuration => configuration with { StateDirectory = Path.GetDirectoryName(_directory)! }))
        {
            for (var i = 0; i < Functions; i++)
                SourceOf(older, i).ShouldContain($"def f{i}()");
        }

        CodeTable.Clear(_directory);
        Directory.Exists(_directory).ShouldBeFalse();
    }

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_directory)!, recursive: true);

    private static LinkFunction Function(int i) =>
        new() { FunctionId = $"id{i}", Kind = "python", Name = $"f{i}", Entry = $"f{i}", Code = ByteString.CopyFromUtf8($"def f{i}():{new string(' ', 1_000)}pass") };

    private static string SourceOf(CodeTable table, int i) => Encoding.UTF8.GetString(table.Function(i + 1).Span);
}
