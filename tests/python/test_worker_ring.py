"""The ring and the socket: large and small, a full ring, tasks that are taken back or cancelled."""
import random
import time
import unittest

from played_manager import CANCEL, frame, task_id
from worker_case import CANCELLED, REJECTED, SLEEP, TOO_LARGE, VALUE, WithZygote, eventually


class Ring(WithZygote):
    def test_the_ring_wraps_at_every_offset(self):
        worker = self.worker("def f(n):\n    return 'v' * n")
        sizes = random.Random(5).choices((0, 1, 2, 3, 50, 119, 120, 125, 126, 127, 128, 129, 300, 5000, 40000, 65000), k=3000)
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
            text = "".join(random.Random(length).choices("abcdef", k=1000)) * (length // 1000) + "z" * (length % 1000)
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


if __name__ == "__main__":
    unittest.main()
