import concurrent.futures
import resource
import threading
import time
import unittest
from unittest import mock

import cluster
import funcx
from funcx import mapping

load_tests = cluster.chosen


def same(x):
    return x


def slowly(pair):
    import time
    time.sleep(pair[1])
    return pair[0]


def add(a, b):
    return a + b


def picky(x):
    if x == 50:
        raise ValueError("not 50")
    return x


class Map(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.client = cluster.shared().client()
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        self.executor = funcx.Executor("test", client=self.client)
        self.addCleanup(self.executor.shutdown, cancel_futures=True)

    def test_values_come_in_the_order_of_the_items(self):
        count = 5_000 if cluster.FULL else 1_500
        self.assertEqual(list(self.executor.map(same, range(count))), list(range(count)))
        self.assertEqual(list(self.executor.map(slowly, [["a", 0.3], ["b", 0], ["c", 0]])), ["a", "b", "c"])

    def test_without_order_they_come_as_they_are_computed(self):
        values = list(self.executor.map(slowly, [["slow", 1.0]] + [[number, 0] for number in range(20)], ordered=False))
        self.assertEqual((values[-1], sorted(map(str, values[:-1]))), ("slow", sorted(map(str, range(20)))))

    def test_several_iterables_end_with_the_shortest(self):
        self.assertEqual(list(self.executor.map(add, [1, 2, 3], [10, 20])), [11, 22])
        self.assertEqual(list(self.executor.map(same, [])), [])

    def test_work_begins_before_anybody_takes_results(self):
        begun = threading.Event()

        def source():
            yield 1
            begun.set()
            yield 2
        values = self.executor.map(same, source())
        self.assertTrue(begun.wait(cluster.PATIENCE))
        self.assertEqual(list(values), [1, 2])

    def test_a_source_may_wait_for_earlier_results(self):
        answers = []

        def source():
            for number in range(5):
                yield number
                cluster.eventually(lambda: len(answers) > number, "result %d has come" % number)
        for value in self.executor.map(same, source()):
            answers.append(value)
        self.assertEqual(answers, list(range(5)))

    def test_a_source_is_read_as_far_as_the_window_reaches(self):
        furthest = [0]

        def source():
            for number in range(5_000):
                furthest[0] = number
                yield number
        values = self.executor.map(same, source(), window=300)
        self.assertEqual(next(values), 0)

        def stands_still():
            before = furthest[0]
            time.sleep(0.3)
            return furthest[0] == before
        cluster.eventually(stands_still, "no more is read")
        # Results are taken in runs, each no longer than the window.
        self.assertLess(furthest[0], 900)
        self.assertEqual([next(values) for _ in range(1_200)], list(range(1, 1_201)))
        self.assertGreater(furthest[0], 1_200)
        values.close()

    @cluster.in_the_long_run
    def test_a_long_generator_takes_constant_memory(self):
        furthest, count, first = [0], *((1_000_000, 100_000) if cluster.FULL else (25_000, 8_000))

        def source():
            for number in range(count):
                furthest[0] = number
                yield number
        values = self.executor.map(same, source(), window=5_000)
        self.assertEqual(next(values), 0)
        time.sleep(0.5)
        self.assertLess(furthest[0], 12_000)
        for _ in range(first):
            next(values)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        self.assertEqual(sum(1 for _ in values), count - first - 1)
        self.assertLess(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before, 20 * 1024)

    @cluster.in_the_long_run
    def test_large_results_bound_how_far_the_source_is_read(self):
        reach = mapping._FIRST_REACH if cluster.FULL else 512
        furthest, count = [0], 7 * reach

        def source():
            for number in range(count):
                furthest[0] = number
                yield number
        step = mock.patch.multiple(mapping, _FIRST_REACH=reach, _STEP=reach)
        step.start()
        self.addCleanup(step.stop)
        with mock.patch("funcx.executor._MAP_WINDOW_BYTES", 64 * 1024):
            values = self.executor.map(lambda number: "x" * 1_000, source())
        self.assertEqual(len(next(values)), 1_000)
        time.sleep(0.5)
        self.assertLess(furthest[0], 2.2 * reach)
        self.assertEqual(sum(1 for _ in values), count - 1)

    def test_the_exception_of_a_call_comes_in_its_place(self):
        values = self.executor.map(picky, range(100))
        seen = []
        with self.assertRaisesRegex(ValueError, "not 50"):
            for value in values:
                seen.append(value)
        self.assertEqual(seen, list(range(50)))
        self.assertEqual(list(values), [])

    def test_the_sources_own_exception_comes_after_what_was_read(self):
        def source():
            yield 1
            yield 2
            raise KeyError("source")
        values = self.executor.map(same, source())
        self.assertEqual([next(values), next(values)], [1, 2])
        with self.assertRaisesRegex(KeyError, "source"):
            next(values)

    def test_an_item_that_cannot_travel_fails_in_its_place(self):
        values = self.executor.map(same, [1, (2,), threading.Lock(), 4])
        self.assertEqual([next(values), next(values)], [1, (2,)])
        with self.assertRaises(funcx.NotSerialisable):
            next(values)

    def test_a_timeout_counts_from_the_call(self):
        values = self.executor.map(slowly, [["fast", 0], ["never", 60]], timeout=1.5)
        self.assertEqual(next(values), "fast")
        with self.assertRaises(concurrent.futures.TimeoutError):
            next(values)
        self.assert_nothing_runs()
        with self.assertRaises(concurrent.futures.TimeoutError):
            next(self.executor.map(slowly, [["never", 60]], timeout=0))

    def test_what_nobody_takes_is_cancelled(self):
        values = self.executor.map(slowly, ([number, 30 if number else 0] for number in range(10_000 if cluster.FULL else 500)))
        self.assertEqual(next(values), 0)
        values.close()
        self.assert_nothing_runs()
        del values
        self.executor.map(slowly, [["never", 60]])
        self.assert_nothing_runs()

    def assert_nothing_runs(self):
        def is_still():
            try:
                group = self.executor.status()
            except funcx.NotFound:
                return True
            return group.done == group.tasks
        cluster.eventually(is_still, "all tasks have ended")

    def test_chunks_are_accepted_and_a_call_stays_a_task(self):
        self.assertEqual(list(self.executor.map(same, range(100), chunksize=10)), list(range(100)))
        self.assertEqual(self.executor.status().tasks, 100)
        with self.assertRaisesRegex(ValueError, "chunksize must be >= 1"):
            self.executor.map(same, [1], chunksize=0)
        with self.assertRaisesRegex(ValueError, "window is 0"):
            self.executor.map(same, [1], window=0)

    @cluster.in_the_long_run
    def test_two_maps_at_once_do_not_mix(self):
        first, second = self.executor.map(same, range(3_000)), self.executor.map(str, range(3_000))
        pairs = list(zip(first, second))
        self.assertEqual(pairs, [(number, str(number)) for number in range(3_000)])

    @cluster.in_the_long_run
    def test_commands_over_many_arguments(self):
        echo = funcx.ShellFunction(["printf", "%s", "{word}"])
        self.assertEqual([result.stdout for result in self.executor.map(echo, ["a b", "$HOME", "c"])], ["a b", "$HOME", "c"])


if __name__ == "__main__":
    unittest.main()
