"""What is installed, and where the generated code comes from."""
import importlib.util
import inspect
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

import cluster

load_tests = cluster.chosen

TOOL = cluster.SDK / "tools" / "regenerate_stubs.py"
REFERENCE_TOOL = cluster.SDK / "tools" / "make_reference.py"


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


class Reference(unittest.TestCase):
    """docs/reference.md, and what it is made of."""

    def test_it_is_what_the_package_says(self):
        with tempfile.TemporaryDirectory() as output:
            made = pathlib.Path(output) / "reference.md"
            done = subprocess.run([sys.executable, str(REFERENCE_TOOL), "--output", str(made)], capture_output=True, text=True)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            kept = cluster.SDK / "docs" / "reference.md"
            self.assertEqual(kept.read_text(encoding="utf-8"), made.read_text(encoding="utf-8"), "run sdk/python/tools/make_reference.py")
        self.assertEqual([name for name in cluster.funcx.__all__ if "`funcx.%s`" % name not in kept.read_text(encoding="utf-8")], [])

    def test_every_public_name_says_what_it_is(self):
        from funcx import registry
        silent = []
        public = {name: getattr(cluster.funcx, name) for name in cluster.funcx.__all__}
        public.update((name, getattr(registry, name)) for name in ("Functions", "Endpoints", "Groups"))
        for name, value in public.items():
            if isinstance(value, str):
                continue
            if not value.__doc__:
                silent.append(name)
            if not isinstance(value, type) or not value.__module__.startswith("funcx"):
                continue
            for member, held in vars(value).items():
                target = held.fget if isinstance(held, property) else getattr(held, "__func__", held)
                if not member.startswith("_") and inspect.isfunction(target) and not target.__doc__:
                    silent.append("%s.%s" % (name, member))
        self.assertEqual(silent, [])


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


#: A user's program. The type checker finds fault with the lines that say so, and with no other.
PROGRAM = """
import asyncio
import concurrent.futures
from typing import List

import funcx


@funcx.function(endpoint="laptop", walltime=60)
def cube(x: int) -> int:
    return x ** 3


def square(x: int) -> int:
    return x * x


def calls(executor: funcx.Executor) -> List[int]:
    future = executor.submit(square, 12)
    print(future.task_id or "not sent", future.group.upper(), future.cancel())
    base: concurrent.futures.Executor = executor
    concurrent.futures.wait([future, base.submit(square, 1)])
    try:
        return [future.result(timeout=5.0), *executor.map(square, range(10), ordered=False), cube.run(3)]
    except funcx.TaskError as error:
        print(error.task_id.upper(), error.code + 1, error.traceback or "")
    return []


def shell(client: funcx.Client) -> str:
    with funcx.Executor(client.endpoint("laptop"), client=client) as executor:
        retrying = executor.with_settings(walltime=60, retry=funcx.Retry(3, on=[OSError]))
        result: funcx.ShellResult = retrying.submit(funcx.ShellFunction(["wc", "{file}"]), file="/etc/hosts").result()
        return result.stdout + str(result.returncode)


async def later() -> None:
    async with funcx.AsyncExecutor("laptop") as executor:
        async for value in executor.map(square, range(3)):
            print(value)


def look(client: funcx.Client) -> None:
    for endpoint in client.endpoints.list():
        print(endpoint.name.upper(), endpoint.workers + 1)
    print(client.status("a-task").is_done, client.groups.get("g").failed + 1, client.function(square).id.upper())


def wrong(client: funcx.Client, executor: funcx.Executor) -> None:
    funcx.Client(trust=5)  # wrong
    funcx.Executor(5)  # wrong
    executor.submit()  # wrong
    executor.map(square, range(3), ordered="no", unknown=1)  # wrong
    client.status(5)  # wrong
    client.status("a-task").id + 1  # wrong
    funcx.Retry("3")  # wrong
    funcx.Settings(walltime="a minute")  # wrong
    client.submit(square, "laptop").task_id + 1  # wrong
    asyncio.run(later)  # wrong
    client.endpoints.list().colour  # wrong
    executor.submit(square, "12")  # wrong
    executor.submit(square, 12).result().upper()  # wrong
    for number in executor.map(square, range(3)):
        number.upper()  # wrong
    cube.submit(2).result().upper()  # wrong
    client.run(square, "laptop", 2).upper()  # wrong
    client.register_container(funcx.Container("c", {"docker": 5}))  # wrong
    funcx.Settings(container=5)  # wrong
"""


@cluster.in_the_long_run
class Types(unittest.TestCase):
    def test_the_package_and_its_use_are_typed(self):
        mypy = shutil.which("mypy")
        if mypy is None:
            self.skipTest("mypy is not installed")
        with tempfile.TemporaryDirectory() as directory:
            program = pathlib.Path(directory) / "program.py"
            program.write_text(PROGRAM)
            done = subprocess.run([mypy, "--config-file", "pyproject.toml", "--cache-dir", os.devnull, "--no-error-summary", "--no-color-output", "--no-pretty",
                                   "funcx", str(program)], capture_output=True, text=True, cwd=cluster.SDK)
        self.assertEqual(done.stderr, "")
        found = [line for line in done.stdout.splitlines() if ": error: " in line]
        self.assertEqual([line for line in found if not line.startswith(str(program))], [])
        lines = {int(re.match(r":(\d+): error: ", line[len(str(program)):]).group(1)) for line in found}
        self.assertEqual(lines, {number for number, line in enumerate(PROGRAM.splitlines(), 1) if line.endswith("# wrong")}, done.stdout)


if __name__ == "__main__":
    unittest.main()
