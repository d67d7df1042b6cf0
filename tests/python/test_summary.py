"""The summary of tests/run on made-up results: what makes a run fail, and what the last line says."""
import importlib.machinery
import json
import os
import subprocess
import sys
import tempfile
import unittest

SUMMARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib", "summary.py")

PASSED = {"name": "a.B.test_it", "outcome": "passed", "reason": "", "seconds": 0.5}


class SummaryTests(unittest.TestCase):
    def summarise(self, tests, seconds=10, limit=900, suites=("python",), kept=True):
        """`tests`: what the suites' result files say. Gives the exit status and the printed lines."""
        with tempfile.TemporaryDirectory() as directory:
            os.mkdir(os.path.join(directory, "notes"))
            path = os.path.join(directory, "python.json")
            if kept:
                with open(path, "w") as file:
                    json.dump(tests, file)
            with open(os.path.join(directory, "suites"), "w") as file:
                file.write("".join("%s\t%s\n" % (suite, path) for suite in suites))
            run = subprocess.run(
                [sys.executable, SUMMARY, "--results", directory, "--leftovers", os.path.join(directory, "nothing-runs-here"),
                 "--seconds", str(seconds), "--limit", str(limit)],
                stdout=subprocess.PIPE, check=False, universal_newlines=True)
            return run.returncode, run.stdout.splitlines()

    def test_a_run_whose_tests_passed_passes_also_when_it_took_just_as_long_as_it_may(self):
        for seconds in (10, 900):
            status, lines = self.summarise([PASSED], seconds)
            self.assertEqual((status, lines[-1]), (0, "1 passed, 0 failed"), lines)

    def test_a_run_that_took_too_long_fails_and_says_so(self):
        for seconds, limit in ((901, 900), (3601, 3600)):
            status, lines = self.summarise([PASSED], seconds, limit)
            self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed"), lines)
            self.assertIn("FAILED the time of the whole run: it took %d s; it may take %d s. The slowest areas are in the table below" % (seconds, limit), lines)

    def test_a_failure_is_shown_with_its_last_line_and_a_skip_with_its_reason(self):
        failed = dict(PASSED, name="a.B.test_other", outcome="failed", reason="Traceback\n...\nAssertionError: 1 != 2\n")
        skipped = dict(PASSED, name="a.B.test_third", outcome="skipped", reason="no GPU here")
        status, lines = self.summarise([PASSED, failed, skipped])
        self.assertEqual((status, lines[-1]), (1, "1 passed, 1 failed, 1 skipped"), lines)
        self.assertIn("FAILED a.B.test_other: AssertionError: 1 != 2", lines)
        self.assertIn("SKIPPED a.B.test_third: no GPU here", lines)

    def test_a_failed_assertion_of_several_lines_is_shown_whole_but_not_what_follows_without_end(self):
        summary = importlib.machinery.SourceFileLoader("summary", SUMMARY).load_module()
        line = summary.Line("FuncX.Tests.Unit", "Unit/A", "a", "failed", "1\n    should be\n0\n\n    but was not\n" + "log " * 1000 + "\n" * 50 + "end", 0.1)
        self.assertTrue(summary.shown(line).startswith("1 should be 0 but was not log log"), summary.shown(line))
        self.assertEqual(len(summary.shown(line)), 1000)
        self.assertEqual(summary.shown(line._replace(reason="")), "")

    def test_a_suite_without_its_result_file_and_a_run_without_tests_fail(self):
        status, lines = self.summarise([], kept=False)
        self.assertEqual((status, lines[-1]), (1, "0 passed, 1 failed"), lines)
        self.assertIn("FAILED python: left no readable result file", "\n".join(lines))
        for tests in ([], [dict(PASSED, outcome="skipped", reason="not here")]):
            status, lines = self.summarise(tests)
            self.assertEqual(status, 1, lines)
            self.assertIn("a run without tests proves nothing", "\n".join(lines))

    def test_all_parts_of_a_suite_count_for_its_areas(self):
        summary = importlib.machinery.SourceFileLoader("summary", SUMMARY).load_module()
        for part in ("", "-beside-suites", "-beside-scenarios", "-alone"):
            self.assertEqual(summary.area_of("FuncX.Tests.Integration" + part, "FuncX.Tests.Integration.Faults.KillTests"), "Integration/Faults")
            self.assertEqual(summary.area_of("FuncX.Tests.Mpi" + part, "FuncX.Tests.Mpi.AbortTests"), "Mpi/AbortTests")


if __name__ == "__main__":
    unittest.main()
