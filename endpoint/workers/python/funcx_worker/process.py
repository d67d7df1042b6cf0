"""What a zygote or worker does to its own process before it serves: signals, session, and its socket out of the way."""
import fcntl
import os
import signal
import socket

from .frames import ProtocolError

# Above what user code and its libraries use, so that one that closes or reuses low numbers does not meet ours.
FIRST_OWN_DESCRIPTOR = 200

F_DUPFD_CLOEXEC = getattr(fcntl, "F_DUPFD_CLOEXEC", 1030)  # PyPy's fcntl does not name it


def take_standard_input():
    """The socket on descriptor 0, moved out of user code's way; 0 becomes /dev/null."""
    try:
        sock = move_up(0)
    except OSError as error:
        raise ProtocolError("descriptor 0 is not the manager's socket (%s); workers are started by funcx-manager" % error) from None
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    return sock


def move_up(descriptor):
    """The socket of a descriptor at a high number. The low one stays open if it is 0, for /dev/null."""
    sock = socket.socket(fileno=fcntl.fcntl(descriptor, F_DUPFD_CLOEXEC, FIRST_OWN_DESCRIPTOR))
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
