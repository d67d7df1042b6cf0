using System.Collections.Concurrent;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using FuncX.Service.Storage;
using FuncX.Tests.Unit.ServiceFront;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit.ServiceStorage;

public sealed partial class ServiceStorageSegmentTests : IDisposable
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

    /// <summary>Only on a disk: what lies in memory alone (tmpfs) cannot be forgotten.</summary>
    [Fact]
    public async Task A_body_that_is_kept_in_memory_elsewhere_takes_none_of_the_system_once_it_is_on_the_disk()
    {
        Assert.SkipWhen(string.Equals(new DriveInfo(_directory.Path).DriveFormat, "tmpfs", StringComparison.Ordinal), "the temporary directory is a tmpfs");
        using var segments = new SegmentFiles(_directory.Path);
        byte[][] bodies = [.. Enumerable.Range(1, 8).Select(static number => Body(number * 1_000))];
        var kept = bodies.Select(body => segments.Append(body, isKept: true)).ToArray();
        ResidentPages().ShouldBeGreaterThan(kept[^1].Offset / Environment.SystemPageSize, "not on the disk yet");
        await segments.SyncAsync(kept[0], kept[^1]);
        ResidentPages().ShouldBeLessThanOrEqualTo(1);

        foreach (var (reference, body) in kept.Zip(bodies))
        {
            var read = new byte[body.Length];
            segments.Read(reference, read);
            read.AsSpan().SequenceEqual(body).ShouldBeTrue();
        }

        var before = ResidentPages();
        var other = segments.Append(bodies[0]);
        await segments.SyncAsync(other, other);
        ResidentPages().ShouldBeGreaterThanOrEqualTo(before + (bodies[0].Length / Environment.SystemPageSize) - 1);
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

    private long ResidentPages()
    {
        var length = new FileInfo(Path.Combine(_directory.Path, "00000001.seg")).Length;
        using var file = MemoryMappedFile.CreateFromFile(Path.Combine(_directory.Path, "00000001.seg"), FileMode.Open, mapName: null, length, MemoryMappedFileAccess.Read);
        using var view = file.CreateViewAccessor(0, length, MemoryMappedFileAccess.Read);
        var pages = new byte[(length + Environment.SystemPageSize - 1) / Environment.SystemPageSize];
        mincore(view.SafeMemoryMappedViewHandle.DangerousGetHandle(), (nuint)length, pages).ShouldBe(0);
        return pages.Count(static page => (page & 1) != 0);
    }

    [LibraryImport("libc")]
    private static partial int mincore(nint address, nuint length, byte[] pages);

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
