"""A real service and a real endpoint on loopback, shared by all tests of a run."""
import atexit
import concurrent.futures
import contextlib
import ctypes
import importlib.util
import json
import os
import pathlib
import queue
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
SDK = REPOSITORY / "sdk" / "python"
sys.path.insert(0, str(SDK))
try:
    import funcx
except ImportError as problem:
    if (problem.name or "").partition(".")[0] not in ("grpc", "google"):
        raise
    raise unittest.SkipTest("the package needs grpcio and protobuf, and %s has no module %s" % (sys.executable, problem.name)) from None

#: The long run: everything at its full size.
FULL = os.environ.get("FUNCX_TESTS_FULL") == "1"


def only_in_the_long_run():
    """Modules that take most of the processor: for their beginning."""
    if not FULL:
        raise unittest.SkipTest("takes processor time that the short run has not: tests/run --full")


def in_the_long_run(test):
    """A test, or a class of them, whose kind the short run has a cheaper case of."""
    test.is_long = True
    return test


class _LeftOut(unittest.TestCase):
    """In the short run: one line for what a module leaves out."""

    def __init__(self, module, count):
        super().__init__("runTest")
        self._module, self._count = module, count

    def id(self):
        return "%s.long_run" % self._module

    def runTest(self):
        self.skipTest("%d tests take processor time that the short run has not: tests/run --full" % self._count)


def chosen(loader, tests, pattern):
    """`load_tests` of modules with tests of the long run."""
    if FULL:
        return tests
    suite, left_out = unittest.TestSuite(), []
    for test in _each(tests):
        is_long = getattr(type(test), "is_long", False) or getattr(getattr(test, test._testMethodName), "is_long", False)
        if is_long:
            left_out.append(test)
        else:
            suite.addTest(test)
    if left_out:
        suite.addTest(_LeftOut(type(left_out[0]).__module__, len(left_out)))
    return suite


def _each(tests):
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield from _each(test)
        else:
            yield test


tempfile.tempdir = os.environ.get("FUNCX_TESTS_DIRECTORY")
PROGRAMS = pathlib.Path(os.environ.get("FUNCX_TESTS_PROGRAMS", str(REPOSITORY / "artifacts" / "programs")))
SERVICE = os.environ.get("FUNCX_SERVICE", str(PROGRAMS / "FuncX.Service" / "funcx-service"))
ENDPOINT = os.environ.get("FUNCX_ENDPOINT", str(PROGRAMS / "FuncX.Endpoint" / "funcx-endpoint"))
MANAGER = os.environ.get("FUNCX_MANAGER", str(REPOSITORY / "endpoint/FuncX.Manager/bin/Release/net10.0/linux-x64/publish/funcx-manager"))
# Workers are then forks of an interpreter that has it: what all of them would have in common is what it keeps.
PRELOAD = "numpy" if importlib.util.find_spec("numpy") else ""
PATIENCE = 60.0


def eventually(condition, what, within=PATIENCE, seen=lambda: ""):
    """Waits for a state of another process, which has no signal to give."""
    end = time.monotonic() + within
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("not within %s s: %s. %s" % (within, what, seen()))
        time.sleep(0.02)


_libc = ctypes.CDLL(None)
_to_start = queue.SimpleQueue()


def _end_with_parent():
    """Whoever kills the test run gets no orphans: SIGTERM, upon which an endpoint ends its blocks too."""
    _libc.prctl(1, signal.SIGTERM)


def _start_all():
    while True:
        start, started = _to_start.get()
        try:
            started.set_result(start())
        except BaseException as problem:
            started.set_exception(problem)


def _lasting(start):
    """Runs `start` on a thread that lives as long as the process: the signal comes with the end of the thread that started a program."""
    if not any(thread.name == "starter" for thread in threading.enumerate()):
        threading.Thread(target=_start_all, name="starter", daemon=True).start()
    started = concurrent.futures.Future()
    _to_start.put((start, started))
    return started.result()


def _environment():
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FUNCX_")}
    environment["FUNCX_MANAGER"] = MANAGER
    # As tests/run has it: programs that live this short gain nothing from what the runtime learns by watching them.
    for name, value in (("DOTNET_TieredPGO", "0"), ("DOTNET_EnableWriteXorExecute", "0"), ("DOTNET_TC_CallCountingDelayMs", "2000")):
        environment.setdefault(name, value)
    # The programs start with the runtime that the `dotnet` command has.
    dotnet = shutil.which("dotnet")
    if "DOTNET_ROOT" not in environment and dotnet:
        environment["DOTNET_ROOT"] = str(pathlib.Path(dotnet).resolve().parent)
    return environment


class Program:
    def __init__(self, command, log):
        self.log = log
        with open(log, "ab") as output:
            self.process = _lasting(lambda: subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environment(),
                                                             preexec_fn=_end_with_parent, start_new_session=True))

    def tail(self):
        return self.log.read_text(errors="replace")[-4000:]

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
        self.process.wait()

    def kill(self):
        self.process.kill()
        self.process.wait()


def _free_port():
    # Of those that the system gives nobody by itself: while the service is away, whoever connects somewhere might else get its port.
    while True:
        port = random.randrange(12_000, 32_000)
        with socket.socket() as probe:
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port


class Cluster:
    """A service, an endpoint `test`, and a directory that goes with them."""

    def __init__(self, workers=2):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="funcx-python-"))
        self.port = _free_port()
        self.workers = workers
        self.service = self.endpoint = None
        try:
            self.start_service()
            self._start_endpoint()
        except BaseException:
            self.stop()
            raise

    @property
    def address(self):
        return "http://127.0.0.1:%d" % self.port

    @property
    def token_file(self):
        return self.directory / "service" / "admin.token"

    def start_service(self, limits=""):
        state = self.directory / "service" / "service.json"
        state.unlink(missing_ok=True)
        configuration = self.directory / "service.yaml"
        configuration.write_text("limits: {%s}\n" % limits)
        self.service = Program([SERVICE, "start", "--data-dir", str(state.parent), "--listen", "127.0.0.1:%d" % self.port, "--config", str(configuration)],
                               self.directory / "service.log")
        eventually(lambda: state.exists() and state.stat().st_size or self.service.process.poll() is not None, "the service is ready", seen=self.service.tail)
        if self.service.process.poll() is not None:
            raise AssertionError("funcx-service ended with %d:\n%s" % (self.service.process.returncode, self.service.tail()))

    def ensure_service(self):
        if self.service.process.poll() is not None:
            self.start_service()

    def _start_endpoint(self):
        configuration = self.directory / "test.yaml"
        configuration.write_text("\n".join([
            "name: test", "service: %s" % self.address, "state_dir: %s" % (self.directory / "test"), "provider: {type: local, nodes: 1}",
            "blocks: {min: 1, init: 1, max: 1}", "transport: tcp",
            "workers: {per_node: %d, python: %s, isolation: fork, preload: [%s]}" % (self.workers, "/usr/bin/python3", PRELOAD), ""]))
        configuration.chmod(0o600)
        self.endpoint = Program([ENDPOINT, "start", "--config", str(configuration), "--token-file", str(self.token_file)], self.directory / "test.log")
        with self.client() as client:
            def is_there():
                if self.endpoint.process.poll() is not None:
                    raise AssertionError("funcx-endpoint ended with %d:\n%s" % (self.endpoint.process.returncode, self.endpoint.tail()))
                return any(found.online and found.managers for found in client.endpoints.list())
            eventually(is_there, "the endpoint is online with a manager", seen=self.endpoint.tail)

    def client(self, **options):
        return funcx.Client(self.address, token_file=str(self.token_file), **options)

    def user(self, name):
        """The token of another user."""
        found = subprocess.run([SERVICE, "token", "create", "--data-dir", str(self.token_file.parent), "--user", name], capture_output=True, text=True,
                               env=_environment(), check=True)
        return next(word for word in (found.stdout + found.stderr).split() if word.startswith("fxt_"))

    def stop(self):
        for program in (self.endpoint, self.service):
            if program is not None:
                program.stop()
        shutil.rmtree(self.directory, ignore_errors=True)


_shared = None
_gate = threading.Lock()


def shared():
    """The cluster of this run; ended with it."""
    global _shared
    with _gate:
        if _shared is None:
            _shared = Cluster()
            atexit.register(_shared.stop)
        return _shared
