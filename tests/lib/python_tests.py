"""Runs the unittest tests of a directory and writes what became of each as JSON: [{name, outcome, reason, seconds}, ...]."""
import argparse
import json
import sys
import time
import unittest


class Recorder(unittest.TextTestResult):
    """Keeps one line per test; a failing subtest is a line of its own."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.lines = []
        self._begun = 0.0
        self._settled = False

    def startTest(self, test):
        super().startTest(test)
        self._begun = time.monotonic()
        self._settled = False

    def _settle(self, test, outcome, reason=""):
        self._settled = True
        self.lines.append({
            "name": test.id(), "outcome": outcome, "reason": reason, "seconds": time.monotonic() - self._begun,
        })

    def addSuccess(self, test):
        super().addSuccess(test)
        if not self._settled:
            self._settle(test, "passed")

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self._settle(test, "failed", self._exc_info_to_string(err, test))

    def addError(self, test, err):
        super().addError(test, err)
        self._settle(test, "failed", self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self._settle(subtest, "failed", self._exc_info_to_string(err, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._settle(test, "skipped", reason)

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self._settle(test, "passed")

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self._settle(test, "failed", "passed although it is marked as an expected failure")


def chosen(suite, text):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from chosen(test, text)
        elif text.lower() in test.id().lower():
            yield test


def main():
    options = argparse.ArgumentParser()
    options.add_argument("--directory", required=True)
    options.add_argument("--output", required=True)
    options.add_argument("--filter", default="")
    options = options.parse_args()
    print(f"python {sys.version.split()[0]} ({sys.executable})")
    suite = unittest.TestSuite(chosen(unittest.defaultTestLoader.discover(options.directory), options.filter))
    result = unittest.TextTestRunner(resultclass=Recorder, verbosity=0, stream=sys.stdout).run(suite)
    with open(options.output, "w", encoding="utf-8") as output:
        json.dump(result.lines, output)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
