"""What a new user does first: the tour's commands in a fresh virtual environment without a network, and a call through what is installed."""
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import cluster
from test_tour import DOCS, blocks_of

cluster.only_in_the_long_run()

PROGRAM = """
import sys
import funcx

def where(name):
    import os
    return name, os.getpid()

with funcx.Executor("test", client=funcx.Client(sys.argv[1], token_file=sys.argv[2])) as executor:
    name, process = executor.submit(where, "there").result()
print(funcx.__file__)
print(name)
"""


class Install(unittest.TestCase):
    def test_the_commands_of_the_tour_work_without_a_network(self):
        for module, package in (("ensurepip", "python3-venv"), ("venv", "python3-venv")):
            if importlib.util.find_spec(module) is None:
                self.skipTest("%s is not installed" % package)
        commands = "\n".join(next(block for block in blocks_of(DOCS / "tour.md") if block.info == "sh").code)
        self.assertIn("pip install sdk/python", commands)
        with tempfile.TemporaryDirectory(prefix="funcx-install-") as home:
            environment = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "FUNCX_", "VIRTUAL_ENV"))}
            # A user's home that nothing was ever installed in, and no index to ask.
            environment.update(HOME=home, PIP_NO_INDEX="1", PIP_NO_CACHE_DIR="1", PATH=os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"])
            done = subprocess.run(["/bin/sh", "-e", "-c", commands], cwd=cluster.REPOSITORY, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                  stderr=subprocess.STDOUT, text=True, timeout=5 * cluster.PATIENCE)
            self.assertEqual(done.returncode, 0, done.stdout)
            self.assertNotIn("WARNING", done.stdout)
            program = pathlib.Path(home) / "program.py"
            program.write_text(PROGRAM)
            shared = cluster.shared()
            done = subprocess.run([os.path.join(home, "funcx-env", "bin", "python3"), str(program), shared.address, str(shared.token_file)], cwd=home, env=environment,
                                  capture_output=True, text=True, timeout=cluster.PATIENCE)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            installed, name = done.stdout.split()
            self.assertTrue(installed.startswith(os.path.realpath(home) + os.sep), installed)
            self.assertEqual(name, "there")
        left = [path.name for path in cluster.SDK.iterdir() if path.name in ("build", "dist") or path.suffix == ".egg-info"]
        self.assertEqual(left, [], "the installation leaves nothing in the source tree")


if __name__ == "__main__":
    unittest.main()
