"""What functions print, and what they may do to the process they run in."""
import unittest

from worker_case import ECHO, EXCEPTION, VALUE, WithZygote, eventually


class Output(WithZygote):
    def test_prints_belong_to_their_task(self):
        worker = self.worker("import sys\ndef f(text):\n    print(text)\n    print(text * 2, file=sys.stderr)\n    return text")
        worker.define(2, ECHO)
        worker.sock.sendall(worker.task(["a"]) + worker.task([1], function=2) + worker.task(["é\ud800"]))
        found = worker.results(3)
        self.assertEqual([("a\n", "aa\n"), ("", "")], [(r.stdout, r.stderr) for r in found[:2]])
        self.assertTrue(found[2].stdout.startswith("é"))
        self.assertEqual(["a", 1], [r.value for r in found[:2]])

    def test_the_output_of_a_failed_task_is_kept(self):
        worker = self.worker("def f():\n    print('before')\n    1 / 0")
        result = worker.call([])
        self.assertEqual((EXCEPTION, "before\n"), (result.outcome, result.stdout))

    def test_output_is_bounded_and_says_what_was_cut(self):
        worker = self.worker("import sys\ndef f(n):\n    for i in range(n):\n        sys.stdout.write('0123456789')\n    sys.stderr.write('é' * 1000)", output_limit=1000)
        result = worker.call([1000])
        self.assertTrue(result.stdout.startswith("0123456789" * 100 + "\n[funcx: 9000 bytes of output were cut; the limit is 1000]"))
        self.assertIn("[funcx: 1000 bytes of output were cut", result.stderr)
        self.assertEqual("0123456789" * 3, worker.call([3]).stdout)

    def test_large_output_goes_over_the_socket(self):
        worker = self.worker("def f(n):\n    print('x' * n, end='')\n    return n")
        for n in (100000, 900000):
            result = worker.call([n])
            self.assertEqual((n, n), (len(result.stdout), result.value))

    def test_raw_writes_reach_the_pipes(self):
        worker = self.worker("import os, subprocess\ndef f():\n    os.write(1, b'raw out')\n    subprocess.run(['sh', '-c', 'echo child >&2'])\n    return 1")
        result = worker.call([])
        self.assertEqual(("", ""), (result.stdout, result.stderr))
        self.assertEqual(["raw out", "child\n"], worker.output())

    def test_standard_streams_behave_as_programs_expect(self):
        worker = self.worker("""
import logging, sys, contextlib, io, subprocess
def f():
    sys.stdout.buffer.write(b'bytes\\n')
    sys.stdout.writelines(['a', 'b'])
    sys.stdout.flush()
    logging.warning('logged')
    with contextlib.redirect_stdout(io.StringIO()) as caught:
        print('hidden')
    subprocess.run(['echo', 'child'], stdout=sys.stdout)
    print('c', end='', flush=True)
    try:
        sys.stdout.write(5)
    except TypeError:
        print('d')
    return [caught.getvalue(), sys.stdin.read(), sys.stdout.isatty(), sys.stdout.encoding, sys.stdout.fileno()]
""")
        result = worker.call([])
        self.assertEqual(["hidden\n", "", False, "utf-8", 1], result.value)
        self.assertEqual(("bytes\nabcd\n", "WARNING:root:logged\n"), (result.stdout, result.stderr))
        self.assertEqual(["child\n", ""], worker.output())

    def test_closing_the_streams_and_descriptors_harms_nobody(self):
        worker = self.worker("import os, sys\ndef f(which):\n    if which == 1:\n        sys.stdout.close()\n        os.close(1)\n        os.close(2)\n        os.close(0)\n"
                             "    if which == 2:\n        sys.stdout = None\n        sys.stderr = 5\n    if which == 3:\n        os.closerange(3, 100)\n    print('still')\n    return which")
        self.assertEqual("still\n", worker.call([1]).stdout)
        self.assertEqual("still\n", worker.call([0]).stdout)
        worker.call([2])
        self.assertEqual("still\n", worker.call([0]).stdout)
        self.assertEqual("still\n", worker.call([3]).stdout)


class Surroundings(WithZygote):
    def test_the_working_directory_is_restored_between_tasks_of_one_burst(self):
        worker = self.worker("import os\ndef f(where):\n    before = os.getcwd()\n    if where:\n        os.chdir(where)\n    return [before, os.getcwd()]")
        worker.sock.sendall(worker.task(["/"]) + worker.task([""]))
        first, second = [r.value for r in worker.results(2)]
        self.assertEqual("/", first[1])
        self.assertEqual(first[0], second[0])

    def test_a_fork_in_user_code_makes_no_second_worker(self):
        worker = self.worker("""
import os, sys
def f(how):
    pid = os.fork()
    if pid == 0:
        print('from the child')
        if how == 'exit': sys.exit(3)
        if how == 'raise': raise ValueError('in the child')
        return 'child'
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) if hasattr(os, 'waitstatus_to_exitcode') else os.WEXITSTATUS(os.waitpid(pid, 0)[1])
""")
        for how, code in (("return", 0), ("exit", 3), ("raise", 1)):
            result = worker.call([how])
            self.assertEqual((VALUE, code), (result.outcome, result.value))
            out, err = worker.output()
            self.assertEqual("from the child\n", out)
            self.assertEqual(how == "raise", "ValueError: in the child" in err)
        self.assertEqual(0, worker.counters()[0] - worker.read)

    def test_multiprocessing_works(self):
        worker = self.worker("import multiprocessing\ndef square(x):\n    return x * x\ndef f():\n    context = multiprocessing.get_context('fork')\n"
                             "    with context.Pool(2) as pool:\n        return pool.map(square, [1, 2, 3])")
        self.assertEqual([1, 4, 9], self.value(worker, []))

    def test_threads_of_user_code_go_on(self):
        worker = self.worker("import threading, time\nhits = []\ndef f(start):\n    if start:\n        threading.Thread(target=lambda: [time.sleep(0.01) or hits.append(i) for i in range(3)]).start()\n    return len(hits)")
        self.assertEqual(0, self.value(worker, [True]))
        eventually(lambda: self.value(worker, [False]) == 3)

    def test_random_numbers_differ_between_workers(self):
        source = "import random\ndef f():\n    return random.random()"
        self.assertEqual(3, len({self.value(self.worker(source), []) for _ in range(3)}))


if __name__ == "__main__":
    unittest.main()
