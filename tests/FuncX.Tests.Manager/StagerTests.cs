using FuncX.Manager.Staging;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class StagerTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("funcx-stager-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_file_that_could_not_be_passed_on_is_passed_on_in_the_next_round()
    {
        string[] sources = [Path.Combine(_folder, "a"), Path.Combine(_folder, "b")];
        foreach (var source in sources)
            File.WriteAllText(source, source);
        var told = new List<(int Index, string Content)>();
        using var ended = new ManualResetEventSlim();
        var stager = new Stager(new SourceFiles(sources, "n1"), Path.Combine(_folder, "stage"), 0, "test")
        {
            OnFile = (index, _, path) =>
            {
                told.Add((index, File.ReadAllText(path)));
                if (told.Count == 1)
                    throw new IOException("Too many open files");
            },
            OnEnd = (_, _) => ended.Set(),
        };
        stager.Start();
        ended.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken).ShouldBeTrue(stager.Progress.Problem);
        told.ShouldBe([(0, sources[0]), (0, sources[0]), (1, sources[1])]);
        (stager.Progress.FilesDone, stager.Progress.Problem).ShouldBe((2, ""));
    }
}
