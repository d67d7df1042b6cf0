"""The worker and the zygote as a manager sees them: real processes, real sockets, the real ring. Any interpreter that can run a worker can run
these; it is also the one under test. `python3 -m unittest discover -s tests/python`."""
import importlib
import json
import os
import pickle
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import played_manager as manager  # noqa: E402
from played_manager import CANCEL, DOORBELL, JSON, OCTETS, PICKLE, RESULT, SYNC, TASK, frame, now, task_id  # noqa: E402

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


class Calls(WithZygote):
    def test_ten_thousand_tasks_each_get_their_own_result(self):
        worker = self.worker()
        found = []
        for start in range(0, 10000, 500):
            worker.sock.sendall(b"".join(worker.task([i]) for i in range(start, start + 500)))
            found += worker.results(500)
        self.assertEqual([(i, i, i + 1000, VALUE) for i in range(10000)], [(r.index, r.value, r.ticket, r.outcome) for r in found])
        self.assertLess(worker.doorbells, 5000)

    def test_a_result_carries_the_header_of_its_task_and_the_two_times(self):
        worker = self.worker()
        before = now()
        result = worker.call([1], container=5, walltime=77)
        header = result.frame
        self.assertEqual((RESULT, 0, 1, 7, task_id(0), 1, 5, 3, 1000, JSON),
                         (header.kind, header.flags, header.attempt, header.epoch, header.task_id, header.function, header.container, header.owner,
                          header.ticket, header.content))
        self.assertEqual(([0, 0, 0, 0], 0, 0), (result.other_times, result.code, result.reserved))
        self.assertTrue(before <= result.started <= result.ended <= now(), (before, result.started, result.ended))

    def test_values_come_back_as_they_were(self):
        worker = self.worker()
        for value in [0, -1, 10 ** 30, True, False, None, 1.5, 1e300, -0.0, "", "text \"quoted\" \\ \n", "é€\U0001f600", [], [[]], {}, {"a": [1, None]},
                      "x" * 1000, list(range(1000))]:
            with self.subTest(value=str(value)[:40]):
                found = self.value(worker, [value])
                self.assertEqual((value, type(value)), (found, type(found)))

    def test_arguments_by_name(self):
        worker = self.worker("def f(a, b=2, *, c=3):\n    return [a, b, c]")
        self.assertEqual([1, 2, 9], self.value(worker, {"args": [1], "kwargs": {"c": 9}}))
        self.assertEqual([1, 5, 3], self.value(worker, {"kwargs": {"a": 1, "b": 5}}))
        self.assertEqual([1, 2, 3], self.value(worker, b"  [ 1 ]\n"))

    def test_arguments_that_are_none_say_what_is_wrong(self):
        worker = self.worker()
        for body, said in [(b"", "Expecting value"), (b"[1", "Expecting ',' delimiter"), (b"5", "a number"), (b"null", "null"), (b'"a"', "a string"),
                           (b'{"x":1}', "an object with x"), (b'{"args":5}', "a number"), (b"[1] 2", "Extra data"), (b"[\"\xff\"]", "utf-8"),
                           (b"[" * 100000, "recursion")]:
            with self.subTest(body=body[:20]):
                failure = self.failure(worker, body)
                self.assertEqual("ArgumentsUnreadable", failure["type"])
                self.assertIn(said, failure["message"])
        self.assertEqual(1, self.value(worker, [1]))

    def test_pickles_go_and_come_as_pickles(self):
        worker = self.worker("def f(*args, **kwargs):\n    return args, kwargs\n")
        result = worker.call(pickle.dumps(((1, {2}, b"3"), {"k": 4j})), content=PICKLE)
        self.assertEqual((VALUE, PICKLE), (result.outcome, result.content))
        self.assertEqual(((1, {2}, b"3"), {"k": 4j}), pickle.loads(result.value_bytes))
        worker.define(2, "import pickle\nclass Point:\n    x = 7\ndef f(data=None):\n    return Point() if data is None else pickle.loads(data).x",
                      identity="ab" * 32)
        made = worker.call(pickle.dumps(((), {})), content=PICKLE, function=2)
        self.assertIn(b"funcx_abababababababab", made.value_bytes)
        back = worker.call(pickle.dumps(((made.value_bytes,), {})), content=PICKLE, function=2)
        self.assertEqual(7, pickle.loads(back.value_bytes))

    def test_what_pickle_cannot_take_goes_by_cloudpickle_or_dill_where_they_are(self):
        cloudpickle = needed("cloudpickle")
        dill = needed("dill")
        worker = self.worker("def f(n):\n    return lambda x: x + n")
        made = worker.call(pickle.dumps(((3,), {})), content=PICKLE)
        self.assertEqual((VALUE, PICKLE), (made.outcome, made.content))
        self.assertIn(b"cloudpickle", made.value_bytes)
        self.assertEqual(10, pickle.loads(made.value_bytes)(7))
        # What neither Python's nor cloudpickle takes: a generator's frame, which dill refuses too, and an open file, which it does not.
        worker.define(2, "import tempfile\ndef f():\n    return open(tempfile.mkstemp()[1], 'w')")
        opened = worker.call(pickle.dumps(((), {})), content=PICKLE, function=2)
        self.assertEqual(VALUE, opened.outcome, opened.value_bytes)
        self.assertIn(b"dill", opened.value_bytes)
        path = pickle.loads(opened.value_bytes).name
        os.unlink(path)
        worker.define(3, "def f():\n    return (i for i in range(3))")
        refused = worker.call(pickle.dumps(((), {})), content=PICKLE, function=3).value
        self.assertIn("cloudpickle: ", refused["message"])
        self.assertIn("dill: ", refused["message"])
        # Arguments that one of them made are read by whoever has it.
        worker.define(4, "def f(g):\n    return g(4)")
        scope = {"__name__": "__main__"}
        exec("five_times = lambda x: 5 * x", scope)
        for body in (cloudpickle.dumps(((scope["five_times"],), {})), dill.dumps(((scope["five_times"],), {}), recurse=True)):
            self.assertEqual(20, pickle.loads(worker.call(body, content=PICKLE, function=4).value_bytes))

    def test_without_cloudpickle_and_dill_it_is_said_that_they_are_not_there(self):
        worker = self.worker("import sys\nsys.modules['cloudpickle'] = sys.modules['dill'] = None\ndef f():\n    return lambda: 1")
        message = worker.call(pickle.dumps(((), {})), content=PICKLE).value["message"]
        self.assertIn("cloudpickle is not there; dill is not there", message)

    def test_a_pickle_that_cannot_be_read_or_made(self):
        worker = self.worker("def f(x=None):\n    return (i for i in range(x))")
        self.assertIn("cannot be pickled", worker.call(pickle.dumps(((1,), {})), content=PICKLE).value["message"])
        for body in (b"", b"garbage", pickle.dumps(5)):
            self.assertEqual("ArgumentsUnreadable", worker.call(body, content=PICKLE).value["type"])

    def test_octets_and_no_arguments(self):
        worker = self.worker("def f(data):\n    return data[::-1]\ndef nothing():\n    return 5")
        result = worker.call(b"abc", content=OCTETS)
        self.assertEqual((VALUE, OCTETS, b"cba"), (result.outcome, result.content, result.value_bytes))
        worker.define(2, "def f():\n    return 5")
        result = worker.call(b"", content=0, function=2)
        self.assertEqual((VALUE, JSON, 5), (result.outcome, result.content, result.value))
        self.assertEqual(REJECTED, worker.call(b"", content=77).outcome)

    def test_results_that_are_not_json(self):
        worker = self.worker("def f(which):\n    a = []\n    a.append(a)\n"
                             "    return {'nan': float('nan'), 'inf': [1, float('inf')], 'set': {1}, 'key': {(1, 2): 3}, 'loop': a, 'huge': 10 ** 5000}[which]")
        for which in ("nan", "inf", "set", "key", "loop"):
            failure = self.failure(worker, [which])
            self.assertEqual("ResultUnserialisable", failure["type"])
            self.assertIn("is not JSON", failure["message"])
        result = worker.call(["huge"])  # refused since 3.11 (digits limit), fine before
        self.assertIn(result.outcome, (VALUE, EXCEPTION))
        self.assertEqual("ResultUnserialisable", self.failure(worker, ["set"])["type"])

    def test_the_garbage_collector_is_on(self):
        worker = self.worker("import gc\ndef f():\n    return [gc.isenabled(), gc.get_threshold()[0] > 0]")
        self.assertEqual([True, True], self.value(worker, []))

    def test_a_task_after_its_deadline_does_not_run(self):
        worker = self.worker(SLEEP)
        worker.sock.sendall(worker.task([0.05]) + worker.task([0], deadline=now() + 10000) + worker.task([0], deadline=now() + 10 ** 9))
        self.assertEqual([VALUE, EXPIRED, VALUE], [r.outcome for r in worker.results(3)])

    def test_a_sync_task_is_announced_at_once(self):
        worker = self.worker()
        worker.sock.sendall(b"".join(worker.task([i], flags=SYNC) for i in range(10)))
        worker.results(10)
        self.assertGreaterEqual(worker.doorbells, 1)

    def test_fresh_interpreters_without_a_ring_answer_every_task(self):
        ours, theirs = manager.socket.socketpair()
        process = subprocess.Popen([sys.executable, manager.WORKER, "--worker"], stdin=theirs)
        theirs.close()
        worker = manager.Worker(ours)
        worker.define(1, ECHO)
        worker.sock.sendall(b"".join(worker.task([i]) for i in range(300)))
        self.assertEqual(list(range(300)), [r.value for r in worker.results(300)])
        self.assertEqual(300000, len(self.value(worker, ["x" * 300000])))
        ours.close()
        self.assertEqual(0, process.wait(10))


class Functions(WithZygote):
    def test_source_that_does_not_compile_fails_each_of_its_tasks(self):
        worker = self.worker("def f(:\n    pass")
        for _ in range(2):
            failure = self.failure(worker, [])
            self.assertEqual("SyntaxError", failure["type"])
            self.assertIn("def f(:", failure["traceback"])

    def test_source_that_raises_or_exits_while_loading(self):
        worker = self.worker("import sys\nsys.exit(3)")
        self.assertEqual("SystemExit", self.failure(worker, [])["type"])
        worker.define(2, "x = 1\nraise ValueError('at load')")
        failure = self.failure(worker, [], function=2)
        self.assertEqual(("ValueError", "at load"), (failure["type"], failure["message"]))
        self.assertIn("line 2", failure["traceback"])

    def test_a_missing_entry_names_what_there_is(self):
        worker = self.worker("def g():\n    pass\nf = 5")
        failure = self.failure(worker, [])
        self.assertEqual("TypeError", failure["type"])
        worker.define(2, "def g():\n    pass")
        self.assertIn("defines no 'f'; it defines: g", self.failure(worker, [], function=2)["message"])

    def test_unknown_numbers_and_kinds_are_rejected(self):
        worker = self.worker()
        worker.define(2, "x", kind="dotnet")
        for number, said in ((99, "never sent"), (2, "'dotnet'")):
            result = worker.call([], function=number)
            self.assertEqual(REJECTED, result.outcome)
            self.assertIn(said, result.value["message"])
        self.assertEqual(1, self.value(worker, [1]))

    def test_functions_are_compiled_once_and_kept_apart(self):
        source = "import sys\ncount = 0\ndef f():\n    global count\n    count += 1\n    return [count, __name__ != '__main__', sys.modules[__name__].count]"
        worker = self.worker(source)
        worker.define(2, source)
        self.assertEqual([1, True, 1], self.value(worker, []))
        self.assertEqual([2, True, 2], self.value(worker, []))
        self.assertEqual([1, True, 1], self.value(worker, [], function=2))
        self.assertEqual([3, True, 3], self.value(worker, []))

    def test_a_large_source_comes_in_segments(self):
        worker = self.worker("text = '%s'\ndef f():\n    return len(text)" % ("x" * 700000))
        self.assertEqual(700000, self.value(worker, []))


class Exceptions(WithZygote):
    SOURCE = """
import os, sys
class Odd(Exception):
    def __str__(self):
        raise RuntimeError('no text')
class Loud(BaseException):
    pass
def deep(n):
    return deep(n + 1)
def f(which):
    if which == 'chain':
        try:
            1 / 0
        except ZeroDivisionError as error:
            raise KeyError('second') from error
    if which == 'deep': deep(0)
    if which == 'memory': return [0] * (1 << 60)
    if which == 'exit': sys.exit('leaving')
    if which == 'exit0': sys.exit()
    if which == 'long': raise ValueError('y' * 10000000)
    if which == 'surrogate': raise ValueError('\\ud800')
    if which == 'stop': raise StopIteration(5)
    raise {'odd': Odd, 'loud': Loud, 'interrupt': KeyboardInterrupt, 'generator': GeneratorExit, 'unicode': lambda: UnicodeDecodeError('utf-8', b'', 0, 1, 'mine')}[which]()
"""

    def test_whatever_is_raised_is_the_outcome_and_the_worker_lives(self):
        worker = self.worker(self.SOURCE)
        for which, kind, said in [
                ("chain", "KeyError", "second"), ("deep", "RecursionError", "recursion"), ("memory", "MemoryError", ""), ("exit", "SystemExit", "leaving"),
                ("exit0", "SystemExit", ""), ("odd", "Odd", "__str__ raised RuntimeError"), ("loud", "Loud", ""), ("interrupt", "KeyboardInterrupt", ""),
                ("generator", "GeneratorExit", ""), ("stop", "StopIteration", "5"), ("surrogate", "ValueError", "\\ud800"), ("unicode", "UnicodeDecodeError", "mine")]:
            with self.subTest(which=which):
                failure = self.failure(worker, [which])
                self.assertEqual(kind, failure["type"])
                self.assertIn(said, failure["message"])
                self.assertIn("<funcx f ", failure["traceback"])
                self.assertNotIn("funcx_worker", failure["traceback"])
        worker.define(2, ECHO)
        self.assertEqual("alive", self.value(worker, ["alive"], function=2))

    def test_a_traceback_shows_the_lines_and_the_cause_of_the_users_code_only(self):
        trace = self.failure(self.worker(self.SOURCE), ["chain"])["traceback"]
        self.assertIn("1 / 0", trace)
        self.assertIn("raise KeyError('second') from error", trace)
        self.assertIn("direct cause", trace)

    def test_texts_are_bounded(self):
        failure = self.failure(self.worker(self.SOURCE), ["long"])
        self.assertLess(len(failure["message"]), 66000)
        self.assertIn("characters cut", failure["message"])
        self.assertLess(len(failure["traceback"]), 66000)

    def test_calling_with_the_wrong_arguments_is_a_type_error(self):
        worker = self.worker("def f(a):\n    return a")
        self.assertEqual("TypeError", self.failure(worker, [1, 2])["type"])

    def test_sigint_during_a_task_is_its_keyboard_interrupt(self):
        worker = self.worker("import os, signal, time\ndef f():\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(5)")
        self.assertEqual("KeyboardInterrupt", self.failure(worker, [])["type"])


class Output(WithZygote):
    def test_prints_belong_to_their_task(self):
        worker = self.worker("import sys\ndef f(text):\n    print(text)\n    print(text * 2, file=sys.stderr)\n    return text")
        worker.define(2, ECHO)
        worker.sock.sendall(worker.task(["a"]) + worker.task([1], function=2) + worker.task(["é\ud800"]))
        found = worker.results(3)
        self.assertEqual([("a\n", "aa\n"), ("", "")], [(r.stdout, r.stderr) for r in found[:2]])
        self.assertTrue(found[2].stdout.startswith("é"))
        self.assertEqual(["a", 1], [r.value for r in found[:2]])

    def test_the_output_of_a_failed_task_is_kept(self):
        worker = self.worker("def f():\n    print('before')\n    1 / 0")
        result = worker.call([])
        self.assertEqual((EXCEPTION, "before\n"), (result.outcome, result.stdout))

    def test_output_is_bounded_and_says_what_was_cut(self):
        worker = self.worker("import sys\ndef f(n):\n    for i in range(n):\n        sys.stdout.write('0123456789')\n    sys.stderr.write('é' * 1000)", output_limit=1000)
        result = worker.call([1000])
        self.assertTrue(result.stdout.startswith("0123456789" * 100 + "\n[funcx: 9000 bytes of output were cut; the limit is 1000]"))
        self.assertIn("[funcx: 1000 bytes of output were cut", result.stderr)
        self.assertEqual("0123456789" * 3, worker.call([3]).stdout)

    def test_large_output_goes_over_the_socket(self):
        worker = self.worker("def f(n):\n    print('x' * n, end='')\n    return n")
        for n in (100000, 900000):
            result = worker.call([n])
            self.assertEqual((n, n), (len(result.stdout), result.value))

    def test_raw_writes_reach_the_pipes(self):
        worker = self.worker("import os, subprocess\ndef f():\n    os.write(1, b'raw out')\n    subprocess.run(['sh', '-c', 'echo child >&2'])\n    return 1")
        result = worker.call([])
        self.assertEqual(("", ""), (result.stdout, result.stderr))
        self.assertEqual(["raw out", "child\n"], worker.output())

    def test_standard_streams_behave_as_programs_expect(self):
        worker = self.worker("""
import logging, sys, contextlib, io, subprocess
def f():
    sys.stdout.buffer.write(b'bytes\\n')
    sys.stdout.writelines(['a', 'b'])
    sys.stdout.flush()
    logging.warning('logged')
    with contextlib.redirect_stdout(io.StringIO()) as caught:
        print('hidden')
    subprocess.run(['echo', 'child'], stdout=sys.stdout)
    print('c', end='', flush=True)
    try:
        sys.stdout.write(5)
    except TypeError:
        print('d')
    return [caught.getvalue(), sys.stdin.read(), sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.fileno()]
""")
        result = worker.call([])
        self.assertEqual(["hidden\n", "", False, "utf-8", 1], result.value)
        self.assertEqual(("bytes\nabcd\n", "WARNING:root:logged\n"), (result.stdout, result.stderr))
        self.assertEqual(["child\n", ""], worker.output())

    def test_closing_the_streams_and_descriptors_harms_nobody(self):
        worker = self.worker("import os, sys\ndef f(which):\n    if which == 1:\n        sys.stdout.close()\n        os.close(1)\n        os.close(2)\n        os.close(0)\n"
                             "    if which == 2:\n        sys.stdout = None\n        sys.stderr = 5\n    if which == 3:\n        os.closerange(3, 100)\n    print('still')\n    return which")
        self.assertEqual("still\n", worker.call([1]).stdout)
        self.assertEqual("still\n", worker.call([0]).stdout)
        worker.call([2])
        self.assertEqual("still\n", worker.call([0]).stdout)
        self.assertEqual("still\n", worker.call([3]).stdout)


class Surroundings(WithZygote):
    def test_the_working_directory_is_restored_between_tasks_of_one_burst(self):
        worker = self.worker("import os\ndef f(where):\n    before = os.getcwd()\n    if where:\n        os.chdir(where)\n    return [before, os.getcwd()]")
        worker.sock.sendall(worker.task(["/"]) + worker.task([""]))
        first, second = [r.value for r in worker.results(2)]
        self.assertEqual("/", first[1])
        self.assertEqual(first[0], second[0])

    def test_a_fork_in_user_code_makes_no_second_worker(self):
        worker = self.worker("""
import os, sys
def f(how):
    pid = os.fork()
    if pid == 0:
        print('from the child')
        if how == 'exit': sys.exit(3)
        if how == 'raise': raise ValueError('in the child')
        return 'child'
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if hasattr(os, 'waitstatus_to_exitcode') else os.WEXITSTATUS(os.waitpid(pid, 0)[1])
""")
        for how, code in (("return", 0), ("exit", 3), ("raise", 1)):
            result = worker.call([how])
            self.assertEqual((VALUE, code), (result.outcome, result.value))
            out, err = worker.output()
            self.assertEqual("from the child\n", out)
            self.assertEqual(how == "raise", "ValueError: in the child" in err)
        self.assertEqual(0, worker.counters()[0] - worker.read)

    def test_multiprocessing_works(self):
        worker = self.worker("import multiprocessing\ndef square(x):\n    return x * x\ndef f():\n    context = multiprocessing.get_context('fork')\n"
                             "    with context.Pool(2) as pool:\n        return pool.map(square, [1, 2, 3])")
        self.assertEqual([1, 4, 9], self.value(worker, []))

    def test_threads_of_user_code_go_on(self):
        worker = self.worker("import threading, time\nhits = []\ndef f(start):\n    if start:\n        threading.Thread(target=lambda: [time.sleep(0.01) or hits.append(i) for i in range(3)]).start()\n    return len(hits)")
        self.assertEqual(0, self.value(worker, [True]))
        eventually(lambda: self.value(worker, [False]) == 3)

    def test_random_numbers_differ_between_workers(self):
        source = "import random\ndef f():\n    return random.random()"
        self.assertEqual(3, len({self.value(self.worker(source), []) for _ in range(3)}))


class Ring(WithZygote):
    def test_the_ring_wraps_at_every_offset(self):
        worker = self.worker("def f(n):\n    return 'v' * n")
        sizes = [random.Random(5).choice((0, 1, 2, 3, 50, 119, 120, 125, 126, 127, 128, 129, 300, 5000, 40000, 65000)) for _ in range(3000)]
        for start in range(0, len(sizes), 100):
            piece = sizes[start:start + 100]
            worker.sock.sendall(b"".join(worker.task([n]) for n in piece))
            found = []
            while len(found) < len(piece):
                for f in worker.stream.next():
                    found += worker.from_socket([f])
                found += worker.from_ring()
            self.assertEqual(sorted((start + i, n) for i, n in enumerate(piece)), sorted((r.index, len(r.value)) for r in found))
            for r in found:
                self.assertEqual("v" * len(r.value), r.value)
                self.assertEqual(([0, 0, 0, 0], 0, 0), (r.other_times, r.code, r.reserved))

    def test_a_full_ring_waits_and_loses_nothing(self):
        worker = self.worker("def f(i):\n    return [i, 'x' * 20000]")
        worker.sock.sendall(b"".join(worker.task([i]) for i in range(60)))
        time.sleep(0.2)
        written, started = worker.counters()
        self.assertLessEqual(written, worker.size)
        self.assertLess(started, 20)
        found = worker.from_ring()
        while len(found) < 60:
            time.sleep(0.01)
            found += worker.from_ring()
        self.assertEqual(list(range(60)), [r.value[0] for r in found])

    def test_a_worker_that_waits_for_room_ends_with_its_manager(self):
        worker = self.worker("def f(i):\n    return 'x' * 20000")
        worker.sock.sendall(b"".join(worker.task([i]) for i in range(60)))
        eventually(lambda: worker.counters()[1] > 10)
        worker.sock.close()
        self.assertEqual(0, self.zygote.exit_code(worker.pid))

    def test_large_results_and_arguments_go_both_ways(self):
        worker = self.worker("def f(text):\n    return text[::-1]")
        for length in (65536 - 128 - 2, 65536 - 128 - 1, 70000, 262144 - 64 - 2, 262144 - 64 - 1, 262144, 300000, 3 * 262144, 5000000):
            text = "".join(random.Random(length).choice("abcdef") for _ in range(1000)) * (length // 1000) + "z" * (length % 1000)
            self.assertEqual(text[::-1], self.value(worker, [text]))

    def test_a_segmented_task_keeps_its_place_among_small_ones(self):
        worker = self.worker("seen = []\ndef f(x):\n    seen.append(len(x))\n    return seen")
        big = worker.task(["x" * 600000])
        small = [worker.task(["y" * i]) for i in range(3)]
        pieces = [big[i:i + 262208] for i in range(0, len(big), 262208)]
        worker.sock.sendall(pieces[0] + small[0] + pieces[1] + small[1] + pieces[2] + small[2])
        self.assertEqual([[600000], [600000, 0], [600000, 0, 1], [600000, 0, 1, 2]], [r.value for r in sorted(worker.results(4), key=lambda r: r.index)])

    def test_arguments_and_results_beyond_the_limits(self):
        worker = self.worker("def f(x, n=0):\n    return 'r' * n", argument_limit=500000, result_limit=50000)
        result = worker.call(["x" * 600000])
        self.assertEqual(REJECTED, result.outcome)
        self.assertIn("500000", result.value["message"])
        for n in (60000, 100000, 1000000):
            result = worker.call(["x", n])
            self.assertEqual(TOO_LARGE, result.outcome)
            self.assertIn("50000", result.value["message"])
        self.assertEqual(10, len(self.value(worker, ["x", 10])))

    def test_a_short_result_is_readable_while_a_long_task_runs(self):
        worker = self.worker(SLEEP)
        worker.call([0])
        worker.sock.sendall(worker.task([0, "short"]) + worker.task([1.5, "long"]))
        begun = time.monotonic()
        found = []
        while not found:
            found = worker.from_ring()
            if time.monotonic() - begun > 1.2:
                break
        self.assertEqual(["short"], [r.value for r in found])
        self.assertEqual(["long"], [r.value for r in worker.results(1)])

    def test_results_of_tasks_of_a_few_milliseconds_are_announced_as_they_end(self):
        worker = self.worker(SLEEP)
        worker.call([0])
        worker.doorbells = 0
        worker.sock.sendall(b"".join(worker.task([0.02, i]) for i in range(5)))
        worker.results(5)
        self.assertGreaterEqual(worker.doorbells, 5)


class TakingBack(WithZygote):
    def test_tasks_taken_back_are_forgotten_without_an_answer(self):
        worker = self.worker(SLEEP)
        worker.sock.sendall(b"".join(worker.task([0.5 if i == 0 else 0, i]) for i in range(6)))
        eventually(lambda: worker.counters()[1] == 1)
        own = worker.skip(1, 4)
        self.assertEqual(1, own)
        self.assertEqual([0, 4, 5], [r.value for r in worker.results(3)])
        self.assertEqual("next", self.value(worker, [0, "next"]))
        self.assertEqual(7, worker.counters()[1])

    def test_every_task_is_either_answered_or_forgotten_and_none_above_started_is_answered(self):
        # Long enough for the manager's side to come in between, short enough for it to come at any point.
        worker = self.worker("def f(i):\n    for _ in range(i % 7 * 100):\n        pass\n    return i")
        chance = random.Random(11)
        count, forgotten = 64, 0
        deadline = time.monotonic() + 20
        # On a busy machine the worker is often through before the manager's side gets its turn.
        while forgotten < 300 and time.monotonic() < deadline:
            first = worker.sent
            last = first + count
            worker.sock.sendall(b"".join(worker.task([first + i]) for i in range(count)))
            busy_until = first + chance.randrange(count)
            while worker.counters()[1] < busy_until:
                pass
            skip_from = worker.counters()[1]
            started = worker.skip(skip_from, last)
            # As the last task of a round is forgotten more often than not, there may be no doorbell; `started` tells.
            eventually(lambda: worker.counters()[1] == last)
            worker.submit([-1])
            found = []
            while not found or found[-1].value != -1:
                worker.stream.next()
                found += worker.from_ring()
            answered = [r.index for r in found[:-1]]
            self.assertEqual(sorted(set(answered)), answered)
            self.assertFalse([n for n in answered if n >= started], "answered although the manager has taken it back")
            missing = set(range(first, last)) - set(answered)
            self.assertFalse([n for n in missing if n < skip_from], "lost without being taken back")
            forgotten += len(missing)
            self.assertEqual(forgotten, worker.forgotten())
        self.assertGreater(forgotten, 0)

    def test_a_segmented_task_taken_back_half_sent_does_not_block_the_next(self):
        worker = self.worker()
        big = worker.task(["x" * 600000])
        worker.sock.sendall(big[:262208])
        # 1 when the worker came to it between the two steps of taking back; then `forgotten` says that it will not be answered.
        self.assertIn(worker.skip(0, 1), (0, 1))
        self.assertEqual("next", self.value(worker, ["next"]))
        self.assertEqual(1, worker.forgotten())


class Cancelling(WithZygote):
    def cancel(self, number):
        return frame(CANCEL, task_id=task_id(number))

    def test_a_queued_task_is_cancelled_although_its_cancel_came_later(self):
        worker = self.worker(SLEEP)
        worker.sock.sendall(worker.task([0.1, 0]) + worker.task([0, 1]) + worker.task([0, 2]))
        eventually(lambda: worker.counters()[1] == 1)
        worker.sock.sendall(self.cancel(1))
        self.assertEqual([(0, VALUE), (1, CANCELLED), (2, VALUE)], [(r.index, r.outcome) for r in worker.results(3)])
        self.assertEqual(VALUE, worker.call([0], task_id=task_id(1)).outcome)

    def test_a_finished_task_is_not_answered_twice(self):
        worker = self.worker()
        self.value(worker, [1])
        worker.sock.sendall(self.cancel(0))
        self.assertEqual(2, self.value(worker, [2]))

    def test_a_half_sent_task_is_cancelled(self):
        worker = self.worker()
        big = worker.task(["x" * 600000])
        worker.sock.sendall(big[:262208] + self.cancel(0))
        self.assertEqual([CANCELLED], [r.outcome for r in worker.results(1)])
        worker.sock.sendall(big[262208:])
        self.assertEqual(2, self.value(worker, [2]))


class Ends(WithZygote):
    def end(self, source, arguments=()):
        worker = self.worker(source)
        worker.submit(list(arguments))
        return self.zygote.exit_code(worker.pid), worker

    def test_exit_statuses_and_signals_are_reported(self):
        self.assertEqual(5, self.end("import os\ndef f():\n    os._exit(5)")[0])
        self.assertEqual(-signal.SIGKILL, self.end("import os\ndef f():\n    os.kill(os.getpid(), 9)")[0])
        self.assertEqual(-signal.SIGABRT, self.end("import os\ndef f():\n    os.abort()")[0])

    def test_a_segmentation_fault_leaves_its_place_on_stderr(self):
        code, worker = self.end("import ctypes\ndef f():\n    ctypes.string_at(0)")
        self.assertEqual(-signal.SIGSEGV, code)
        out, err = worker.output()
        self.assertIn("Segmentation fault", err)
        self.assertIn("in f", err)

    def test_sigterm_ends_a_task_unless_it_is_handled(self):
        worker = self.worker(SLEEP)
        worker.submit([20])
        eventually(lambda: worker.counters()[1] == 1)
        os.killpg(worker.pid, signal.SIGTERM)
        self.assertEqual(-signal.SIGTERM, self.zygote.exit_code(worker.pid))

    def test_results_before_the_end_are_in_the_ring(self):
        worker = self.worker("import os\ndef f(i):\n    if i == 3:\n        os._exit(1)\n    return i")
        worker.sock.sendall(b"".join(worker.task([i]) for i in range(6)))
        self.zygote.exit_code(worker.pid)
        self.assertEqual([0, 1, 2], [r.value for r in worker.from_ring()])
        self.assertEqual(4, worker.counters()[1])

    def test_what_a_worker_left_behind_is_killed_with_it(self):
        worker = self.worker("import subprocess, os\ndef f():\n    return subprocess.Popen(['sleep', '1000']).pid")
        child = self.value(worker, [])
        worker.close = lambda: None
        worker.sock.close()
        self.zygote.exit_code(worker.pid)
        eventually(lambda: gone(child))

    def test_end_of_file_ends_the_worker_at_once(self):
        worker = self.worker()
        self.value(worker, [1])
        begun = time.monotonic()
        worker.sock.shutdown(manager.socket.SHUT_WR)
        self.assertEqual(0, self.zygote.exit_code(worker.pid))
        self.assertLess(time.monotonic() - begun, 10)

    def test_drain_finishes_what_is_there(self):
        worker = self.worker()
        worker.sock.sendall(b"".join(worker.task([i]) for i in range(50)) + frame(manager.DRAIN))
        self.assertEqual(list(range(50)), [r.value for r in worker.results(50)])
        self.assertEqual(0, self.zygote.exit_code(worker.pid))

    def test_malformed_frames_end_the_worker_with_a_message(self):
        for data, said in [
                (struct.pack("<I", 5) + bytes(60), "frame length 5"), (struct.pack("<I", 262209) + bytes(60), "frame length 262209"),
                (frame(200), "frame kind 200"), (frame(manager.HELLO), "frame kind 1 "), (frame(manager.FUNCTION, b"{"), "not a JSON object"),
                (frame(TASK, b"1234", manager.SEGMENTED), "first frame of a segmented body"),
                (frame(TASK, struct.pack("<Q", 5) + b"1234567", manager.SEGMENTED), "segmented body of 5 bytes"),
                (frame(TASK, struct.pack("<Q", 10) + b"12345", manager.SEGMENTED) + frame(manager.SEGMENT, b"123456", manager.LAST), "body of 10 bytes"),
                (frame(TASK, struct.pack("<Q", 10) + b"12345", manager.SEGMENTED) + frame(manager.SEGMENT, b"123", manager.LAST), "marked last")]:
            with self.subTest(said=said):
                worker = self.worker()
                worker.sock.sendall(data)
                self.assertEqual(76, self.zygote.exit_code(worker.pid))
                self.assertIn(said, worker.output()[1])

    def test_random_bytes_never_hang_a_worker(self):
        chance = random.Random(3)
        for _ in range(30):
            worker = self.worker()
            valid = bytearray(b"".join(worker.task([i]) for i in range(3)))
            for _ in range(chance.randrange(1, 6)):
                valid[chance.randrange(len(valid))] = chance.randrange(256)
            worker.sock.sendall(valid)
            worker.sock.shutdown(manager.socket.SHUT_WR)
            self.assertIn(self.zygote.exit_code(worker.pid), (0, 76))


class Zygotes(unittest.TestCase):
    def zygote(self, *arguments, **settings):
        zygote = manager.Zygote(*arguments, **settings)
        self.addCleanup(zygote.close)
        return zygote

    def test_sixty_four_workers_asked_for_at_once_come_in_that_order(self):
        zygote = self.zygote()
        for slot in range(64):
            zygote.request(slot)
        workers = [zygote.forked() for _ in range(64)]
        self.assertEqual([(slot, slot + 1) for slot in range(64)], [(w.forked.json["slot"], w.forked.ticket) for w in workers])
        self.assertEqual({w.pid for w in workers}, {w.hello["pid"] for w in workers})
        for worker in workers:
            worker.close()
        for worker in workers:
            self.assertEqual(0, zygote.exit_code(worker.pid))

    def test_preloaded_modules_are_there_and_a_failing_one_is_told(self):
        zygote = self.zygote(["decimal", "no_such_module_here", "fractions"])
        worker = zygote.fork()
        self.addCleanup(worker.close)
        self.assertEqual(1, len(zygote.notes))
        self.assertIn("preload of 'no_such_module_here' failed: ModuleNotFoundError", zygote.notes[0])
        worker.define(1, "import sys\nloaded = ['decimal' in sys.modules, 'fractions' in sys.modules]\ndef f():\n    return loaded")
        self.assertEqual([True, True], worker.call([]).value)
        worker.define(2, "def f():\n    import no_such_module_here")
        failure = worker.call([], function=2).value
        self.assertEqual("ModuleNotFoundError", failure["type"])
        self.assertIn("the preload of 'no_such_module_here' on this node failed", failure["message"])

    def preload_directory(self, source):
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        with open(os.path.join(directory.name, "odd_preload.py"), "w") as module:
            module.write(source)
        return dict(os.environ, PYTHONPATH=directory.name)

    def test_with_a_thread_running_workers_are_started_fresh(self):
        environment = self.preload_directory("import threading, time\nthreading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n")
        zygote = self.zygote(["odd_preload"], environment=environment)
        worker = zygote.fork()
        self.addCleanup(worker.close)
        self.assertEqual("spawn", worker.forked.json["isolation"])
        self.assertIn("1 threads", worker.forked.json["note"])
        worker.define(1, "import os, sys\ndef f():\n    print('out')\n    os.write(2, b'raw')\n    return 'odd_preload' in sys.modules")
        result = worker.call([])
        self.assertEqual((True, "out\n"), (result.value, result.stdout), "the fresh interpreter has imported the list itself")
        self.assertEqual(["", "raw"], worker.output())
        os.kill(worker.pid, signal.SIGKILL)
        self.assertEqual(-9, zygote.exit_code(worker.pid))

    def test_a_mapped_mpi_library_prevents_forks(self):
        environment = self.preload_directory("import mmap, os\nwith open(os.path.join(os.path.dirname(__file__), 'libmpi.so.40'), 'w+b') as f:\n"
                                             "    f.write(bytes(4096)); f.flush(); kept = mmap.mmap(f.fileno(), 4096)\n")
        zygote = self.zygote(["odd_preload"], environment=environment)
        worker = zygote.fork()
        self.addCleanup(worker.close)
        self.assertEqual(("spawn", "started fresh: the preloaded modules map libmpi.so.40"), (worker.forked.json["isolation"], worker.forked.json["note"]))
        worker.define(1, ECHO)
        worker.sock.sendall(b"".join(worker.task([i]) for i in range(100)))
        self.assertEqual(list(range(100)), [r.value for r in worker.results(100)])

    def test_a_fork_that_fails_is_refused_and_the_next_one_may_succeed(self):
        environment = self.preload_directory("import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (11, 1024))\n")
        zygote = self.zygote(["odd_preload"], environment=environment)
        zygote.request(slot=4)
        refused = zygote.next(manager.REFUSED)
        self.assertEqual((1, 4), (refused.ticket, refused.json["slot"]))
        self.assertIn("Too many open files", refused.json["reason"])
        import resource
        resource.prlimit(zygote.process.pid, resource.RLIMIT_NOFILE, (1024, 1024))
        worker = zygote.fork()
        self.addCleanup(worker.close)
        worker.define(1, ECHO)
        self.assertEqual(1, worker.call([1]).value)

    def test_a_preload_that_exits_does_not_end_the_zygote(self):
        zygote = self.zygote(["odd_preload"], environment=self.preload_directory("raise SystemExit(4)"))
        worker = zygote.fork()
        self.addCleanup(worker.close)
        self.assertIn("SystemExit", zygote.notes[0])

    def test_end_of_file_kills_the_workers_and_their_children(self):
        zygote = manager.Zygote()
        workers = [zygote.fork() for _ in range(3)]
        workers[0].define(1, "import subprocess\ndef f():\n    return subprocess.Popen(['sleep', '1000']).pid")
        child = workers[0].call([]).value
        workers[1].define(1, SLEEP)
        workers[1].submit([1000])
        zygote.close()
        self.assertEqual(0, zygote.process.returncode)
        for pid in [child] + [worker.pid for worker in workers]:
            eventually(lambda: gone(pid))
        for worker in workers:
            worker.close()

    def test_workers_die_with_a_killed_zygote(self):
        zygote = manager.Zygote()
        worker = zygote.fork()
        worker.define(1, SLEEP)
        worker.submit([1000])
        eventually(lambda: worker.counters()[1] == 1)
        zygote.process.kill()
        eventually(lambda: gone(worker.pid))
        zygote.close()
        worker.close()

    def test_workers_lead_their_own_sessions_and_hold_nothing_of_others(self):
        zygote = self.zygote()
        first, second = zygote.fork(), zygote.fork()
        for worker in (first, second):
            self.addCleanup(worker.close)
        self.assertEqual((second.pid, second.pid), (os.getsid(second.pid), os.getpgid(second.pid)))
        links = {int(d): os.readlink("/proc/%d/fd/%s" % (second.pid, d)) for d in os.listdir("/proc/%d/fd" % second.pid)}
        self.assertEqual("/dev/null", links[0])
        # 0, 1, 2, the socket, and the ring's own duplicate inside mmap.
        self.assertEqual(5, len(links), links)
        held = len(os.listdir("/proc/%d/fd" % zygote.process.pid))
        third = zygote.fork()
        self.addCleanup(third.close)
        # It closes what was the new one's after that has said hello.
        eventually(lambda: len(os.listdir("/proc/%d/fd" % zygote.process.pid)) <= held)

    def test_a_refusal_and_a_protocol_mismatch_end_the_process_with_the_reason(self):
        for kind, body, said in [(manager.REFUSED, {"reason": "wrong moon"}, "wrong moon"), (manager.WELCOME, {"version": "9", "protocol": 9}, "chose 9"),
                                 (manager.RESULT, {}, "welcome")]:
            ours, theirs = manager.socket.socketpair()
            process = subprocess.Popen([sys.executable, manager.WORKER, "--zygote"], stdin=theirs, stderr=subprocess.PIPE)
            theirs.close()
            ours.sendall(frame(kind, json.dumps(body).encode()))
            self.assertIn(said, process.communicate(timeout=10)[1].decode())
            self.assertEqual(76, process.returncode)
            ours.close()

    def test_without_a_socket_it_says_who_starts_it(self):
        process = subprocess.run([sys.executable, manager.WORKER, "--worker"], stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
        self.assertEqual(76, process.returncode)
        self.assertIn(b"funcx-manager", process.stderr)
        self.assertEqual(64, subprocess.run([sys.executable, manager.WORKER], stderr=subprocess.PIPE).returncode)


assert DOORBELL == 19

if __name__ == "__main__":
    unittest.main()
