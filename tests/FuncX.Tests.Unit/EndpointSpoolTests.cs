using FuncX.Endpoint.Dispatch;
using FuncX.Endpoint.ServiceLink;
using FuncX.Endpoint.Spool;
using Microsoft.Extensions.Time.Testing;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Unit;

public sealed class EndpointSpoolTests : IDisposable
{
    private readonly BufferPool _pool = new();
    private readonly string _directory = Path.Combine(EndpointHarness.NewDirectory(), "spool");

    [Fact]
    public void Records_come_back_in_the_order_they_were_written_over_files_and_restarts()
    {
        using (var store = NewStore(1 << 20))
        {
            Append(store, Message(1), Message(2));
            Append(store, Message(3));
            store.Complete();
            Append(store, Message(4));
        }

        using var again = NewStore(1 << 20);
        Read(again).ShouldBe([1, 2, 3, 4]);
        again.Bytes.ShouldBe(4 * (SpoolRecord.HeaderSize + 50));
        File.GetUnixFileMode(again.Files()[0].Path).ShouldBe(UnixFileMode.UserRead | UnixFileMode.UserWrite);
        foreach (var file in again.Files())
            again.Delete(file);
        again.Bytes.ShouldBe(0);
    }

    [Fact]
    public void A_torn_tail_loses_nothing_before_it()
    {
        using (var store = NewStore(1 << 20))
            Append(store, Message(1), Message(2), Message(3));
        var path = Directory.GetFiles(_directory).Single();
        var whole = File.ReadAllBytes(path);
        for (var cut = whole.Length - 1; cut > whole.Length - SpoolRecord.HeaderSize - 50; cut -= 7)
        {
            File.WriteAllBytes(path, whole[..cut]);
            using var again = NewStore(1 << 20);
            Read(again).ShouldBe([1, 2]);
        }
    }

    [Theory]
    [InlineData(SpoolRecord.HeaderSize + 10, new[] { 2, 3 })] // The first record's frames.
    [InlineData(-1, new[] { 1, 2 })] // The last record's frames: damage is damage wherever it is.
    [InlineData(SpoolRecord.HeaderSize + 50, new[] { 1 })] // The second record's length: nobody knows where the third begins.
    public void A_damaged_record_is_no_torn_end_and_costs_no_other_that_can_be_found(int at, int[] left)
    {
        using (var store = NewStore(1 << 20))
            Append(store, Message(1), Message(2), Message(3));
        var path = Directory.GetFiles(_directory).Single();
        var bytes = File.ReadAllBytes(path);
        bytes[at < 0 ? bytes.Length + at : at] ^= 1;
        File.WriteAllBytes(path, bytes);
        using var again = NewStore(1 << 20);
        Read(again).ShouldBe(left);
        using var reader = new SpoolReader(again.Files()[0], _pool);
        while (reader.TryRead(out var frames, out _))
            frames.Buffer.Release();
        reader.TornBytes.ShouldBe(0);
        reader.DamagedBytes.ShouldBeGreaterThan(0);
    }

    [Fact]
    public void The_limit_is_kept_and_what_fits_is_taken()
    {
        using var store = NewStore(3 * (SpoolRecord.HeaderSize + 50));
        Append(store, Message(1));
        store.Append([Message(2), Message(3), Message(4)], out var problem).ShouldBe(2);
        problem!.ShouldContain("limits.spool");
        store.Append([Message(4)], out problem).ShouldBe(0);
        problem!.ShouldContain("50 bytes more");
        store.Complete();
        Read(store).ShouldBe([1, 2, 3]);
        store.Delete(store.Files()[0]);
        store.Append([Message(4)], out problem).ShouldBe(1);
        problem.ShouldBeNull();
    }

    [Fact]
    public void A_disk_without_space_refuses_cleanly_and_takes_more_once_there_is_space()
    {
        const string Full = "/dev/full";
        Assert.SkipUnless(Environment.IsPrivilegedProcess && TryMount(_directory, "256k"), $"needs root and mount for a small tmpfs ({Full} cannot be truncated)");
        try
        {
            using var store = NewStore(1 << 30);
            Append(store, Message(1));
            store.Append([Message(2), Message(3, 500_000), Message(4)], out var problem).ShouldBe(1);
            problem.ShouldNotBeNull();
            Append(store, Message(3));
            store.Complete();
            Read(store).ShouldBe([1, 2, 3]);
        }
        finally
        {
            Run("umount", _directory);
        }
    }

    [Fact]
    public void What_a_process_on_another_machine_leaves_is_found_and_sent_once_nobody_writes_to_it()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        using var older = NewStore(1 << 20, "there");
        Append(older, Message(1));
        using var newer = NewStore(1 << 20, "here", time);
        newer.Files().ShouldBeEmpty();
        newer.StillWritten().ShouldHaveSingleItem();
        Append(older, Message(2));
        newer.Files().ShouldBeEmpty();
        newer.Bytes.ShouldBe(older.Bytes);

        time.Advance(TimeSpan.FromMinutes(2));
        Read(newer).ShouldBe([1, 2]);
        newer.StillWritten().ShouldBeEmpty();
        newer.Delete(newer.Files()[0]);
        newer.Bytes.ShouldBe(0);
        // The other was held up for all that time: what it writes now would be nowhere.
        older.Append([Message(3)], out var problem).ShouldBe(0);
        problem!.ShouldContain("taken by another process");
        Append(older, Message(3));
        File.SetLastWriteTimeUtc(Directory.GetFiles(_directory).Single(), time.GetUtcNow().UtcDateTime);
        newer.Files().ShouldBeEmpty();
        newer.StillWritten().ShouldHaveSingleItem();
        Append(newer, Message(4));
        Directory.GetFiles(_directory).Length.ShouldBe(2);
    }

    [Fact]
    public void A_file_is_not_written_to_for_long()
    {
        var time = new FakeTimeProvider(DateTimeOffset.UtcNow);
        using var store = NewStore(1 << 20, time: time);
        Append(store, Message(1));
        time.Advance(TimeSpan.FromSeconds(30));
        Append(store, Message(2));
        store.Files().ShouldHaveSingleItem();
        Directory.GetFiles(_directory).Length.ShouldBe(2);
    }

    public void Dispose() => Directory.Delete(Path.GetDirectoryName(_directory)!, recursive: true);

    private static bool TryMount(string directory, string size)
    {
        Directory.CreateDirectory(directory);
        return Run("mount", "-t", "tmpfs", "-o", $"size={size}", "tmpfs", directory);
    }

    private static bool Run(string program, params string[] arguments)
    {
        try
        {
            using var process = System.Diagnostics.Process.Start(program, arguments);
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }

    private static HeldMessage Message(byte mark, int bytes = 50)
    {
        var message = HeldMessage.New();
        message.Bytes = bytes;
        message.Results = 1;
        var array = new byte[bytes];
        array[0] = mark;
        message.Frames.Add(new FrameSlice(PooledBuffer.Wrap(array), 0, bytes / 2));
        message.Frames.Add(new FrameSlice(PooledBuffer.Wrap(array), bytes / 2, bytes - (bytes / 2)));
        return message;
    }

    private SpoolStore NewStore(long limit, string host = "here", TimeProvider? time = null) => new(_directory, limit, host, time ?? TimeProvider.System);

    private static void Append(SpoolStore store, params HeldMessage[] messages)
    {
        store.Append(messages, out var problem).ShouldBe(messages.Length);
        problem.ShouldBeNull();
    }

    private List<int> Read(SpoolStore store)
    {
        var marks = new List<int>();
        foreach (var file in store.Files())
        {
            using var reader = new SpoolReader(file, _pool);
            while (reader.TryRead(out var frames, out var results))
            {
                results.ShouldBe(1);
                marks.Add(frames.Span[0]);
                frames.Buffer.Release();
            }
        }

        return marks;
    }
}
