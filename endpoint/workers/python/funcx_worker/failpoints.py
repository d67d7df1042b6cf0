"""Places where a test may have the process die.

FUNCX_FAILPOINT=NAME[:N] kills the process with SIGKILL at its Nth passage of the place. Zygote and workers share an environment: with
FUNCX_FAILPOINT_ONCE=FILE only the first process to come so far dies, and leaves its number in the file. The manager passes on neither of
them; a test starts the interpreter through a script that sets them.
"""
import os
import signal

_chosen, _, _passages = os.environ.get("FUNCX_FAILPOINT", "").partition(":")
_left = int(_passages or 1)


def armed(*names):
    return _chosen in names


def passed(name):
    global _left
    if name != _chosen:
        return
    _left -= 1
    if _left == 0 and _is_first():
        os.kill(os.getpid(), signal.SIGKILL)


def _is_first():
    once = os.environ.get("FUNCX_FAILPOINT_ONCE")
    if once is None:
        return True
    try:
        descriptor = os.open(once, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return False
    os.write(descriptor, b"%d\n" % os.getpid())
    os.close(descriptor)
    return True
