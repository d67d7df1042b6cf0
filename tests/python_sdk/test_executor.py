"""What the documentation of concurrent.futures promises, and what a task adds to it."""
import concurrent.futures
import functools
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from unittest import mock

import cluster
import captured_helpers
import funcx

load_tests = cluster.chosen


def double(x):
    return 2 * x


def fail(text):
    raise LookupError(text)


def snooze(seconds):
    import time
    time.sleep(seconds)
    return seconds


def mark(path, seconds):
    """Leaves a file when it has begun, and another when it came to its end."""
    import time
    open(path + ".begun", "w").close()
    time.sleep(seconds)
    open(path + ".ended", "w").close()


class ExecutorCase(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = cluster.shared()
        cls.client = cls.cluster.client()
        cls.addClassCleanup(cls.client.close)

    def executor(self, **options):
        made = funcx.Executor("test", client=self.client, **options)
        self.addCleanup(made.shutdown, cancel_futures=True)
        return made


class Futures(ExecutorCase):
    def test_it_is_an_executor_and_its_futures_are_futures(self):
        executor = self.executor()
        self.assertIsInstance(executor, concurrent.futures.Executor)
        future = executor.submit(double, 21)
        self.assertIsInstance(future, concurrent.futures.Future)
        self.assertEqual(future.result(), 42)
        self.assertTrue(future.done())
        self.assertFalse(future.cancelled() or future.running())
        self.assertIsNone(future.exception())
        self.assertFalse(future.cancel())

    def test_exceptions_are_raised_by_result_and_given_by_exception(self):
        future = self.executor().submit(fail, "lost")
        with self.assertRaisesRegex(LookupError, "lost"):
            future.result()
        self.assertIs(type(future.exception()), LookupError)

    def test_result_and_exception_wait_no_longer_than_their_timeout(self):
        future = self.executor().submit(snooze, 30)
        for wait in (future.result, future.exception):
            begun = time.monotonic()
            with self.assertRaises(concurrent.futures.TimeoutError):
                wait(timeout=0.1)
            self.assertLess(time.monotonic() - begun, 10)
        self.assertTrue(future.cancel())

    def test_callbacks_are_called_in_order_once_and_with_their_future(self):
        executor = self.executor()
        future = executor.submit(snooze, 0.1)
        called = []
        for number in range(3):
            future.add_done_callback(lambda done, number=number: called.append((number, done)))
        future.result()
        late = threading.Event()
        future.add_done_callback(lambda done: late.set())
        self.assertTrue(late.is_set())
        cluster.eventually(lambda: len(called) == 3, "all callbacks are called")
        self.assertEqual(called, [(0, future), (1, future), (2, future)])

    def test_an_exception_in_a_callback_is_logged_and_harms_nobody(self):
        executor = self.executor()
        reached = threading.Event()
        with self.assertLogs("concurrent.futures", level="ERROR") as logs:
            future = executor.submit(snooze, 0.1)
            future.add_done_callback(lambda done: 1 / 0)
            future.add_done_callback(lambda done: reached.set())
            self.assertTrue(reached.wait(cluster.PATIENCE))
        self.assertIn("ZeroDivisionError", "".join(logs.output))
        self.assertEqual(executor.submit(double, 1).result(), 2)

    def test_a_callback_may_submit(self):
        executor = self.executor(window=1)
        ended = concurrent.futures.Future()
        executor.submit(double, 1).add_done_callback(lambda done: executor.submit(double, done.result()).add_done_callback(lambda last: ended.set_result(last.result())))
        self.assertEqual(ended.result(cluster.PATIENCE), 4)

    def test_wait_and_as_completed(self):
        executor = self.executor()
        slow, fast = executor.submit(snooze, 0.5), executor.submit(double, 2)
        done, rest = funcx.wait([slow, fast], return_when=funcx.FIRST_COMPLETED)
        self.assertEqual((done, rest), ({fast}, {slow}))
        self.assertEqual([future.result() for future in funcx.as_completed([slow, fast])], [4, 0.5])
        failing, endless = executor.submit(fail, "x"), executor.submit(snooze, 60)
        done, rest = funcx.wait([failing, endless], return_when=funcx.FIRST_EXCEPTION)
        self.assertEqual((done, rest), ({failing}, {endless}))
        with self.assertRaises(concurrent.futures.TimeoutError):
            list(funcx.as_completed([endless], timeout=0.05))
        self.assertEqual(funcx.wait([fast, endless], timeout=0.05), ({fast}, {endless}))
        self.assertTrue(endless.cancel())
        self.assertEqual(funcx.wait([endless], timeout=10).done, {endless})
        # Those of other executors go along; one that is given twice comes once.
        with concurrent.futures.ThreadPoolExecutor() as threads:
            here = threads.submit(double, 1)
            self.assertCountEqual(funcx.as_completed([fast, here, fast, endless]), [fast, here, endless])

    def test_callbacks_of_a_cancelled_call_are_called(self):
        future = self.executor().submit(snooze, 60)
        called = []
        future.add_done_callback(lambda done: called.append(("before", done.cancelled())))
        self.assertTrue(future.cancel())
        future.add_done_callback(lambda done: called.append(("after", done.cancelled())))
        self.assertEqual(called, [("before", True), ("after", True)])

    def test_cancelling_takes_effect_here_at_once_and_ends_what_runs(self):
        executor = self.executor()
        path = str(self.cluster.directory / ("mark-%d" % time.time_ns()))
        future = executor.submit(mark, path, 60)
        cluster.eventually(lambda: os.path.exists(path + ".begun"), "it runs")
        called = []
        future.add_done_callback(called.append)
        self.assertTrue(future.cancel())
        self.assertTrue(future.cancelled() and future.done() and future.cancel())
        self.assertEqual(called, [future])
        for wait in (future.result, future.exception):
            with self.assertRaises(concurrent.futures.CancelledError):
                wait()
        cluster.eventually(lambda: self.client.status(future).outcome == "cancelled", "the service has cancelled it")
        self.assertFalse(os.path.exists(path + ".ended"))

    @cluster.in_the_long_run
    def test_a_call_that_was_cancelled_before_it_was_sent_never_leaves(self):
        executor = self.executor()
        executor.submit(double, 0).result()
        futures = [executor.submit(double, number) for number in range(200)]
        cancelled = [future for future in futures[::2] if future.cancel()]
        self.assertEqual([future.result() for future in futures[1::2]], [2 * number for number in range(200)][1::2])
        unsent = [future for future in cancelled if future.task_id is None]
        cluster.eventually(lambda: executor.status().done == executor.status().tasks, "nothing is left")
        self.assertLessEqual(executor.status().tasks, 201 - len(unsent))

    def test_keywords_named_like_parameters_of_submit_reach_the_function(self):
        def keywords(self, fn, **others):
            return [self, fn, others]
        self.assertEqual(self.executor().submit(keywords, self=1, fn=2, timeout=3).result(), [1, 2, {"timeout": 3}])

    def test_arguments_are_those_of_the_moment_of_the_call(self):
        executor = self.executor()
        given, futures = [0], []
        for number in range(50):
            given[0] = number
            futures.append(executor.submit(sum, given))
        self.assertEqual([future.result() for future in futures], list(range(50)))

    def test_methods_and_partials_are_captured_at_each_use(self):
        executor, square = self.executor(), captured_helpers.Square(2)
        self.assertEqual(executor.submit(square.area).result(), 4)
        square.length = 3
        self.assertEqual(executor.submit(square.area).result(), 9)
        clipped = functools.partial(captured_helpers.clipped, most=5)
        self.assertEqual(executor.submit(clipped, 9).result(), 5)
        clipped.keywords["most"] = 7
        self.assertEqual(executor.submit(clipped, 9).result(), 7)

    def test_what_cannot_be_sent_is_refused_by_submit(self):
        executor = self.executor()
        with self.assertRaises(funcx.NotSerialisable):
            executor.submit(double, threading.Lock())
        with self.assertRaises(TypeError):
            executor.submit(5, 1)
        self.assertEqual(executor.submit(double, 5).result(), 10)


class Shutdown(ExecutorCase):
    def test_no_calls_are_taken_after_it(self):
        executor = self.executor()
        executor.shutdown()
        executor.shutdown()
        for call in (lambda: executor.submit(double, 1), lambda: executor.map(double, [1])):
            with self.assertRaisesRegex(RuntimeError, "after shutdown"):
                call()

    def test_it_waits_for_all_calls(self):
        with self.executor() as executor:
            futures = [executor.submit(snooze, 0.2) for _ in range(3)]
        self.assertTrue(all(future.done() for future in futures))

    def test_without_wait_it_returns_at_once_and_results_come_nevertheless(self):
        executor = self.executor()
        future = executor.submit(snooze, 0.5)
        begun = time.monotonic()
        executor.shutdown(wait=False)
        self.assertFalse(future.done() and time.monotonic() - begun < 0.4)
        self.assertEqual(future.result(cluster.PATIENCE), 0.5)

    def test_cancel_futures_cancels_what_has_not_ended(self):
        executor = self.executor()
        done = executor.submit(double, 1)
        done.result()
        futures = [executor.submit(snooze, 60) for _ in range(100)]
        executor.shutdown(cancel_futures=True)
        self.assertEqual(done.result(), 2)
        self.assertTrue(all(future.cancelled() for future in futures))
        cluster.eventually(lambda: executor.status().done == executor.status().tasks, "nothing runs there any more")
        # Without waiting, too.
        executor = self.executor()
        future = executor.submit(snooze, 60)
        executor.shutdown(wait=False, cancel_futures=True)
        self.assertTrue(future.cancelled())
        with self.assertRaisesRegex(RuntimeError, "after shutdown"):
            executor.submit(double, 1)

    def test_a_map_that_was_begun_is_finished_by_the_end_of_the_with_block(self):
        with self.executor() as executor:
            values = executor.map(double, range(1_000), window=100)
        self.assertEqual(list(values), [2 * number for number in range(1_000)])

    def test_an_exception_leaves_the_with_block_as_it_is(self):
        with self.assertRaises(ZeroDivisionError):
            with self.executor() as executor:
                executor.submit(double, 1)
                1 / 0
        with self.assertRaises(RuntimeError):
            executor.submit(double, 1)


class Several(ExecutorCase):
    def test_fifty_threads_submit_through_one_executor(self):
        executor, items = self.executor(), 40 if cluster.FULL else 5
        seen, problems = {}, []

        def work(number):
            try:
                seen[number] = [future.result() for future in [executor.submit(double, 1_000 * number + item) for item in range(items)]]
            except BaseException as problem:
                problems.append(problem)
        threads = [threading.Thread(target=work, args=(number,)) for number in range(50)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(problems, [])
        self.assertEqual(seen, {number: [2 * (1_000 * number + item) for item in range(items)] for number in range(50)})
        self.assertEqual(executor.status().tasks, 50 * items)

    @cluster.in_the_long_run
    def test_executors_of_one_client_do_not_mix(self):
        executors = [self.executor() for _ in range(5)]
        futures = [[executor.submit(double, 10 * number + item) for item in range(20)] for number, executor in enumerate(executors)]
        for number, own in enumerate(futures):
            self.assertEqual([future.result() for future in own], [2 * (10 * number + item) for item in range(20)])
        self.assertEqual(len({executor.group for executor in executors}), 5)
        self.assertTrue(all(executor.status().tasks == 20 for executor in executors))

    @cluster.in_the_long_run
    def test_calls_travel_together_behind_an_unfinished_send(self):
        executor = self.executor()
        executor.submit(double, 0).result()
        futures = [executor.submit(double, number) for number in range(2_000)]
        self.assertEqual(sum(future.result() for future in futures), 2 * sum(range(2_000)))
        batches = {future.task_id.split("-")[0] for future in futures}
        self.assertLess(len(batches), 400)

    @cluster.in_the_long_run
    def test_submission_waits_when_too_many_calls_are_on_their_way(self):
        executor = self.executor(window=4)
        begun = time.monotonic()
        futures = [executor.submit(snooze, 0.15) for _ in range(12)]
        self.assertGreater(time.monotonic() - begun, 0.3)
        self.assertEqual([future.result() for future in futures], [0.15] * 12)

    def test_settings_of_some_calls(self):
        executor = self.executor(priority=1)
        with self.assertRaises(funcx.TaskTimeout):
            executor.with_settings(walltime=0.2).submit(snooze, 60).result(cluster.PATIENCE)
        self.assertEqual(executor.submit(double, 1).result(), 2)
        with self.assertRaisesRegex(TypeError, "'wallclock' is no setting of a call; there are accelerators, after, container, cores, deadline"):
            executor.with_settings(wallclock=3)
        with self.assertRaisesRegex(TypeError, "What a call needs of its worker is cores, memory and accelerators"):
            self.executor(gpus=1)

    def test_what_calls_need_of_their_worker(self):
        executor = self.executor()
        able = executor.with_settings(cores=1, memory="1MiB")
        self.assertEqual(able.submit(double, 2).result(cluster.PATIENCE), 4)
        self.assertEqual(list(able.map(double, range(3))), [0, 2, 4])
        self.assertEqual(executor.submit(double, 3).result(cluster.PATIENCE), 6)
        for needs, words in (({"cores": 9_999}, r"requires cores>=9999, and no manager of this endpoint has it: .* cores 1\b"),
                             ({"memory": "1000TiB"}, r"requires memory>=1048576000MiB, and .* memory \d+MiB"),
                             ({"accelerators": 1}, r"requires accelerators>=1, and .* accelerators 0\b")):
            with self.subTest(needs), self.assertRaisesRegex(funcx.TaskRejected, words):
                executor.with_settings(**needs).submit(double, 2).result(cluster.PATIENCE)
        with self.assertRaises(funcx.TaskRejected):
            list(executor.with_settings(accelerators=1).map(double, range(3)))
        for wrong in ({"cores": -1}, {"cores": "4"}, {"memory": "8GB"}, {"memory": 8}, {"accelerators": 0.5}):
            with self.subTest(wrong), self.assertRaises(ValueError):
                executor.with_settings(**wrong)

    def test_a_function_known_by_its_id_serves_calls_with_needs_too(self):
        executor = self.executor()
        registered = executor.client.register_source("def triple(x):\n    return 3 * x\n", "triple")
        self.assertEqual(executor.with_settings(cores=1).submit(registered.id, 2).result(cluster.PATIENCE), 6)
        command = funcx.ShellFunction(["echo", "{word}"])
        self.assertEqual(executor.with_settings(cores=1).submit(command, word="here").result(cluster.PATIENCE).stdout, "here\n")


class Reload(ExecutorCase):
    @cluster.in_the_long_run
    def test_a_group_is_had_again_with_values_and_exceptions(self):
        group = "again-%d" % time.time_ns()
        with self.executor(group=group) as executor:
            for number in range(30):
                executor.submit(double, number)
            executor.submit(fail, "seen")
        with cluster.shared().client() as other:
            with funcx.Executor("test", client=other, group=group) as again:
                futures = again.reload()
                values = [future.result(cluster.PATIENCE) for future in futures if future.exception(cluster.PATIENCE) is None]
                self.assertEqual(sorted(values), [2 * number for number in range(30)])
                self.assertEqual([str(future.exception()) for future in futures if future.exception()], ["seen"])
                self.assertEqual(again.submit(double, 100).result(cluster.PATIENCE), 200)
            with funcx.Executor("test", client=other) as third:
                self.assertEqual(len([future.result() for future in third.reload(group) if not future.exception(cluster.PATIENCE)]), 31)

    def test_a_killed_client_finds_its_calls_again(self):
        group = "killed-%d" % time.time_ns()
        script = "\n".join([
            "import sys", "sys.path.insert(0, %r)" % str(cluster.SDK), "import funcx",
            "client = funcx.Client(%r, token_file=%r)" % (self.cluster.address, str(self.cluster.token_file)),
            "executor = funcx.Executor('test', client=client, group=%r)" % group,
            "def slow(x):", "    import time", "    time.sleep(0.05)", "    return x * x",
            "futures = [executor.submit(slow, number) for number in range(40)]",
            "print(futures[3].result(), flush=True)", "sys.stdin.read()"])
        path = self.cluster.directory / ("killed-%d.py" % time.time_ns())
        path.write_text(script)
        process = subprocess.Popen([sys.executable, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            self.assertEqual(process.stdout.readline().strip(), b"9")
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
            process.stdin.close()
            process.stdout.close()
        futures = self.executor(group=group).reload()
        self.assertEqual([future.result(cluster.PATIENCE) for future in futures], [number * number for number in range(40)])

    def test_a_group_that_is_not_there(self):
        self.assertEqual(self.executor().reload("nothing-%d" % time.time_ns()), [])


class Login(ExecutorCase):
    def test_an_executor_without_a_client_has_one_of_the_stored_login_and_closes_it(self):
        with tempfile.TemporaryDirectory() as directory, mock.patch.dict(os.environ, {"FUNCX_CONFIG_DIR": directory}):
            path = os.path.join(directory, "credentials.json")
            token = self.cluster.token_file.read_text().strip()
            with open(path, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                json.dump({"current": self.cluster.address, "tokens": {self.cluster.address: token}}, file)
            with funcx.Executor("test") as executor:
                self.assertEqual(executor.submit(double, 4).result(), 8)
                self.assertFalse(executor.client.connection.closed.is_set())
            self.assertTrue(executor.client.connection.closed.is_set())
            late = funcx.Executor("test")
            future = late.submit(snooze, 0.3)
            late.shutdown(wait=False)
            self.assertEqual(future.result(cluster.PATIENCE), 0.3)
            cluster.eventually(late.client.connection.closed.is_set, "its client is closed")
            client = funcx.default_client()
            self.addCleanup(client.close)
            self.assertEqual(funcx.function(double, endpoint="test").run(6), 12)


class Processes(ExecutorCase):
    def test_a_forked_child_is_told(self):
        executor = self.executor()
        future = executor.submit(snooze, 0.5)
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            said = []
            for call in (lambda: executor.submit(double, 1), lambda: executor.map(double, [1]), future.result, future.cancel, self.client.functions.list):
                try:
                    call()
                    said.append("nothing")
                except funcx.ForkedProcess as problem:
                    said.append("told" if "forked from it" in str(problem) else str(problem))
                except BaseException as problem:
                    said.append(repr(problem))
            os.write(write, ",".join(said).encode())
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as answer:
            self.assertEqual(answer.read(), b"told,told,told,told,told")
        os.waitpid(child, 0)
        self.assertEqual(future.result(), 0.5)

    def test_interrupts_leave_the_executor_whole(self):
        executor = self.executor()
        executor.submit(double, 0).result()

        class Interrupt(BaseException):
            pass

        def submit_on():
            while True:
                futures.append(executor.submit(double, len(futures)))
                if len(futures) % 50 == 0:
                    futures[-1].result()

        def interrupt(_, frame):
            # Where the test takes one up, another would end the test.
            while frame is not None:
                if frame.f_code is submit_on.__code__:
                    raise Interrupt
                frame = frame.f_back
        previous = signal.signal(signal.SIGALRM, interrupt)
        futures = []
        try:
            for turn in range(12):
                # Again and again: one that falls into a finaliser is lost.
                signal.setitimer(signal.ITIMER_REAL, 0.002 + 0.001 * turn, 0.05)
                try:
                    submit_on()
                except Interrupt:
                    pass
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
        finally:
            signal.signal(signal.SIGALRM, previous)
        self.assertEqual([future.result(cluster.PATIENCE) for future in futures], [2 * number for number in range(len(futures))])
        self.assertEqual(executor.submit(double, 3).result(cluster.PATIENCE), 6)

    @cluster.in_the_long_run
    def test_a_program_that_ends_without_shutdown_has_submitted_all(self):
        group = "ended-%d" % time.time_ns()
        script = "\n".join([
            "import sys", "sys.path.insert(0, %r)" % str(cluster.SDK), "import funcx",
            "client = funcx.Client(%r, token_file=%r)" % (self.cluster.address, str(self.cluster.token_file)),
            "executor = funcx.Executor('test', client=client, group=%r)" % group,
            "futures = [executor.submit(abs, -number) for number in range(3000)]"])
        done = subprocess.run([sys.executable, "-c", script], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.client.groups.get(group).tasks, 3_000)

    def test_a_program_that_fails_in_the_middle_of_a_map_ends(self):
        script = "\n".join([
            "import sys", "sys.path.insert(0, %r)" % str(cluster.SDK), "import funcx",
            "client = funcx.Client(%r, token_file=%r)" % (self.cluster.address, str(self.cluster.token_file)),
            "def main():", "    with funcx.Executor('test', client=client) as executor:", "        values = executor.map(abs, [-1, -2, -3])",
            "        for value in values:", "            print(1 // (value - 2))", "main()"])
        done = subprocess.run([sys.executable, "-c", script], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout), (1, "-1\n"))
        self.assertRegex(done.stderr, r"^Traceback[^\x00]*ZeroDivisionError: integer division or modulo by zero\n$")


if __name__ == "__main__":
    unittest.main()
