"""Workers of another Python than the client's."""
import importlib.util
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import cluster
import captured_helpers
import funcx

cluster.only_in_the_long_run()

HERE = "%d.%d" % sys.version_info[:2]
MATCHING = '''
def sort(value):
    match value:
        case [first, *_]:
            return first
        case _:
            return None
'''


class Local:
    def __init__(self, value):
        self.value = value


def value_of(local):
    return local.value


class AnotherPython(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        pypy = shutil.which("pypy3")
        if pypy is None:
            raise unittest.SkipTest("pypy3 is not installed")
        cls.version = subprocess.run([pypy, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"], capture_output=True, text=True, check=True).stdout.strip()
        if cls.version == HERE:
            raise unittest.SkipTest("%s is of the client's version" % pypy)
        own = cluster.shared()
        cls.client = own.client()
        cls.addClassCleanup(cls.client.close)
        cls._start_endpoint(own, pypy)

    @classmethod
    def _start_endpoint(cls, own, python):
        configuration = own.directory / "other.yaml"
        configuration.write_text("\n".join([
            "name: other", "service: %s" % own.address, "state_dir: %s" % (own.directory / "other"), "provider: {type: local, nodes: 1}",
            "blocks: {min: 1, init: 1, max: 1}", "transport: tcp", "workers: {per_node: 1, python: %s, isolation: fork}" % python, ""]))
        configuration.chmod(0o600)
        program = cluster.Program([cluster.ENDPOINT, "start", "--config", str(configuration), "--token-file", str(own.token_file)], own.directory / "other.log")
        cls.addClassCleanup(program.stop)

        def is_there():
            if program.process.poll() is not None:
                raise AssertionError("funcx-endpoint ended with %d:\n%s" % (program.process.returncode, program.tail()))
            return any(found.name == "other" and found.online and found.managers for found in cls.client.endpoints.list())
        cluster.eventually(is_there, "the endpoint is online with a manager", seen=program.tail)

    def run_there(self, function, *args):
        return self.client.run(function, "other", *args)

    def test_sources_run_there_and_their_values_and_exceptions_come_back(self):
        def version():
            import sys
            return tuple(sys.version_info[:2])
        self.assertEqual("%d.%d" % self.run_there(version), self.version)
        square = captured_helpers.Square

        def grown(given):
            return square(given.length + 1), {1: given}
        back = self.run_there(grown, square(2))
        self.assertEqual(back, (square(3), {1: square(2)}))
        with self.assertRaises(captured_helpers.Overdrawn) as caught:
            self.run_there(captured_helpers.withdraw, "me", 5)
        self.assertEqual((caught.exception.account, caught.exception.__cause__.__cause__.args), ("me", ("me",)))

    def test_a_pickled_function_is_rejected_before_it_runs(self):
        function = self.client.register_function(value_of, strategy="pickle")
        with self.assertRaisesRegex(funcx.TaskRejected, r"(?s)python.*%s.*%s.*pickled under Python %s.*What would work: an endpoint whose workers.python is that, or strategy='source'"
                                    % (HERE.replace(".", r"\."), self.version.replace(".", r"\."), HERE.replace(".", r"\."))):
            self.run_there(function, 1)

    @unittest.skipIf(sys.version_info < (3, 10), "match is of Python 3.10")
    def test_source_that_it_cannot_read_is_rejected_before_it_runs(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / "matching.py"
            path.write_text(MATCHING)
            specification = importlib.util.spec_from_file_location("matching", path)
            module = importlib.util.module_from_spec(specification)
            specification.loader.exec_module(module)
            self.assertEqual(self.client.run(module.sort, "test", [7]), 7)
            with self.assertRaisesRegex(funcx.TaskRejected, r"(?s)python ?>= ?3\.10.*3\.9"):
                self.run_there(module.sort, [7])

    def test_arguments_by_value_are_refused_before_the_function_runs(self):
        try:
            import cloudpickle  # noqa: F401
        except ImportError:
            self.skipTest("cloudpickle is not installed")
        with self.assertRaisesRegex(RuntimeError, r"the arguments: pickled by value under Python %s, and this worker has Python %s.*What would work: .* or to mention their classes" % (HERE, self.version)):
            self.run_there(value_of, Local(5))

    def test_results_by_value_are_refused_there(self):
        with self.assertRaisesRegex(TypeError, r"(result \(of type function\) could only be pickled by value.*What would work|is not there)"):
            self.run_there(lambda given: (lambda: given), (1,))


if __name__ == "__main__":
    unittest.main()
