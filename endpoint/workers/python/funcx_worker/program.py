"""The two things worker.py can be."""
import faulthandler
import fcntl
import os
import signal
import socket
import sys

from . import frames
from .loop import WINDOW, Worker
from .ring import ResultRing
from .zygote import Zygote

# Above what user code and its libraries use, so that one that closes or reuses low numbers does not meet ours.
FIRST_OWN_DESCRIPTOR = 200

EXIT_USAGE = 64


def main(arguments):
    script = os.path.abspath(arguments[0])
    # User code must not find our modules by their bare names, nor shadow the standard library's from here.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != os.path.dirname(script)]
    ring = None
    if arguments[1:] == ["--zygote"]:
        role = "zygote"
    elif arguments[1:] == ["--worker"]:
        role = "worker"
    elif len(arguments) == 4 and arguments[1:3] == ["--worker", "--ring"] and arguments[3].isdigit():
        role, ring = "worker", int(arguments[3])
    else:
        sys.stderr.write("usage: worker.py --zygote | --worker [--ring DESCRIPTOR]\n")
        sys.exit(EXIT_USAGE)
    reset_signals()
    try:
        sock = take_standard_input()
        if role == "zygote":
            Zygote(sock, script).run()
        else:
            start_session()
            work(sock, None if ring is None else ResultRing(ring, sock))
    except frames.ProtocolError as error:
        os.write(2, ("funcx %s %d: %s\n" % (role, os.getpid(), error)).encode("utf-8", "backslashreplace"))
        os._exit(frames.EXIT_PROTOCOL)
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)


def work(sock, ring, preload_failures=()):
    """Greets the manager and runs tasks until it closes the socket."""
    faulthandler.enable(2)
    sock.sendall(frames.hello("worker", os.getpid(), window=WINDOW))
    welcome = frames.read_welcome(sock)
    if welcome is None:
        os._exit(0)
    Worker(sock, ring, welcome, preload_failures).run()


def take_standard_input():
    """The socket on descriptor 0, moved out of user code's way; 0 becomes /dev/null."""
    try:
        sock = move_up(0)
    except OSError as error:
        raise frames.ProtocolError("descriptor 0 is not the manager's socket (%s); workers are started by funcx-manager" % error) from None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return sock


def move_up(descriptor):
    """The socket of a descriptor at a high number. The low one stays open if it is 0, for /dev/null."""
    sock = socket.socket(fileno=fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, FIRST_OWN_DESCRIPTOR))
    if descriptor != 0:
        os.close(descriptor)
    sock.setblocking(True)
    return sock


def start_session():
    """A session of its own, so that the manager can end the worker with everything it started."""
    try:
        os.setsid()
    except PermissionError:
        pass  # whoever started this process already made it a leader


def reset_signals():
    """Signals may have been ignored or blocked by whoever started this process; SIGTERM must end a task."""
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
