import math
import os
import time
import unittest

import cluster
import captured_helpers
import funcx

load_tests = cluster.chosen

NUMBER = 5
SAMPLES = cluster.PROGRAMS / "FuncX.Cli" / "FuncX.Samples.dll"


def add(a, b=NUMBER):
    return a + b


def scaled(value):
    return NUMBER * value


def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


def is_even(n):
    return n == 0 or is_odd(n - 1)


def is_odd(n):
    return n != 0 and is_even(n - 1)


def gathered(value, into=[]):  # noqa: B006
    into.append(value)
    return into


def noisy(value):
    print("printed", value)
    raise ValueError("wrong: %s" % value)


def nested_error(key):
    try:
        {}[key]
    except KeyError as cause:
        raise RuntimeError("outer") from cause


def open_missing():
    open("/no/such/file")


def snooze(seconds):
    import time
    time.sleep(seconds)
    return seconds


class Calls(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = cluster.shared().client()
        cls.addClassCleanup(cls.client.close)

    def run_there(self, function, *args, **kwargs):
        return self.client.run(function, "test", *args, **kwargs)

    def test_functions_lambdas_closures_and_classes(self):
        step = 3
        self.assertEqual(self.run_there(add, 1), 6)
        self.assertEqual(self.run_there(add, 1, b=2), 3)
        self.assertEqual(self.run_there(lambda x: x + step, 4), 7)
        self.assertEqual(self.run_there(captured_helpers.Square(5).area), 25)
        self.assertEqual(self.run_there(pow, 2, 10), 1024)

    def test_globals_recursion_and_defaults(self):
        self.assertEqual(self.run_there(scaled, 3), 15)
        self.assertEqual(self.run_there(factorial, 25), math.factorial(25))
        self.assertEqual([self.run_there(is_even, number) for number in (7, 10)], [False, True])
        self.assertEqual(self.run_there(gathered, 3)[-1], 3)
        self.assertEqual(self.run_there(gathered, 4, into=[1, 2]), [1, 2, 4])

        def down(n):
            return [n] + down(n - 1) if n else [0]
        self.assertEqual(self.run_there(down, 3), [3, 2, 1, 0])

        def unending(n):
            return unending(n + 1)
        with self.assertRaisesRegex(RecursionError, "maximum recursion depth"):
            self.run_there(unending, 0)

    def test_values_come_back_as_they_were(self):
        for value in (None, True, 1.5, "\u00e9\u4e2d", [1, [2]], {"a": {"b": None}}, (1, (2,)), {1: {2}}, b"\x00\xff", float("inf"), complex(1, 2), range(4)):
            with self.subTest(value=value):
                back = self.run_there(lambda given: given, value)
                self.assertEqual((back, type(back)), (value, type(value)))

    def test_instances_of_own_classes_go_and_come(self):
        square = captured_helpers.Square

        def grown(given):
            return square(given.length + 1)
        back = self.run_there(grown, square(2))
        self.assertIs(type(back), square)
        self.assertEqual(back.length, 3)

    def test_numpy_values(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("numpy is not installed")
        given = numpy.arange(12.0).reshape(3, 4)
        back = self.run_there(lambda array: array * 2, given)
        self.assertTrue((back == 2 * given).all())
        # JSON in, an array out.
        self.assertEqual(self.run_there(lambda n: numpy.zeros(n, dtype="int16"), 3).dtype, numpy.int16)
        self.assertEqual(self.run_there(lambda n: numpy.float32(n), 3), 3.0)

    def test_pandas_values(self):
        try:
            import pandas
        except ImportError:
            self.skipTest("pandas is not installed")
        times = pandas.date_range("2024-02-28", periods=3, freq="D", tz="UTC")
        frame = pandas.DataFrame({"a": [1, 2, 3], "b": pandas.Categorical(["x", "y", "x"]), "c": [0.5, None, 1.5]}, index=times)

        def summed(given, scale):
            import pandas
            return given[given.a > 1], given.groupby("b", observed=True).a.sum() * scale, pandas.Timestamp(given.index[1])
        rows, sums, time = self.run_there(summed, frame, 10)
        pandas.testing.assert_frame_equal(rows, frame[frame.a > 1])
        self.assertEqual(sums.to_dict(), {"x": 40, "y": 20})
        self.assertEqual(time, pandas.Timestamp("2024-02-29", tz="UTC"))

    def test_large_arguments_and_results(self):
        data = os.urandom((8 if cluster.FULL else 1) * 1024 * 1024)
        self.assertEqual(self.run_there(lambda given: given[::-1], data), data[::-1])
        # Above what one message carries: fetched in pieces.
        size = (40 if cluster.FULL else 17) * 1024 * 1024
        back = self.run_there(lambda n: (n, bytes(n)) if n > 20_000_000 else (n, "0" * n), size)
        self.assertEqual((back[0], len(back[1]), back[1].count(0 if cluster.FULL else "0")), (size, size, size))

    def test_arguments_above_the_services_limit_are_refused_with_its_name(self):
        with self.assertRaisesRegex(funcx.Refused, "payload_bytes"):
            self.run_there(len, bytes(11 * 1024 * 1024))

    def test_exceptions_are_of_their_type_with_the_remote_traceback_as_cause(self):
        with self.assertRaisesRegex(ValueError, "^wrong: 7$") as caught:
            self.run_there(noisy, 7)
        self.assertIs(type(caught.exception), ValueError)
        cause = caught.exception.__cause__
        self.assertIsInstance(cause, funcx.RemoteTraceback)
        self.assertIn('raise ValueError("wrong: %s" % value)', str(cause))
        self.assertNotIn("funcx runtime", str(cause))
        self.assertEqual(cause.stdout, "printed 7\n")

    def test_causes_stand_in_the_remote_traceback(self):
        with self.assertRaisesRegex(RuntimeError, "outer") as caught:
            self.run_there(nested_error, "k")
        self.assertRegex(str(caught.exception.__cause__), r"(?s)KeyError: 'k'.*direct cause.*RuntimeError: outer")

    def test_exceptions_that_say_more_than_a_text(self):
        with self.assertRaises(FileNotFoundError) as caught:
            self.run_there(open_missing)
        self.assertEqual((caught.exception.errno, caught.exception.filename), (2, "/no/such/file"))
        with self.assertRaises(KeyError) as caught:
            self.run_there(lambda: {}["a key"])
        self.assertEqual(caught.exception.args, ("a key",))
        with self.assertRaises(ZeroDivisionError):
            self.run_there(lambda: 1 / 0)

    def test_exceptions_of_own_classes(self):
        with self.assertRaises(captured_helpers.Overdrawn) as caught:
            self.run_there(captured_helpers.withdraw, "me", 5)
        self.assertEqual(str(caught.exception), "account me lacks 5")

    def test_an_exception_of_an_unknown_class_says_its_name(self):
        source = "class Odd(Exception): pass\ndef f():\n    raise Odd('so')\n"
        function = self.client.register_source(source, "f")
        with self.assertRaisesRegex(funcx.RemoteError, "raised Odd: so") as caught:
            self.run_there(function)
        self.assertEqual((caught.exception.type, caught.exception.outcome), ("Odd", "exception"))

    def test_a_result_that_cannot_travel_says_why(self):
        with self.assertRaisesRegex(TypeError, r"the result \(of type generator\) is not JSON and cannot be pickled"):
            self.run_there(lambda n: (i for i in range(n)), 3)

    def test_a_generator_is_refused_before_anything_is_sent(self):
        def numbers():
            yield 1
        with self.assertRaisesRegex(funcx.NotSerialisable, "is a generator"):
            self.run_there(numbers)

    @cluster.in_the_long_run
    def test_a_pickled_function_runs_with_its_python_and_is_rejected_elsewhere(self):
        try:
            import cloudpickle  # noqa: F401
        except ImportError:
            self.skipTest("cloudpickle is not installed")
        here = self.client.register_function(add, strategy="pickle")
        self.assertEqual(self.run_there(here, 1), 6)
        elsewhere = self.client.register_function(add, requires=["python>=3.99"], strategy="pickle")
        with self.assertRaisesRegex(funcx.TaskRejected, r"(?s)python.*3\.99.*What would work: an endpoint whose workers.python is that, or strategy='source'"):
            self.run_there(elsewhere, 1)

    def test_commands(self):
        count = funcx.ShellFunction(["wc", "-c", "{file}"])
        result = self.run_there(count, "/etc/hostname")
        self.assertIsInstance(result, funcx.ShellResult)
        self.assertTrue(result.ok)
        self.assertEqual(int(result.stdout.split()[0]), os.stat("/etc/hostname").st_size)
        script = funcx.ShellFunction("echo $word >&2; printf '\\1\\377' > out.bin; exit 3", parameters=["word"], outputs=["out.bin", "gone.txt"])
        result = self.run_there(script, word="it is; rm -rf /")
        self.assertEqual((result.returncode, result.stderr, dict(result.files), tuple(result.missing)), (3, "it is; rm -rf /\n", {"out.bin": b"\x01\xff"}, ("gone.txt",)))
        failing = funcx.ShellFunction(["false"], check=True)
        with self.assertRaisesRegex(funcx.RemoteError, "CommandFailed"):
            self.run_there(failing)
        with self.assertRaisesRegex(TypeError, "one text for /bin/sh"):
            funcx.ShellFunction(["a"], shell=True)

    @cluster.in_the_long_run
    def test_dotnet_methods(self):
        if not SAMPLES.exists():
            self.skipTest("%s is not built" % SAMPLES)
        function = self.client.register_dotnet(SAMPLES, "FuncX.Samples::FuncX.Samples.Numbers::Square")
        self.assertEqual(self.run_there(function, 12), 144)

    def test_status_result_and_cancellation_by_id(self):
        future = self.client.submit(add, "test", (1,))
        self.assertEqual(future.result(), 6)
        status = self.client.status(future.task_id)
        self.assertEqual((status.state, status.outcome, status.attempts), ("done", "value", 1))
        self.assertLess(status.times["worker_started"], status.times["result_committed"])
        self.assertTrue(status.is_done)
        self.assertEqual(self.client.result(future.task_id), 6)
        long = self.client.submit(snooze, "test", (60,))
        cluster.eventually(lambda: long.task_id and self.client.status(long).state == "dispatched", "it is dispatched")
        with self.assertRaises(TimeoutError):
            self.client.result(long.task_id, timeout=0.05)
        self.assertEqual(self.client.cancel(long), 1)
        with self.assertRaises(funcx.TaskCancelled):
            long.result(cluster.PATIENCE)

    @cluster.in_the_long_run
    def test_settings(self):
        with self.assertRaises(funcx.TaskTimeout) as caught:
            self.client.submit(snooze, "test", (60,), settings=funcx.Settings(walltime=0.2)).result(cluster.PATIENCE)
        self.assertIsInstance(caught.exception, TimeoutError)
        with self.assertRaises(funcx.TaskExpired):
            self.client.submit(add, "test", (1,), settings=funcx.Settings(deadline=time.time() - 1)).result(cluster.PATIENCE)
        first = self.client.submit(noisy, "test", (1,))
        self.assertIsNotNone(first.exception(cluster.PATIENCE))
        with self.assertRaisesRegex(funcx.TaskRejected, "did not run"):
            self.client.submit(add, "test", (1,), settings=funcx.Settings(after=[first])).result(cluster.PATIENCE)
        for wrong in (funcx.Settings(priority=300), funcx.Settings(walltime=0), funcx.Settings(max_attempts=-1)):
            with self.assertRaises(ValueError):
                self.client.submit(add, "test", (1,), settings=wrong)

    @cluster.in_the_long_run
    def test_a_failing_function_is_retried_when_asked_for(self):
        def fails_first(path):
            import os
            if not os.path.exists(path):
                open(path, "w").close()
                raise OSError("not yet")
            return "done"
        path = str(cluster.shared().directory / "retried")
        with self.assertRaises(OSError):
            self.run_there(fails_first, path + "-no")
        settings = funcx.Settings(retry=funcx.Retry(2, on=[OSError]))
        self.assertEqual(self.client.submit(fails_first, "test", (path,), settings=settings).result(cluster.PATIENCE), "done")

    @cluster.in_the_long_run
    def test_groups_and_labels(self):
        with cluster.shared().client(group="labelled-%d" % os.getpid()) as client:
            self.assertEqual(sum(future.result() for future in client.batch(add, "test", [(1,), (2,)], funcx.Settings(labels={"campaign": "spring"}))), 13)
            group = client.groups.get(client.group)
            self.assertEqual((group.tasks, group.done, group.failed, dict(group.labels)), (2, 2, 0, {"campaign": "spring"}))
            client.groups.label(client.group, {"more": "1"}, remove=["campaign"])
            self.assertEqual([found.name for found in client.groups.list(["more"], prefix="labelled-")], [client.group])
            self.assertEqual([task.outcome for task in client.groups.tasks(client.group, "done")], ["value", "value"])
            self.assertIn(client.group, [found.name for found in client.groups.recent()])

    def test_functions_and_endpoints(self):
        function = self.client.register_function(add, name="add-numbers", description="adds")
        self.assertEqual(self.client.functions.get(function.id[:10]).name, "add-numbers")
        self.assertEqual(self.client.run("add-numbers", "test", 1), 6)
        self.assertIn(b"def add", self.client.functions.code(function.id))
        self.assertIn(function.id, [found.id for found in self.client.functions.list(1_000)])
        other = self.client.register_function(lambda: 0, name="short-lived")
        self.client.functions.delete(other)
        with self.assertRaises(funcx.NotFound):
            self.client.functions.get(other.id)
        endpoint = self.client.endpoints.get("test")
        self.assertTrue(endpoint.online and endpoint.is_own)
        self.assertEqual(endpoint.workers, 2)
        with self.assertRaisesRegex(funcx.NotFound, "Endpoint 'nowhere'"):
            self.client.run(add, "nowhere", 1)

    def test_a_live_function_is_registered_once_and_again_after_its_deletion(self):
        first = self.client.function(add)
        self.assertIs(self.client.function(add), first)
        loop = [self.client.function(lambda x: x + 17) for _ in range(3)]
        self.assertIs(loop[2], loop[0])
        self.client.functions.delete(loop[0])
        self.assertIsNot(self.client.function(lambda x: x + 17), loop[0])

        def deleted():
            return "again"
        self.client.functions.delete(self.client.function(deleted))
        self.assertEqual(self.run_there(deleted), "again")

    @cluster.in_the_long_run
    def test_a_foreign_user_sees_nothing(self):
        token = cluster.shared().user("stranger")
        with funcx.Client(cluster.shared().address, token=token) as stranger:
            with self.assertRaises(funcx.NotFound):
                stranger.endpoints.get("test")
        with self.assertRaises(funcx.NotAuthorised):
            funcx.Client(cluster.shared().address, token="fxt_wrong").functions.list()

    def test_an_absent_service_is_named(self):
        with funcx.Client("http://127.0.0.1:9", token="x", connect_timeout=0.3) as client:
            with self.assertRaisesRegex(funcx.Unreachable, "Listing functions: the service at http://127.0.0.1:9 cannot be reached"):
                client.functions.list()
            with self.assertRaises(funcx.Unreachable):
                client.submit(funcx.Function("ab" * 32, "f"), funcx.Endpoint("an-id", "e"), (1,)).result(cluster.PATIENCE)

    @cluster.in_the_long_run
    def test_a_closed_client_says_so_to_whoever_waits(self):
        client = cluster.shared().client()
        future = client.submit(snooze, "test", (30,))
        cluster.eventually(lambda: future.task_id and list(self.client.groups.list(prefix=client.group)), "the service has it")
        client.close()
        with self.assertRaisesRegex(funcx.FuncXError, "client was closed"):
            future.result(10)
        with self.assertRaisesRegex(funcx.FuncXError, "client was closed"):
            client.functions.list()
        with self.assertRaises((funcx.FuncXError, RuntimeError)):
            client.submit(add, "test", (1,))
        self.client.cancel(group=client.group)

    def test_clients_and_executors_cannot_travel(self):
        client = self.client
        with self.assertRaisesRegex(funcx.NotSerialisable, "a Client cannot travel"):
            self.run_there(lambda: client.address)


if __name__ == "__main__":
    unittest.main()
