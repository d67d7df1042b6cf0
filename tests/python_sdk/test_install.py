"""What a new user does first: the tour's commands, without a network, and the tour itself in the virtual environment that they make."""
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import cluster
from test_tour import DOCS, SMALLER, as_run, blocks_of, log_in, run_page

cluster.only_in_the_long_run()

# Each run of the tour has a group and a label of its own.
CHANGES = (*SMALLER, ("spring-sweep", "installed-sweep"), ("campaign", "installation"))


class Install(unittest.TestCase):
    def test_the_tour_in_a_fresh_virtual_environment_without_a_network(self):
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
            environment.update(PYTHONUNBUFFERED="1", DOTNET_ROOT=cluster._environment().get("DOTNET_ROOT", ""))
            interpreter = os.path.join(home, "funcx-env", "bin", "python3")
            found = subprocess.run([interpreter, "-c", "import funcx; print(funcx.__file__)"], cwd=home, env=environment, capture_output=True, text=True)
            self.assertTrue(found.stdout.startswith(os.path.join(home, "funcx-env")), found.stdout + found.stderr)
            log_in(cluster.shared(), environment)
            run_page(self, DOCS / "tour.md", pathlib.Path(home), environment, interpreter, lambda text: as_run(text, CHANGES))
        left = [path.name for path in cluster.SDK.iterdir() if path.name in ("build", "dist") or path.suffix == ".egg-info"]
        self.assertEqual(left, [], "the installation leaves nothing in the source tree")


if __name__ == "__main__":
    unittest.main()
