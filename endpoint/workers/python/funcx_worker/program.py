"""The two things worker.py can be."""
import os
import sys

from . import frames
from .loop import work
from .preload import preload
from .process import reset_signals, start_session, take_standard_input
from .ring import ring_on
from .zygote import Zygote

EXIT_USAGE = 64


def main(arguments):
    script = os.path.abspath(arguments[0])
    # User code must not find our modules by their bare names, nor shadow the standard library's from here.
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != os.path.dirname(script)]
    role, ring, modules = _read(arguments[1:])
    reset_signals()
    try:
        sock = take_standard_input()
        if role == "zygote":
            Zygote(sock, script).run()
        else:
            start_session()
            failures = preload(modules)
            work(sock, None if ring is None else ring_on(ring, sock), failures)
    except frames.ProtocolError as error:
        os.write(2, ("funcx %s %d: %s\n" % (role, os.getpid(), error)).encode("utf-8", "backslashreplace"))
        os._exit(frames.EXIT_PROTOCOL)
    except (BrokenPipeError, ConnectionResetError):
        os._exit(0)


def _read(arguments):
    """Role, the ring's descriptor or None, and the modules that a worker in an interpreter of its own imports before it says hello."""
    if arguments == ["--zygote"]:
        return "zygote", None, ()
    ring, modules, rest = None, (), arguments[1:]
    if rest[:1] == ["--ring"] and len(rest) > 1 and rest[1].isdigit():
        ring, rest = int(rest[1]), rest[2:]
    if rest[:1] == ["--preload"] and len(rest) == 2:
        modules, rest = rest[1].split(","), ()
    if arguments[:1] != ["--worker"] or rest:
        sys.stderr.write("usage: worker.py --zygote | --worker [--ring DESCRIPTOR] [--preload MODULE,...]\n")
        sys.exit(EXIT_USAGE)
    return "worker", ring, modules
