using FuncX.Cli.Commands;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Client;

/// <summary>Which files a pattern names, and in which order.</summary>
public sealed class GlobTests : IDisposable
{
    private readonly string _directory = Directory.CreateTempSubdirectory("funcx-glob-tests-").FullName;

    public GlobTests()
    {
        foreach (var file in (string[])["b.csv", "a.csv", "a.txt", "a[1].csv", "\u00e9.csv", ".hidden.csv", "x/c.csv", "x/y/d.csv", "x/y/e.CSV", ".git/f.csv", "x1/g.csv", "x2/g.csv"])
        {
            var path = Path.Combine(_directory, file);
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.WriteAllText(path, "");
        }

        Directory.CreateDirectory(Path.Combine(_directory, "dir.csv"));
        File.CreateSymbolicLink(Path.Combine(_directory, "link.csv"), Path.Combine(_directory, "a.csv"));
        // Back to where it came from: ** must not follow it.
        Directory.CreateSymbolicLink(Path.Combine(_directory, "x", "loop"), _directory);
    }

    [Theory]
    [InlineData("*.csv", "a.csv", "a[1].csv", "b.csv", "link.csv", "\u00e9.csv")]
    [InlineData("?.csv", "a.csv", "b.csv", "\u00e9.csv")]
    [InlineData("[ac].csv", "a.csv")]
    [InlineData("[!a]*.csv", "b.csv", "link.csv", "\u00e9.csv")]
    [InlineData("[a-b].*", "a.csv", "a.txt", "b.csv")]
    [InlineData("a[[]1].csv", "a[1].csv")]
    [InlineData("a\\[1].csv", "a[1].csv")]
    [InlineData("a[1.csv")]
    [InlineData(".*.csv", ".hidden.csv")]
    [InlineData("x?/g.csv", "x1/g.csv", "x2/g.csv")]
    [InlineData("x/loop/x/c.csv", "x/loop/x/c.csv")]
    [InlineData("**/*.csv", "a.csv", "a[1].csv", "b.csv", "link.csv", "x/c.csv", "x/y/d.csv", "x1/g.csv", "x2/g.csv", "\u00e9.csv")]
    [InlineData("x/**/*.csv", "x/c.csv", "x/y/d.csv")]
    [InlineData("x/**", "x/c.csv", "x/y/d.csv", "x/y/e.CSV")]
    [InlineData("**/y/*", "x/y/d.csv", "x/y/e.CSV")]
    [InlineData("**/**/d.csv", "x/y/d.csv")]
    [InlineData(".git/*", ".git/f.csv")]
    [InlineData("x/../a.txt", "x/../a.txt")]
    [InlineData("a.csv", "a.csv")]
    [InlineData("a.csv/b")]
    [InlineData("dir.csv")]
    [InlineData("nothing*")]
    [InlineData("nothing/*")]
    public void A_pattern_names_these_files(string pattern, params string[] files)
    {
        Glob.Files($"{_directory}/{pattern}").ShouldBe([.. files.Select(file => $"{_directory}/{file}")]);
    }

    [Fact]
    public void A_relative_pattern_gives_relative_paths()
    {
        var relative = Path.GetRelativePath(Environment.CurrentDirectory, _directory);
        Glob.Files($"{relative}/?.txt").ShouldBe([$"{relative}/a.txt"]);
    }

    public void Dispose() => Directory.Delete(_directory, recursive: true);
}
