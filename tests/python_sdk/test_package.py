"""What is installed, and where the generated code comes from."""
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

import cluster

TOOL = cluster.SDK / "tools" / "regenerate_stubs.py"


class Stubs(unittest.TestCase):
    def test_they_are_what_the_proto_files_say(self):
        with tempfile.TemporaryDirectory() as output:
            done = subprocess.run([sys.executable, str(TOOL), "--output", output], capture_output=True, text=True)
            if "not on the path" in done.stderr:
                self.skipTest(done.stderr.strip())
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            made = {path.name: path.read_bytes() for path in (pathlib.Path(output) / "funcx" / "v1").iterdir()}
        kept = {path.name: path.read_bytes() for path in (cluster.SDK / "funcx" / "v1").iterdir() if path.is_file()}
        self.assertEqual(sorted(made), sorted(kept))
        self.assertEqual([name for name in made if made[name] != kept[name]], [], "run sdk/python/tools/regenerate_stubs.py")


class Build(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        specification = importlib.util.spec_from_file_location("funcx_build", cluster.SDK / "build_backend" / "funcx_build.py")
        cls.backend = importlib.util.module_from_spec(specification)
        specification.loader.exec_module(cls.backend)

    def test_a_wheel_holds_the_package_and_is_the_same_each_time(self):
        with tempfile.TemporaryDirectory() as first, tempfile.TemporaryDirectory() as second:
            name = self.backend.build_wheel(first)
            self.assertEqual(self.backend.build_wheel(second), name)
            data = (pathlib.Path(first) / name).read_bytes()
            self.assertEqual(data, (pathlib.Path(second) / name).read_bytes())
            with zipfile.ZipFile(pathlib.Path(first) / name) as wheel:
                names = wheel.namelist()
                metadata = wheel.read("funcx-0.1.0.dist-info/METADATA").decode()
        self.assertEqual(name, "funcx-0.1.0-py3-none-any.whl")
        for needed in ("funcx/__init__.py", "funcx/py.typed", "funcx/_remote.py", "funcx/capture/source.py", "funcx/v1/tasks_pb2.py", "funcx-0.1.0.dist-info/RECORD"):
            self.assertIn(needed, names)
        self.assertFalse([found for found in names if "test" in found or "__pycache__" in found])
        requirements = [line for line in metadata.splitlines() if line.startswith("Requires-Dist: ") and "extra" not in line]
        self.assertEqual(requirements, ["Requires-Dist: grpcio>=1.51", "Requires-Dist: protobuf>=3.21"])
        self.assertIn("Requires-Python: >=3.9", metadata)

    def test_the_version_is_one(self):
        import funcx
        self.assertEqual(self.backend._project()["version"], funcx.__version__)

    def test_pip_installs_it_without_a_network(self):
        if importlib.util.find_spec("pip") is None:
            self.skipTest("pip is not installed")
        with tempfile.TemporaryDirectory() as target:
            environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
            environment.update(PIP_NO_INDEX="1", PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_ROOT_USER_ACTION="ignore", PIP_NO_CACHE_DIR="1")
            done = subprocess.run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-compile", "--target", target, str(cluster.SDK)],
                                  capture_output=True, text=True, env=environment)
            self.assertEqual(done.returncode, 0, done.stderr)
            seen = subprocess.run([sys.executable, "-c", "import funcx; print(funcx.__file__, funcx.Executor.__name__)"], capture_output=True, text=True,
                                  env={**os.environ, "PYTHONPATH": target}, cwd=target)
            self.assertEqual((seen.stdout.split(), seen.stderr), ([os.path.join(target, "funcx", "__init__.py"), "Executor"], ""))
        self.assertFalse([path for path in cluster.SDK.iterdir() if path.name in ("build", "dist") or path.suffix == ".egg-info"])


if __name__ == "__main__":
    unittest.main()
