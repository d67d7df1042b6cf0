using System.Buffers.Binary;
using System.Collections;
using System.Runtime.InteropServices;
using FuncX.Manager.Interop;

namespace FuncX.Manager.Spawning;

/// <summary>The manager's side of the spawner. Not thread safe: the engine's turn owns it.</summary>
internal sealed unsafe class Spawner
{
    /// <summary>The exit code of a process whose spawner died.</summary>
    public const int Died = 71;

    private static readonly TimeSpan s_noticeLimit = TimeSpan.FromSeconds(2);

    private readonly Dictionary<uint, Action<int>> _waiting = [];
    private readonly Dictionary<int, Action<int>> _exits = [];
    private uint _next = 1;

    private Spawner(int socket, int pid)
    {
        Socket = socket;
        Pid = pid;
    }

    public int Socket { get; }

    public int Pid { get; }

    /// <summary>Starts the spawner; call from the main thread before any other thing the process does.</summary>
    /// <param name="umask">Of every process it makes, octal; null: as this process.</param>
    /// <param name="program">What is started and its first arguments; null: this program.</param>
    public static Spawner Start(string? umask, IReadOnlyList<string>? program = null)
    {
        var pair = stackalloc int[2];
        if (Libc.SocketPair(Libc.AF_UNIX, Libc.SOCK_SEQPACKET | Libc.SOCK_CLOEXEC, 0, pair) < 0)
            throw new InvalidOperationException($"socketpair for the spawner failed: {Libc.LastError()}");
        for (var i = 0; i < 2; i++)
        {
            var size = SpawnerProgram.MaxMessage;
            _ = Libc.SetSockOpt(pair[i], Libc.SOL_SOCKET, Libc.SO_SNDBUF, &size, sizeof(int));
        }

        List<string> arguments = [.. program ?? SpawnerProgram.This, "--spawner"];
        if (umask is not null)
            arguments.Add(umask);
        var environment = new List<string>();
        foreach (DictionaryEntry variable in Environment.GetEnvironmentVariables())
        {
            if (!((string)variable.Key).StartsWith("FUNCX_", StringComparison.Ordinal))
                environment.Add($"{variable.Key}={variable.Value}");
        }

        var request = new SpawnRequest { Program = arguments[0], Arguments = arguments, Environment = environment, Directory = "" };
        var child = Libc.Fcntl(pair[1], Libc.F_DUPFD_CLOEXEC, 16);
        var error = Libc.Fcntl(2, Libc.F_DUPFD_CLOEXEC, 16);
        var pid = Spawn.Start(request, [child, error, error]);
        _ = Libc.Close(child);
        _ = Libc.Close(error);
        _ = Libc.Close(pair[1]);
        if (pid < 0)
            throw new InvalidOperationException($"starting the spawner ({arguments[0]} --spawner) failed: {Marshal.GetPInvokeErrorMessage(-pid)}");
        return new Spawner(pair[0], pid);
    }

    /// <summary>Asks for a process.</summary>
    /// <param name="request">What to start.</param>
    /// <param name="descriptors">Become 0, 1, 2, ... of the child; the caller still closes its own.</param>
    /// <param name="started">Told the pid, or minus the error's number.</param>
    /// <param name="exited">Told the exit status, or minus the signal.</param>
    /// <exception cref="InvalidOperationException">The spawner does not take it.</exception>
    public void Request(SpawnRequest request, ReadOnlySpan<int> descriptors, Action<int> started, Action<int> exited)
    {
        var id = _next++;
        var message = request.Encode(id);
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(length, message.Length);
        if (message.Length > SpawnerProgram.MaxMessage
            || DescriptorMessage.Send(Socket, length, default, 0) < 0 || DescriptorMessage.Send(Socket, message, descriptors, 0) < 0)
        {
            throw new InvalidOperationException(
                $"the spawner did not take the start of '{request.Program}': {Libc.LastError()}; arguments and environment have {message.Length} bytes, at most {SpawnerProgram.MaxMessage} are possible");
        }

        _waiting[id] = pid =>
        {
            if (pid > 0)
                _exits[pid] = exited;
            started(pid);
        };
    }

    /// <summary>Handles what the spawner says. False: it is gone.</summary>
    public bool Receive()
    {
        Span<byte> answer = stackalloc byte[12];
        while (true)
        {
            var received = DescriptorMessage.Receive(Socket, answer, default, out _, Libc.MSG_DONTWAIT);
            if (received < 0)
                return Marshal.GetLastPInvokeError() == Libc.EAGAIN;
            if (received == 0)
                return false;
            var id = BinaryPrimitives.ReadUInt32LittleEndian(answer);
            var pid = BinaryPrimitives.ReadInt32LittleEndian(answer[4..]);
            if (id != 0 && _waiting.Remove(id, out var started))
                started(pid);
            else if (id == 0 && _exits.Remove(pid, out var exited))
                exited(BinaryPrimitives.ReadInt32LittleEndian(answer[8..]));
        }
    }

    /// <summary>What the spawner is to leave when this process is gone without <see cref="End"/>; the last one counts. Waits while the spawner is busy, 2 s at most.</summary>
    public void OnDeath(DeathNotice notice)
    {
        var message = notice.Encode();
        var stop = Environment.TickCount64 + (long)s_noticeLimit.TotalMilliseconds;
        // A message on its way to the spawner is taken whole or not at all (SOCK_SEQPACKET).
        while (DescriptorMessage.Send(Socket, message, default, Libc.MSG_DONTWAIT) < 0 && Marshal.GetLastPInvokeError() == Libc.EAGAIN && Environment.TickCount64 < stop)
            Thread.Sleep(2);
    }

    /// <summary>Closes the socket, upon which the spawner kills all it made, and waits until it has. False: it had not after the time.</summary>
    /// <param name="isDeath">What was to be left when this process is gone is left now.</param>
    public bool End(TimeSpan wait, bool isDeath = false)
    {
        if (!isDeath)
            OnDeath(new DeathNotice("", ""));
        _ = Libc.Close(Socket);
        var stop = Environment.TickCount64 + (long)wait.TotalMilliseconds;
        int status;
        while (true)
        {
            if (Libc.WaitPid(Pid, &status, Libc.WNOHANG) != 0)
                return true;
            if (Environment.TickCount64 > stop)
                return false;
            Thread.Sleep(2);
        }
    }
}
