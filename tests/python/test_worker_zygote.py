"""The zygote as a manager sees it: forks, fresh starts, refusals, its end."""
import json
import os
import signal
import subprocess
import sys
import tempfile
import unittest

import played_manager as manager
from played_manager import frame
from worker_case import ECHO, SLEEP, eventually, gone


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


if __name__ == "__main__":
    unittest.main()
