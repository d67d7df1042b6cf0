namespace FuncX.Tests.Integration.Harness;

/// <summary>The functions that tests run, by entry name.</summary>
public static class Python
{
    public const string Square = """
        def square(x):
            return x * x + 7
        """;

    public const string Nap = """
        import time
        def nap(seconds, value):
            time.sleep(seconds)
            return value
        """;

    /// <summary>Goes on once there is a file; at once without a path. Leaves one that says it waits.</summary>
    public const string WaitFor = """
        import os, time
        def wait_for(path, value):
            if path:
                open(path + ".waits", "w").close()
                while not os.path.exists(path):
                    time.sleep(0.002)
            return value
        """;

    public const string Die = """
        import os, signal
        def die(x):
            os.kill(os.getpid(), signal.SIGKILL)
        """;

    public const string Fail = """
        class Broken(Exception):
            pass
        def fail(x):
            print("before", x)
            raise Broken(f"no {x}")
        """;

    public const string Touch = """
        import os, time
        def touch(directory, number, seconds):
            fd = os.open(f"{directory}/{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(fd, f"start {os.getpid()}\n".encode())
            time.sleep(seconds)
            os.write(fd, f"end {os.getpid()}\n".encode())
            os.close(fd)
            return number
        """;

    /// <summary>
    /// Leaves a file of its own per task that says when and where it started and ended, and one per process while it runs a task. "Where" is the worker and
    /// its ancestors (zygote, spawner, manager): a kill of any of them takes what the worker runs along.
    /// </summary>
    public const string Work = """
        import os, time
        where = None
        def ancestry():
            pid, found = os.getpid(), []
            try:
                while pid > 1:
                    found.append(str(pid))
                    with open(f"/proc/{pid}/stat") as stat:
                        pid = int(stat.read().rpartition(")")[2].split()[1])
            except OSError:
                pass  # one of them was killed this moment
            return ",".join(found)
        def work(directory, number, milliseconds):
            global where
            pid = os.getpid()
            where = where or ancestry()
            folder = f"{directory}/tasks/{number // 1000}"
            os.makedirs(folder, exist_ok=True)
            running = f"{directory}/running/{pid}"
            os.close(os.open(running, os.O_WRONLY | os.O_CREAT, 0o600))
            own = os.open(f"{folder}/{number}", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            os.write(own, f"start {number} {where} {time.time_ns()}\n".encode())
            time.sleep(milliseconds / 1000)
            os.write(own, f"end {number} {where} {time.time_ns()}\n".encode())
            os.close(own)
            os.unlink(running)
            return number * number + 7
        """;
}
