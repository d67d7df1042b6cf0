using System.Security.Cryptography;
using FuncX.Cluster;
using FuncX.Manager.Staging;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

public sealed class StageCacheTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("funcx-stage-test-").FullName;
    private readonly StageProgress _progress = new();

    private string Root => Path.Combine(_folder, "stage-0");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_file_is_read_once_and_again_when_it_has_changed()
    {
        var source = Source("a", 3_000_000, seed: 1);
        var cache = new StageCache(Root, 0);
        var first = Bring(cache, source);
        File.ReadAllBytes(cache.PathOf(first)).ShouldBe(File.ReadAllBytes(source));
        first.Digest.ShouldBe(DigestOf(source));
        using (var reads = new FileReads(source))
        {
            // Another process finds what this one noted.
            Bring(new StageCache(Root, 0), source).ShouldBe(first);
            reads.Opens.ShouldBe(0);
        }

        Source("a", 3_000_000, seed: 2);
        var changed = Bring(cache, source).Digest;
        changed.ShouldBe(DigestOf(source));
        changed.ShouldNotBe(first.Digest);
    }

    [Fact]
    public void What_is_not_what_its_name_says_is_brought_anew()
    {
        var source = Source("a", 100_000, seed: 1);
        var cache = new StageCache(Root, 0);
        var file = Bring(cache, source);
        File.SetUnixFileMode(cache.PathOf(file), UnixFileMode.UserRead | UnixFileMode.UserWrite);
        var bytes = File.ReadAllBytes(source);
        bytes[500] ^= 1;
        File.WriteAllBytes(cache.PathOf(file), bytes);
        cache.Has(file, _progress).ShouldBeFalse();
        Bring(cache, source).ShouldBe(file);
        File.ReadAllBytes(cache.PathOf(file)).ShouldBe(File.ReadAllBytes(source));
    }

    [Fact]
    public void Bytes_of_another_digest_are_refused_and_leave_nothing()
    {
        var cache = new StageCache(Root, 0);
        var file = new StagedFile("a", DigestOf(Source("a", 10, seed: 1)), 10, IsProgram: false);
        using (var writer = cache.Begin(file.Digest, 10))
        {
            writer.Append(new byte[10]);
            Should.Throw<StageException>(() => writer.Complete(file, writer.Digest())).Message.ShouldContain($"it should have 10 of {file.Digest}");
        }

        cache.Has(file, _progress).ShouldBeFalse();
        Directory.EnumerateFiles(Path.Combine(Root, "files")).ShouldBeEmpty();
    }

    [Fact]
    public void What_a_dead_process_left_half_is_removed_and_what_a_living_one_writes_is_not()
    {
        var cache = new StageCache(Root, 0);
        var dead = cache.Begin("dead", 10).Path;
        using var mine = cache.TryLock("alive");
        using var writer = cache.Begin("alive", 10);
        _ = new StageCache(Root, 0);
        File.Exists(dead).ShouldBeFalse();
        File.Exists(writer.Path).ShouldBeTrue();
        cache.TryLock("alive").ShouldBeNull();
    }

    [Fact]
    public void A_full_cache_forgets_sets_that_no_process_uses_and_then_says_what_is_missing()
    {
        var old = new StageCache(Root, 250_000);
        var unused = Bring(old, Source("unused", 100_000, seed: 1));
        var cache = new StageCache(Root, 250_000);
        var used = Bring(cache, Source("used", 100_000, seed: 2));
        var set = cache.Link([used]);
        var third = Bring(cache, Source("third", 100_000, seed: 3));
        File.Exists(cache.PathOf(unused)).ShouldBeFalse();
        File.Exists(Path.Combine(set, "used")).ShouldBeTrue();
        File.Exists(cache.PathOf(third)).ShouldBeTrue();
        Should.Throw<StageException>(() => Bring(cache, Source("fourth", 100_000, seed: 4))).Message.ShouldContain("may have 250000 (containers.cache.size); 100000 more are needed");
    }

    [Fact]
    public void A_directory_that_others_may_write_to_is_no_cache()
    {
        Directory.CreateDirectory(Root);
        File.SetUnixFileMode(Root, File.GetUnixFileMode(Root) | UnixFileMode.OtherWrite);
        Should.Throw<StageException>(() => new StageCache(Root, 0)).Message.ShouldContain("nobody else may write to");
    }

    [Theory]
    [InlineData("none", "is not there on node n1")]
    [InlineData(".", "is a directory on node n1")]
    public void What_is_no_file_is_named(string name, string problem) =>
        Should.Throw<StageException>(() => new SourceFiles([Path.Combine(_folder, name)], "n1").Plan(_progress)).Message.ShouldContain(problem);

    private static string DigestOf(string path) => Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)));

    private StagedFile Bring(StageCache cache, string source) => new SourceFiles([source], "n1").Bring(0, cache, _progress);

    private string Source(string name, int bytes, int seed)
    {
        var content = new byte[bytes];
        new Random(seed).NextBytes(content);
        var path = Path.Combine(_folder, name);
        File.WriteAllBytes(path, content);
        return path;
    }
}
