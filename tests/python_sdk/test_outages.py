"""A service that goes away and comes back."""
import collections
import threading
import time
import unittest
from unittest import mock

import cluster
import funcx
from funcx import errands

load_tests = cluster.chosen


def note(path, number):
    """Leaves a line each time it runs."""
    with open(path, "a") as file:
        file.write("%d\n" % number)
    return number


def identity(x):
    return x


class Outages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.own = cluster.shared()

    def setUp(self):
        self.addCleanup(self.own.ensure_service)

    def test_a_service_that_is_killed_in_the_middle_of_a_map_loses_and_doubles_nothing(self):
        with self.own.client() as client, funcx.Executor("test", client=client) as executor:
            count, chosen = (30_000, [8_000, 20_000]) if cluster.FULL else (2_000, [1_200])
            kills = []

            def source():
                for number in range(count):
                    if number in chosen:
                        self.own.service.kill()
                        kills.append(number)
                        timer = threading.Timer(0.3, self.own.start_service)
                        self.addCleanup(timer.join)
                        timer.start()
                    yield number
            values = list(executor.map(identity, source(), window=4_000 if cluster.FULL else 1_000))
            self.assertEqual(values, list(range(count)))
            self.assertEqual(kills, chosen)
            self.assertEqual(executor.status().tasks, count)

    @cluster.in_the_long_run
    def test_a_user_with_a_single_stream_still_has_the_results(self):
        self.own.service.stop()
        self.own.start_service("streams_per_user: 1")
        self.addCleanup(self.own.service.stop)
        # The stream of submissions comes first, and is ended when nobody uses it; then there is room for that of the results.
        with mock.patch.object(errands, "_IDLE", 0.5), self.own.client() as client, funcx.Executor("test", client=client) as executor:
            self.assertEqual([executor.submit(identity, number).result(cluster.PATIENCE) for number in range(3)], [0, 1, 2])

    @cluster.in_the_long_run
    def test_while_it_is_away_calls_wait_and_run_once_and_it_is_named_when_patience_ends(self):
        path = str(self.own.directory / "notes")
        with self.own.client() as client, self.own.client(retry_for=0.5) as impatient, funcx.Executor("test", client=client) as executor:
            self.assertEqual(executor.submit(note, path, -1).result(cluster.PATIENCE), -1)
            hasty = funcx.Executor("test", client=impatient)
            self.assertEqual(hasty.submit(identity, 1).result(cluster.PATIENCE), 1)
            futures = [executor.submit(note, path, number) for number in range(100)]
            self.own.service.kill()
            futures += [executor.submit(note, path, number) for number in range(100, 200)]
            begun = time.monotonic()
            with self.assertRaisesRegex(funcx.Unreachable, "Submitting 1 call.*cannot be reached"):
                hasty.submit(identity, 2).result(cluster.PATIENCE)
            self.assertLess(time.monotonic() - begun, 20)
            with self.assertRaises(funcx.Unreachable):
                next(hasty.map(identity, [1]))
            hasty.shutdown(cancel_futures=True)
            self.own.start_service()
            with funcx.Executor("test", client=impatient) as again:
                self.assertEqual(again.submit(identity, 3).result(cluster.PATIENCE), 3)
            self.assertEqual([future.result(cluster.PATIENCE) for future in futures], list(range(200)))
            self.assertEqual(client.endpoints.get("test").name, "test")
        with open(path) as file:
            ran = collections.Counter(int(line) for line in file)
        self.assertEqual(ran, collections.Counter(range(-1, 200)))


if __name__ == "__main__":
    unittest.main()
