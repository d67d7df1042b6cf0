"""The zygote: an interpreter with the preload list imported that forks workers and reports their end."""
import gc
import os
import select
import signal
import socket
import sys
from array import array

from . import failpoints, frames
from .loop import work
from .preload import preload
from .process import move_up, reset_signals, start_session
from .ring import make_shared_memory, ring_on

# A process with one of these mapped must not fork: the child would share device or network state with its parent.
UNFORKABLE_LIBRARIES = ("libcuda.", "libhip", "libamdhip", "libhsa-runtime", "libze_loader", "libmpi.", "libmpi_", "libmpich", "libmpicxx")

PR_SET_PDEATHSIG = 1


class Zygote:
    def __init__(self, sock, script):
        self._sock = sock
        self._script = script
        self._children = {}
        self._modules = ()
        self._preload_failures = ()
        self._unforkable = None
        self._prctl = _find_prctl()

    def run(self):
        os.closerange(3, self._sock.fileno())
        self._sock.sendall(frames.hello("zygote", os.getpid()))
        welcome = frames.read_welcome(self._sock)
        if welcome is None:
            os._exit(0)
        self._preload(welcome.get("preload") or [])
        self._prepare_to_fork()
        self._serve()

    def _preload(self, modules):
        self._modules = modules
        self._preload_failures = preload(modules)
        for _, name, reason in self._preload_failures:
            self._note("preload of '%s' failed: %s (interpreter %s)" % (name, reason, sys.executable))

    def _note(self, text):
        self._sock.sendall(frames.control_frame(frames.STATUS, {"note": text}))

    def _prepare_to_fork(self):
        self._wake, wake_writer = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(wake_writer, False)
        self._wake_writer = wake_writer
        # The interpreter writes to the pipe when the signal comes; the handler itself has nothing to do, but must not be SIG_DFL.
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.set_wakeup_fd(wake_writer, warn_on_full_buffer=False)
        # What exists now is shared with every worker: collecting garbage must not write to its pages.
        gc.collect()
        if hasattr(gc, "freeze"):  # PyPy's collector has no such thing
            gc.freeze()
        self._unforkable = _unforkable_library()

    def _serve(self):
        poll = select.poll()
        poll.register(self._sock.fileno(), select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        while True:
            ready = dict(poll.poll())
            if self._wake in ready:
                try:
                    os.read(self._wake, 4096)
                except BlockingIOError:
                    pass
                self._reap()
            if self._sock.fileno() in ready:
                request = frames.read_control(self._sock)
                if request is None:
                    self._end()
                kind, ticket, message = request
                if kind == frames.FORK:
                    self._fork(ticket, message.get("slot", 0), message.get("cpus"), message.get("environment") or {})
                elif kind == frames.DRAIN:
                    self._end()
                elif kind != frames.HEARTBEAT:
                    raise frames.ProtocolError("frame kind %d is not for a zygote" % kind)

    def _end(self):
        for child in list(self._children):
            _kill_group(child)
        os._exit(0)

    def _ended(self):
        """A child that has ended and is not reaped yet."""
        if hasattr(os, "waitid"):
            try:
                ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return None
            return ended.si_pid if ended is not None else None
        for pid in self._children:  # PyPy has no such call
            try:
                with open("/proc/%d/stat" % pid) as stat:
                    if stat.read().rpartition(")")[2].split()[0] == "Z":
                        return pid
            except OSError:
                pass
        return None

    def _reap(self):
        while True:
            pid = self._ended()
            if pid is None:
                return
            known = pid in self._children
            if known:
                _kill_group(pid)  # what it left behind; until it is reaped its number cannot name anybody else's group
            _, status = os.waitpid(pid, 0)
            if known:
                slot = self._children.pop(pid)
                code = os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)
                self._sock.sendall(frames.control_frame(frames.EXITED, {"pid": pid, "code": code, "slot": slot}))

    def _fork(self, ticket, slot, cpus, environment):
        why_not = self._why_not_fork()
        descriptors = []
        try:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
            ours, theirs = ours.detach(), theirs.detach()
            descriptors += [ours, theirs]
            ring = make_shared_memory()
            descriptors.append(ring)
            out_read, out_write = os.pipe()
            descriptors += [out_read, out_write]
            err_read, err_write = os.pipe()
            descriptors += [err_read, err_write]
            failpoints.passed("before-fork")
            if why_not is None:
                zygote = os.getpid()
                pid = os.fork()
                if pid == 0:
                    self._become_worker(zygote, theirs, ring, out_write, err_write, (ours, out_read, err_read), cpus, environment)
            else:
                pid = self._start_fresh(theirs, ring, out_write, err_write, cpus, environment)
            failpoints.passed("after-fork")
        except OSError as error:
            for descriptor in descriptors:
                os.close(descriptor)
            self._sock.sendall(frames.control_frame(
                frames.REFUSED, {"reason": "cannot make a worker: %s" % error, "slot": slot}, ticket))
            return
        self._children[pid] = slot
        answer = {"pid": pid, "slot": slot, "isolation": "fork" if why_not is None else "spawn"}
        if why_not is not None:
            answer["note"] = why_not
        self._send_with_descriptors(frames.control_frame(frames.FORKED, answer, ticket), (ours, ring, out_read, err_read))
        failpoints.passed("after-handover")
        for descriptor in descriptors:
            os.close(descriptor)

    def _send_with_descriptors(self, frame, descriptors):
        sent = self._sock.sendmsg([frame], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", descriptors))])
        if sent < len(frame):
            self._sock.sendall(frame[sent:])

    def _why_not_fork(self):
        """None, or the reason for which a fork of this interpreter could hang or corrupt its child."""
        if self._unforkable is not None:
            return "started fresh: the preloaded modules map %s" % self._unforkable
        threads = len(os.listdir("/proc/self/task"))
        if threads > 1:
            return "started fresh: the preloaded modules run %d threads" % (threads - 1)
        return None

    def _become_worker(self, zygote, sock, ring, out_write, err_write, others, cpus, environment):
        """In the child. Never returns, whatever happens."""
        code = frames.EXIT_FAILED
        try:
            start_session()
            self._die_with(zygote)
            signal.set_wakeup_fd(-1)
            reset_signals()
            _run_on(cpus)
            os.environ.update(environment)
            self._sock.close()
            for descriptor in (*others, self._wake, self._wake_writer):
                os.close(descriptor)
            os.dup2(out_write, 1)
            os.dup2(err_write, 2)
            os.close(out_write)
            os.close(err_write)
            high = move_up(sock)
            _reseed()
            gc.enable()
            work(high, ring_on(ring, high), self._preload_failures)
        except frames.ProtocolError as error:
            os.write(2, ("funcx worker %d: %s\n" % (os.getpid(), error)).encode("utf-8", "backslashreplace"))
            code = frames.EXIT_PROTOCOL
        except (BrokenPipeError, ConnectionResetError):
            code = 0
        except BaseException as error:
            sys.__excepthook__(type(error), error, error.__traceback__)
        finally:
            os._exit(code)

    def _die_with(self, zygote):
        """A zygote that is killed cannot kill its workers. (It has no such signal itself: that comes when the thread that made it ends.)"""
        if self._prctl is not None:
            self._prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != zygote:
            os._exit(0)

    def _start_fresh(self, sock, ring, out_write, err_write, cpus, environment):
        # posix_spawn copies nothing of this process, so neither threads nor mapped libraries matter.
        os.set_inheritable(ring, True)
        arguments = [sys.executable, self._script, "--worker", "--ring", str(ring)]
        if self._modules:
            arguments += ["--preload", ",".join(self._modules)]
        own = os.sched_getaffinity(0) if cpus and hasattr(os, "sched_getaffinity") else None
        _run_on(cpus)
        try:
            return os.posix_spawn(sys.executable, arguments, {**os.environ, **environment}, file_actions=[
                (os.POSIX_SPAWN_DUP2, sock, 0), (os.POSIX_SPAWN_DUP2, out_write, 1), (os.POSIX_SPAWN_DUP2, err_write, 2)])
        finally:
            _run_on(own)


def _run_on(cpus):
    """For this process and its children. What the kernel does not take (a CPU that went away) changes nothing."""
    if cpus and hasattr(os, "sched_setaffinity"):
        try:
            os.sched_setaffinity(0, cpus)
        except OSError:
            pass


def _find_prctl():
    try:
        import ctypes  # 1.4 ms, once per zygote
        return ctypes.CDLL(None).prctl
    except (ImportError, OSError, AttributeError):
        return None  # an interpreter without ctypes: workers still end when their manager closes their sockets


def _unforkable_library():
    """The first library in this process with which a fork is not safe, or None."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            name = line.rpartition("/")[2].strip()
            if name.startswith(UNFORKABLE_LIBRARIES):
                return name
    return None


def _kill_group(pid):
    """A worker's session leader has its own number as its group; just after the fork there is only the process."""
    for kill in (os.killpg, os.kill):
        try:
            kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass


def _reseed():
    """Python's own generator reseeds itself after a fork; numpy's global one does not."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()


