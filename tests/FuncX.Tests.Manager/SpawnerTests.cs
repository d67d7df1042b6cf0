using System.Diagnostics;
using System.Runtime.InteropServices;
using FuncX.Manager.Interop;
using FuncX.Manager.Spawning;
using FuncX.Tests.Integration.Harness;
using Shouldly;
using Xunit;

namespace FuncX.Tests.Manager;

/// <summary>What a spawner leaves for others when its manager is gone: nothing when that has said goodbye, however busy the spawner was then.</summary>
public sealed unsafe class SpawnerTests : IDisposable
{
    private const int Continue = 18;
    private const int Stop = 19;
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    private readonly string _marks = Path.GetTempFileName();
    private readonly Spawner _spawner = Spawner.Start(umask: null, [ProgramUnderTest.Manager]);
    private bool _ended;

    public void Dispose()
    {
        int status;
        if (!_ended && Libc.Kill(_spawner.Pid, Libc.SIGKILL) == 0)
            _ = Libc.WaitPid(_spawner.Pid, &status, 0);
        File.Delete(_marks);
    }

    [Theory]
    [InlineData(false, "")]
    [InlineData(true, "lost 2 n1\n")]
    public void Only_who_ends_without_a_goodbye_is_told_of(bool isDeath, string left)
    {
        _spawner.OnDeath(new DeathNotice(_marks, "lost ? n1"));
        _spawner.OnDeath(new DeathNotice(_marks, "lost 2 n1"));
        _ended = _spawner.End(s_patience, isDeath);
        _ended.ShouldBeTrue();
        File.ReadAllText(_marks).ShouldBe(left);
    }

    [Fact]
    public void A_goodbye_waits_for_a_spawner_that_is_busy()
    {
        StandStill();
        var ending = new Thread(() => _ended = _spawner.End(s_patience));
        ending.Start();
        SpinWait.SpinUntil(() => ending.ThreadState.HasFlag(System.Threading.ThreadState.WaitSleepJoin), s_patience).ShouldBeTrue();
        Libc.Kill(_spawner.Pid, Continue).ShouldBe(0);
        ending.Join(2 * s_patience).ShouldBeTrue();
        _ended.ShouldBeTrue();
        File.ReadAllText(_marks).ShouldBeEmpty();
    }

    [Theory]
    [LongData(0)]
    public void But_not_for_ever(int seconds)
    {
        StandStill();
        var clock = Stopwatch.StartNew();
        _spawner.End(TimeSpan.FromSeconds(seconds)).ShouldBeFalse();
        clock.Elapsed.ShouldBeLessThan(s_patience);
    }

    // What it is sent fills its socket.
    private void StandStill()
    {
        Libc.Kill(_spawner.Pid, Stop).ShouldBe(0);
        SpinWait.SpinUntil(() => File.ReadAllText($"/proc/{_spawner.Pid}/stat").Contains(") T ", StringComparison.Ordinal), s_patience).ShouldBeTrue();
        var notice = new DeathNotice(_marks, $"lost 2 {new string('n', 30_000)}").Encode();
        while (DescriptorMessage.Send(_spawner.Socket, notice, default, Libc.MSG_DONTWAIT) > 0)
        {
        }

        Marshal.GetLastPInvokeError().ShouldBe(Libc.EAGAIN);
    }
}
