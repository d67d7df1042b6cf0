"""The thread that uses the channel, and the stream of submissions: what goes over it, and what becomes of it when the stream ends."""
import itertools
import queue
import threading
import time
import unittest
from unittest import mock

import cluster
import funcx
import grpc
from funcx import errands
from funcx.errands import Errands
from funcx.v1 import tasks_pb2

PATIENCE = 30


class Over(grpc.RpcError):
    pass


class PlayedStream:
    """A stream as gRPC has one: it asks for messages on a thread of its own, and no more once it is over."""

    def __init__(self, messages, is_refused=False):
        self.sent = queue.SimpleQueue()
        self._replies = queue.SimpleQueue()
        self._is_over = threading.Event()
        self.cancelled = threading.Event()
        self.half_closed = threading.Event()
        if is_refused:
            self.break_off()
        threading.Thread(target=self._send, args=(messages,), daemon=True).start()

    def _send(self, messages):
        for message in messages:
            if self._is_over.is_set():
                return
            self.sent.put(message)
        self.half_closed.set()

    def cancel(self):
        self.cancelled.set()
        self.break_off()

    def answer(self, *ids, code=0):
        self._replies.put(tasks_pb2.SubmitReply(batch_ids=b"".join(ids), error_code=code))

    def break_off(self):
        self._is_over.set()
        self._replies.put(None)

    def __iter__(self):
        for reply in iter(self._replies.get, None):
            yield reply
        raise Over


class Played(unittest.TestCase):
    def setUp(self):
        self.streams = queue.SimpleQueue()
        self.is_refused = False
        self.errands = Errands(self.open)
        self.addCleanup(self.errands.outbox.put, None)
        self.heard = queue.SimpleQueue()
        self.ids = itertools.count(1)

    def open(self, messages):
        stream = PlayedStream(messages, self.is_refused)
        self.streams.put(stream)
        return stream

    def submit(self, size=10):
        """One message, as a session gives it; whether it went over the stream."""
        batch, went = next(self.ids).to_bytes(12, "big"), queue.SimpleQueue()
        self.errands.outbox.put(lambda: went.put(self.errands.offer(batch, batch + bytes(size), lambda accepted: self.heard.put((batch, accepted)))))
        return batch, went.get(timeout=PATIENCE)

    def stream(self):
        return self.streams.get(timeout=PATIENCE)

    def test_the_first_message_has_a_stream_opened_and_those_after_it_go_over_it(self):
        self.assertEqual(self.submit()[1], False)
        stream = self.stream()
        batch, went = self.submit()
        self.assertTrue(went and self.errands.is_streaming)
        self.assertEqual(stream.sent.get(timeout=PATIENCE)[:12], batch)
        other, _ = self.submit()
        stream.answer(other, batch)
        self.assertEqual([self.heard.get(timeout=PATIENCE) for _ in range(2)], [(other, True), (batch, True)])
        refused, _ = self.submit()
        stream.answer(refused, code=8)
        self.assertEqual(self.heard.get(timeout=PATIENCE), (refused, False))

    def test_a_large_message_and_one_of_another_thread_go_the_ordinary_way(self):
        self.submit()
        self.stream()
        self.assertTrue(self.submit()[1])
        self.assertFalse(self.submit(size=64 * 1024)[1])
        self.assertFalse(self.errands.offer(bytes(12), b"", self.fail))

    def test_what_a_broken_stream_has_not_answered_is_told_and_the_actions_go_on(self):
        self.submit()
        stream = self.stream()
        sent = [self.submit()[0] for _ in range(3)]
        stream.answer(sent[0])
        self.assertEqual(self.heard.get(timeout=PATIENCE), (sent[0], True))
        stream.break_off()
        self.assertEqual([self.heard.get(timeout=PATIENCE) for _ in range(2)], [(sent[1], False), (sent[2], False)])
        # The thread that gave messages may wait for an action still: none of them is lost to it.
        done = queue.SimpleQueue()
        for number in range(100):
            self.errands.outbox.put(lambda number=number: done.put(number))
        self.assertEqual(sorted(done.get(timeout=PATIENCE) for _ in range(100)), list(range(100)))

    def test_a_stream_that_was_refused_is_not_asked_for_with_each_call(self):
        self.is_refused = True
        self.submit()
        self.stream()
        begun = time.monotonic()
        opened = 0
        while time.monotonic() - begun < 0.5:
            self.assertFalse(self.submit()[1] and self.heard.get(timeout=PATIENCE)[1])
            opened += not self.streams.empty()
        self.assertLessEqual(opened, 1)
        self.is_refused = False
        while not self.submit()[1]:
            self.assertLess(time.monotonic() - begun, PATIENCE)
            time.sleep(0.05)

    def test_a_stream_that_nobody_uses_is_ended_and_opened_again_when_it_is(self):
        with mock.patch.object(errands, "_IDLE", 0.2):
            self.submit()
            stream = self.stream()
            batch, went = self.submit()
            self.assertTrue(went)
            # What is unanswered keeps it open.
            self.assertFalse(stream.cancelled.wait(0.6))
            stream.answer(batch)
            self.assertTrue(stream.cancelled.wait(PATIENCE))
            self.assertEqual(self.heard.get(timeout=PATIENCE), (batch, True))
            end = time.monotonic() + PATIENCE
            while not self.submit()[1] and time.monotonic() < end:
                pass
            self.assertIsNot(self.stream(), stream)

    def test_an_answer_that_cannot_be_taken_up_costs_no_other(self):
        def fail(_):
            raise RuntimeError("cannot start new thread")
        self.submit()
        stream = self.stream()
        self.errands.outbox.put(lambda: self.errands.offer(b"x" * 12, b"x" * 20, fail))
        batch, _ = self.submit()
        with self.assertLogs("funcx", "ERROR"):
            stream.break_off()
            self.assertEqual(self.heard.get(timeout=PATIENCE), (batch, False))
        self.submit()

    def test_a_client_that_is_gone_leaves_no_thread(self):
        before = set(threading.enumerate())
        for is_streaming in (False, True):
            made = Errands(self.open)
            if is_streaming:
                opened = queue.SimpleQueue()
                for _ in range(2):
                    made.outbox.put(lambda: opened.put(made.offer(bytes(12), bytes(20), lambda _: None)))
                self.assertEqual([opened.get(timeout=PATIENCE) for _ in range(2)], [False, True])
                stream = self.stream()
                made.outbox.put(None)
                stream.half_closed.wait(PATIENCE)
                stream.break_off()
            else:
                made.outbox.put(None)
        end = time.monotonic() + PATIENCE
        while set(threading.enumerate()) - before and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(set(threading.enumerate()) - before, set())

    def test_an_action_that_fails_ends_neither_the_stream_nor_the_thread(self):
        def fail():
            raise OSError("no thread can be started")
        with self.assertLogs("funcx", "ERROR"):
            self.errands.outbox.put(fail)
            self.submit()
            self.stream()
            self.errands.outbox.put(fail)
            self.assertTrue(self.submit()[1])


class Real(unittest.TestCase):
    def test_calls_one_after_the_other_go_over_the_stream(self):
        with cluster.shared().client() as client, funcx.Executor("test", client=client) as executor:
            running = client.connection.errands
            offer, went = running.offer, []

            def counted(*message):
                went.append(offer(*message))
                return went[-1]
            end = time.monotonic() + PATIENCE
            with mock.patch.object(running, "offer", counted):
                # Of those that wait for an answer some follow on from it, on the thread that read it.
                for number in itertools.count():
                    if went.count(True) >= 5 or time.monotonic() > end:
                        break
                    self.assertEqual(executor.submit(abs, -number).result(PATIENCE), number)
            self.assertGreaterEqual(went.count(True), 5)
            self.assertTrue(running.is_streaming)
            # What the service refuses on it has the same words as on a call of its own.
            gone = client.register_source("def gone(): pass", "gone")
            executor.submit(gone).result(PATIENCE)
            client.functions.delete(gone.id)
            with self.assertRaisesRegex(funcx.NotFound, "Submitting 1 call.s. of function gone to endpoint test: function .* was not found"):
                executor.submit(gone).result(PATIENCE)
        end = time.monotonic() + PATIENCE
        while running.is_streaming and time.monotonic() < end:
            time.sleep(0.01)
        self.assertFalse(running.is_streaming)


if __name__ == "__main__":
    unittest.main()
