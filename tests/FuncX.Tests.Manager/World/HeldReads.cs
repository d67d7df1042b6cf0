using System.Runtime.InteropServices;
using FuncX.Manager.Interop;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager.World;

/// <summary>Holds up every reading of a file until it is let go (fanotify(7), which is root's): what is done meanwhile is done in the middle of it. Disposing lets all go.</summary>
internal sealed unsafe partial class HeldReads : IDisposable
{
    private const uint ClassContent = 4;
    private const uint CloseOnExec = 1;
    private const uint NonBlocking = 2;
    private const uint Add = 1;
    private const ulong AccessPermission = 0x20000;
    private const int WorkingDirectory = -100;
    private const uint Allow = 1;
    private const int EventBytes = 24;
    private const int DescriptorAt = 16;

    private readonly int _group;
    private readonly Queue<int> _waiting = new();

    public HeldReads(string path)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "readings are held up as root");
        _group = fanotify_init(ClassContent | CloseOnExec | NonBlocking, 0);
        _group.ShouldBeGreaterThanOrEqualTo(0, Marshal.GetLastPInvokeErrorMessage());
        fanotify_mark(_group, Add, AccessPermission, WorkingDirectory, path).ShouldBe(0, Marshal.GetLastPInvokeErrorMessage());
    }

    /// <summary>How many there were until now.</summary>
    public int Seen { get; private set; }

    /// <summary>How many are held up now.</summary>
    public int Waiting
    {
        get
        {
            // event_len u32 | vers u8 | reserved u8 | metadata_len u16 | mask u64 | fd i32 | pid i32
            var read = stackalloc byte[EventBytes];
            while (Libc.Read(_group, read, EventBytes) == EventBytes)
            {
                _waiting.Enqueue(*(int*)(read + DescriptorAt));
                Seen++;
            }

            return _waiting.Count;
        }
    }

    /// <summary>Lets the first of them go on.</summary>
    public void LetGo()
    {
        var descriptor = _waiting.Dequeue();
        // fd i32 | response u32
        var answer = stackalloc int[] { descriptor, (int)Allow };
        ((int)Libc.Write(_group, answer, 2 * sizeof(int))).ShouldBe(2 * sizeof(int));
        _ = Libc.Close(descriptor);
    }

    public void Dispose()
    {
        _ = Libc.Close(_group);
        while (_waiting.TryDequeue(out var descriptor))
            _ = Libc.Close(descriptor);
    }

    [LibraryImport("libc", SetLastError = true)]
    private static partial int fanotify_init(uint flags, uint eventFlags);

    [LibraryImport("libc", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int fanotify_mark(int group, uint flags, ulong mask, int directory, string path);
}
