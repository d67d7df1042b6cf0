"""The two things worker.py can be."""
import os
import sys

from . import frames
from .loop import work
from .process import reset_signals, start_session, take_standard_input
from .ring import ResultRing
from .zygote import Zygote

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
