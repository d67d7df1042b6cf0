using System.Text;
using FuncX.Tests.Integration.Harness;

namespace FuncX.Tests.Integration.Outcomes;

/// <summary>Every kind of function, every way to end, against the real processes.</summary>
[Trait(Beside.Name, Beside.Scenarios)]
public sealed class OutcomeMatrixTests
{
    [Fact]
    public Task Every_kind_of_function_ends_in_each_way_as_the_table_says() => Scenario.SharingAsync(
        new EndpointOptions { MoreWorkers = "memory_per_worker: 1GiB", MoreYaml = "limits: {output: 64KiB, result: 110MiB}" },
        async cluster =>
        {
            var calls = OutcomeTable.Rows.SelectMany(static row => row.Endings.OfType<Ending>().Select(ending => (row.Way, ending)));
            var wrong = new List<string>();
            foreach (var (way, ending) in calls)
            {
                string[] requires = ending.Requires.Length > 0 ? [ending.Requires] : [];
                var function = ending.Kind switch
                {
                    "python" => await cluster.Api.RegisterAsync(ending.Code, "f", requires),
                    "command" => await cluster.Api.RegisterCommandAsync("f", ending.Code, requires),
                    _ => await cluster.Api.RegisterDotnetAsync(ending.Code, requires: requires),
                };
                if (ending.InContainer)
                    function = await cluster.Api.InContainerAsync(function);
                var result = await cluster.CallAsync(function, ending.Arguments, new TaskOptions { WalltimeMs = ending.WalltimeMs, MaxAttempts = 1 });
                var output = Encoding.UTF8.GetString(result.Output.Span);
                if (result.Outcome != ending.Outcome || result.Value.Length < ending.Bytes || !result.Text.Contains(ending.Contains, StringComparison.Ordinal)
                    || !output.Contains(ending.Output, StringComparison.Ordinal) || (ending.Code2 is { } code && result.Code != code))
                    wrong.Add($"{way}, {ending.Kind}: {result.Outcome} {result.Code} {result.Text[..Math.Min(600, result.Text.Length)]}; stdout {output[..Math.Min(200, output.Length)]}");
            }

            wrong.ShouldBeEmpty();

            // Nothing that a function has started outlives its worker; a command's does not outlive the command.
            ProcessesOf("sleep", "601").Count(static pid => pid > 0).ShouldBeLessThanOrEqualTo(1);
        });

    [Fact]
    public void The_matrix_in_the_readme_is_the_table_that_is_tested()
    {
        var readme = File.ReadAllText(Path.Combine(SourceTree.Root, "tests", "README.md"));
        readme.ShouldContain(OutcomeTable.Markdown(), customMessage: OutcomeTable.Markdown());
    }

    /// <summary>Processes with exactly these arguments.</summary>
    internal static IEnumerable<int> ProcessesOf(params string[] arguments)
    {
        foreach (var directory in Directory.EnumerateDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(directory), out var pid))
                continue;
            var found = false;
            try
            {
                found = File.ReadAllText($"{directory}/cmdline").TrimEnd('\0') == string.Join('\0', arguments);
            }
            catch (IOException)
            {
                // It has ended.
            }

            if (found)
                yield return pid;
        }
    }
}
