"""Calls that the channel cannot even begin."""
import threading
import unittest
from unittest import mock

import cluster
import funcx
import grpc

FUNCTION = funcx.Function("ab" * 32, "f")
ENDPOINT = funcx.Endpoint("an-id", "e")


class CannotBegin(unittest.TestCase):
    def setUp(self):
        self.client = funcx.Client("http://127.0.0.1:9", token="x", connect_timeout=0.3)
        self.addCleanup(self.client.close)

    def test_a_call_that_cannot_be_sent_fails_with_the_reason(self):
        for problem in (RuntimeError("can't start new thread"), ValueError("odd"), grpc.RpcError("no")):
            with self.subTest(problem=problem):
                self.client.connection.submit = mock.Mock(**{"future.side_effect": problem})
                with funcx.Executor(ENDPOINT, client=self.client) as executor:
                    error = executor.submit(FUNCTION, 1).exception(cluster.PATIENCE)
                    self.assertIsInstance(error, funcx.FuncXError)
                    self.assertRegex(str(error), r"Submitting 1 call\(s\) of function f failed before anything was sent: %s" % type(problem).__name__)
                    self.assertIs(error.__cause__, problem)
                    with self.assertRaisesRegex(funcx.FuncXError, "before anything was sent"):
                        list(executor.map(FUNCTION, range(25_000)))

    def test_a_cancellation_that_cannot_be_sent_holds_nothing_up(self):
        self.client.connection.tasks.Cancel = mock.Mock(**{"future.side_effect": RuntimeError("can't start new thread")})
        session = self.client.new_session("group")
        session.cancel_tasks(["a-task"])
        ending = threading.Thread(target=session.shutdown, kwargs={"wait": True, "cancel": True}, daemon=True)
        ending.start()
        ending.join(cluster.PATIENCE)
        self.assertFalse(ending.is_alive())


if __name__ == "__main__":
    unittest.main()
