"""How a worker ends: by its function, by its manager, by what cannot be a frame."""
import os
import random
import signal
import struct
import time
import unittest

import played_manager as manager
from played_manager import TASK, frame
from worker_case import SLEEP, WithZygote, eventually, gone


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


if __name__ == "__main__":
    unittest.main()
