using System.Collections.Concurrent;
using FuncX.Service.Storage;
using FuncX.Tests.Unit.ServiceFront;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceStorage;

public sealed class ServiceStorageSegmentTests : IDisposable
{
    private readonly ScratchDirectory _directory = new();

    public void Dispose() => _directory.Dispose();

    [Fact]
    public async Task Bodies_that_many_write_at_once_over_several_files_are_there_when_the_directory_is_opened_again()
    {
        var written = new ConcurrentBag<(SegmentReference Reference, byte[] Body)>();
        using (var segments = new SegmentFiles(_directory.Path, fileBytes: 1_000_000))
        {
            await Parallel.ForEachAsync(Enumerable.Range(1, 60), new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (number, _) =>
            {
                var bodies = Enumerable.Range(1, 3).Select(part => Body((number * 10) + part)).ToArray();
                var references = bodies.Select(body => segments.Append(body)).ToArray();
                await segments.SyncAsync(references[0], references[^1]);
                foreach (var pair in references.Zip(bodies))
                    written.Add(pair);
            });
        }

        written.Select(static pair => pair.Reference.File).Distinct().Count().ShouldBeGreaterThan(3);
        using var again = new SegmentFiles(_directory.Path);
        foreach (var (reference, body) in written)
        {
            var read = new byte[body.Length];
            again.Read(reference, read);
            read.AsSpan().SequenceEqual(body).ShouldBeTrue();
        }
    }

    [Fact]
    public async Task A_file_that_is_full_and_on_the_disk_is_closed()
    {
        using var segments = new SegmentFiles(_directory.Path, fileBytes: 100_000);
        for (var number = 1; number <= 5; number++)
        {
            var reference = segments.Append(Body(number));
            await segments.SyncAsync(reference, reference);
        }

        OpenFiles().ShouldBe(["00000005.seg"]);
    }

    /// <summary>A body whose submission failed before it was synced: its file is only closed with the next sync, which covers it.</summary>
    [Fact]
    public async Task A_body_that_nobody_waits_for_is_synced_with_the_next_and_keeps_no_file_open()
    {
        using var segments = new SegmentFiles(_directory.Path, fileBytes: 100_000);
        segments.Append(Body(1));
        var reference = segments.Append(Body(2));
        OpenFiles().ShouldBe(["00000001.seg", "00000002.seg"]);
        await segments.SyncAsync(reference, reference);
        OpenFiles().ShouldBe(["00000002.seg"]);
    }

    [Fact]
    public async Task Whoever_waits_at_the_end_is_answered_and_nobody_after_it()
    {
        var segments = new SegmentFiles(_directory.Path);
        var reference = segments.Append(Body(1));
        var waiting = segments.SyncAsync(reference, reference);
        segments.Dispose();
        await waiting.WaitAsync(TimeSpan.FromSeconds(10));
        segments.Dispose();
        await Should.ThrowAsync<ObjectDisposedException>(() => segments.SyncAsync(reference, reference));
    }

    private List<string> OpenFiles() => [.. Directory.GetFiles("/proc/self/fd")
        .Select(static link => new FileInfo(link).LinkTarget ?? "")
        .Where(path => path.StartsWith(_directory.Path, StringComparison.Ordinal))
        .Select(static path => Path.GetFileName(path))
        .Order(StringComparer.Ordinal)];

    private static byte[] Body(int seed)
    {
        var body = new byte[100_000 + seed];
        new Random(seed).NextBytes(body);
        return body;
    }
}
