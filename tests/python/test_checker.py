"""The checker on made-up runs: it must see what it is there to see."""
import base64
import json
import os
import subprocess
import sys
import tempfile
import unittest

CHECKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "checker.py")
SECOND = 1_000_000_000

# worker, zygote, spawner, manager, endpoint, init
FIRST = "101,100,91,90,50,1"
SIBLING = "102,100,91,90,50,1"
OTHER = "201,200,191,190,50,1"


class CheckerTests(unittest.TestCase):
    def check(self, executions, kills=(), attempts=9):
        """`executions`: per task the (where, second) of each start. Every task has its right outcome."""
        with tempfile.TemporaryDirectory() as directory:
            tasks = os.path.join(directory, "tasks", "0")
            os.makedirs(tasks)
            for number, starts in enumerate(executions):
                with open(os.path.join(tasks, str(number)), "w") as file:
                    for where, second in starts:
                        file.write("start %d %s %d\n" % (number, where, second * SECOND))
                    file.write("end %d %s %d\n" % (number, starts[-1][0], starts[-1][1] * SECOND + 1))
            told = " ".join("%d:1:%s" % (n, base64.b64encode(b"%d" % (n * n + 7)).decode()) for n in range(len(executions)))
            for name, text in (
                    ("submissions", "plan b 0 %d\naccepted b\n" % len(executions)),
                    ("outcomes", "1 %s\n" % told),
                    ("attempts", "".join("%d 3 1 %d\n" % (n, attempts) for n in range(len(executions)))),
                    ("kills", "".join("%s %d %d %d\n" % (kind, pid, second * SECOND, may_lose) for kind, pid, second, may_lose in kills))):
                with open(os.path.join(directory, name), "w") as file:
                    file.write(text)
            run = subprocess.run(
                [sys.executable, CHECKER, "--journal", directory, "--tasks", directory,
                 "--attempts", os.path.join(directory, "attempts"), "--kills", os.path.join(directory, "kills")],
                stdout=subprocess.PIPE, check=False)
            report = json.loads(run.stdout)
            self.assertEqual(run.returncode, 1 if report["errors"] else 0)
            return report

    def test_one_execution_each_is_right(self):
        report = self.check([[(FIRST, 1)], [(OTHER, 1)]])
        self.assertEqual((report["errors"], report["executions"]), (0, {"1": 2}))

    def test_an_execution_lost_with_its_worker_its_zygote_or_its_manager_may_be_repeated(self):
        for kind, pid in (("worker", 101), ("zygote", 100), ("manager", 90)):
            report = self.check([[(FIRST, 1), (OTHER, 3)]], [(kind, pid, 2, 1)])
            self.assertEqual((report["first_errors"], report["lost_with"]), ([], {kind: 1}))

    def test_a_repeat_after_the_kill_of_a_client_a_service_or_an_endpoint_is_an_error(self):
        for kind, pid in (("client", 70), ("service", 60), ("endpoint", 50)):
            report = self.check([[(FIRST, 1), (OTHER, 3)]], [(kind, pid, 2, 1000)])
            self.assertIn("in workers that no kill took along", report["first_errors"][0])

    def test_a_superseded_endpoint_may_cost_what_the_service_had_handed_out_to_it(self):
        tasks = [[(FIRST, 1), (FIRST, 3)], [(FIRST, 1), (FIRST, 4)]]
        self.assertEqual(self.check(tasks, [("superseded", 50, 2, 2)])["errors"], 0)
        self.assertEqual(self.check(tasks, [("superseded", 50, 2, 1)])["errors"], 2)

    def test_a_repeat_of_what_another_worker_ran_is_an_error(self):
        report = self.check([[(FIRST, 1), (OTHER, 3)]], [("worker", 102, 2, 0)])
        self.assertEqual(report["errors"], 1)

    def test_a_worker_costs_one_execution_and_no_more(self):
        report = self.check([[(FIRST, 1), (OTHER, 4)], [(FIRST, 2), (OTHER, 5)]], [("worker", 101, 3, 0)])
        self.assertIn("cost worker 101 2 executions instead of 1", report["first_errors"][0])

    def test_a_zygote_costs_one_execution_per_worker(self):
        report = self.check([[(FIRST, 1), (OTHER, 4)], [(SIBLING, 2), (OTHER, 5)]], [("zygote", 100, 3, 0)])
        self.assertEqual((report["first_errors"], report["lost_with"]), ([], {"zygote": 2}))

    def test_managers_cost_no_more_than_was_in_flight_at_them(self):
        tasks = [[(FIRST, 1), (OTHER, 3)] for _ in range(40)]
        self.assertEqual(self.check(tasks, [("manager", 90, 2, 36)])["errors"], 0)
        self.assertIn("39 were in flight", self.check(tasks, [("manager", 90, 2, 35)])["first_errors"][0])

    def test_an_ancestor_that_died_before_the_worker_saw_it_is_known_from_a_sibling(self):
        report = self.check([[(SIBLING, 1)], [("101,100", 1), (OTHER, 3)]], [("manager", 90, 2, 5)])
        self.assertEqual(report["errors"], 0)

    def test_more_starts_than_attempts_is_an_error(self):
        report = self.check([[(FIRST, 1), (OTHER, 3)]], [("worker", 101, 2, 0)], attempts=1)
        self.assertIn("started 2 times in 1 attempts", report["first_errors"][0])
