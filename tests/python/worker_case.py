"""What the tests of the Python worker share: a zygote for each class, and workers of it as a manager sees them: real processes, real sockets, the
real ring. Any interpreter that can run a worker can run these; it is also the one under test. `python3 -m unittest discover -s tests/python`."""
import importlib
import sys
import time
import unittest

import played_manager as manager
from played_manager import JSON

VALUE, EXCEPTION, CANCELLED, TOO_LARGE, REJECTED, EXPIRED = 1, 2, 4, 7, 8, 9

ECHO = "def f(*args, **kwargs):\n    return args[0] if args else kwargs\n"
SLEEP = "import time\ndef f(seconds, value=None):\n    time.sleep(seconds)\n    return value\n"


def eventually(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError("not within %s s" % seconds)
        time.sleep(0.002)


def gone(pid):
    """Ended; whoever inherited it may not have reaped it yet."""
    try:
        with open("/proc/%d/stat" % pid) as stat:
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def needed(name):
    """tests/run installs these for Debian's interpreter; others may be without."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise unittest.SkipTest("%s has no %s" % (sys.executable, name)) from error


class WithZygote(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.zygote = manager.Zygote()

    @classmethod
    def tearDownClass(cls):
        cls.zygote.close()

    def worker(self, source=ECHO, **welcome):
        worker = self.zygote.fork(welcome=welcome)
        self.addCleanup(worker.close)
        worker.define(1, source)
        return worker

    def value(self, worker, arguments, **header):
        result = worker.call(arguments, **header)
        self.assertEqual(VALUE, result.outcome, result.value_bytes)
        return result.value

    def failure(self, worker, arguments, **header):
        result = worker.call(arguments, **header)
        self.assertEqual((EXCEPTION, JSON), (result.outcome, result.content))
        self.assertEqual({"type", "message", "traceback"}, set(result.value))
        return result.value
