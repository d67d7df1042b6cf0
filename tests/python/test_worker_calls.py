"""Tasks and functions as a manager sends them to a worker, and what comes back."""
import os
import pickle
import subprocess
import sys
import unittest

import played_manager as manager
from played_manager import JSON, OCTETS, PICKLE, RESULT, SYNC, now, task_id
from worker_case import ECHO, EXCEPTION, EXPIRED, REJECTED, SLEEP, VALUE, WithZygote, needed


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

    def test_what_the_function_gives_of_its_exception_goes_along_when_it_is_text_of_a_bounded_size(self):
        worker = self.worker("kept = ValueError('kept')\ndef f(value, again=False):\n    if not again: kept.__dict__['__funcx_carried__'] = value\n    raise kept")
        self.assertEqual({"type", "message", "traceback", "exception"}, set(worker.call(["abc"]).value))
        self.assertEqual("abc", worker.call(["abc"]).value["exception"])
        # It was of that task, not of the next one that raises the same object.
        for arguments in (["", True], [5], [["abc"]], ["\u20ac"], ["x" * 200000]):
            self.assertEqual("kept", self.failure(worker, arguments)["message"])

    def test_calling_with_the_wrong_arguments_is_a_type_error(self):
        worker = self.worker("def f(a):\n    return a")
        self.assertEqual("TypeError", self.failure(worker, [1, 2])["type"])

    def test_sigint_during_a_task_is_its_keyboard_interrupt(self):
        worker = self.worker("import os, signal, time\ndef f():\n    os.kill(os.getpid(), signal.SIGINT)\n    time.sleep(5)")
        self.assertEqual("KeyboardInterrupt", self.failure(worker, [])["type"])


if __name__ == "__main__":
    unittest.main()
