"""Python 3.9 for the package and 3.8 for what runs on workers, by what can be told without these interpreters; PyPy is one of 3.9."""
import ast
import collections
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

import cluster

PACKAGE = cluster.SDK / "funcx"
#: Names of the standard library by the release that brought them, as its documentation says.
NAMES = {
    (3, 9): {"functools": "cache", "math": "lcm nextafter ulp", "asyncio": "to_thread", "typing": "Annotated", "ast": "unparse", "os": "pidfd_open waitstatus_to_exitcode",
             "types": "GenericAlias"},
    (3, 10): {"builtins": "aiter anext EncodingWarning", "contextlib": "aclosing", "inspect": "get_annotations", "itertools": "pairwise", "os": "eventfd splice",
              "sys": "orig_argv stdlib_module_names", "threading": "getprofile gettrace", "types": "NoneType EllipsisType NotImplementedType UnionType",
              "typing": "ParamSpec Concatenate TypeAlias TypeGuard is_typeddict", "statistics": "correlation covariance"},
    (3, 11): {"builtins": "BaseExceptionGroup ExceptionGroup", "asyncio": "TaskGroup Runner timeout timeout_at Barrier", "contextlib": "chdir", "datetime": "UTC",
              "enum": "StrEnum ReprEnum verify member nonmember", "hashlib": "file_digest", "inspect": "getmembers_static", "logging": "getLevelNamesMapping",
              "math": "cbrt exp2", "operator": "call", "sys": "exception",
              "typing": "Self Never LiteralString Required NotRequired Unpack TypeVarTuple reveal_type assert_type assert_never dataclass_transform get_overloads"},
    (3, 12): {"itertools": "batched", "math": "sumprod", "inspect": "BufferFlags markcoroutinefunction", "os": "unshare setns", "sys": "monitoring",
              "threading": "setprofile_all_threads settrace_all_threads", "types": "get_original_bases", "typing": "override TypeAliasType"},
    (3, 13): {"builtins": "PythonFinalizationError", "warnings": "deprecated", "queue": "ShutDown", "copy": "replace", "typing": "TypeIs ReadOnly NoDefault",
              "os": "process_cpu_count"},
}
#: Modules likewise, and methods, by their names alone.
MODULES = {"zoneinfo": (3, 9), "graphlib": (3, 9), "tomllib": (3, 11)}
METHODS = {"removeprefix": (3, 9), "removesuffix": (3, 9), "is_relative_to": (3, 9), "with_stem": (3, 9), "bit_count": (3, 10), "hardlink_to": (3, 10), "add_note": (3, 11)}
KEYWORDS = {("zip", "strict"): (3, 10), ("dataclass", "slots"): (3, 10), ("dataclass", "kw_only"): (3, 10), ("field", "kw_only"): (3, 10), ("bisect", "key"): (3, 10),
            ("bisect_left", "key"): (3, 10), ("glob", "root_dir"): (3, 10), ("rmtree", "onexc"): (3, 12), ("NamedTemporaryFile", "delete_on_close"): (3, 12),
            ("signature", "eval_str"): (3, 10), ("run", "process_group"): (3, 11), ("Popen", "process_group"): (3, 11)}


def newer_than(version, source):
    """What of a module's text came with a later Python, by line."""
    tree = ast.parse(source, feature_version=version)
    table = collections.defaultdict(set)
    for since, names in NAMES.items():
        if since > version:
            for module, words in names.items():
                table[module].update(words.split())
    methods = {name for name, since in METHODS.items() if since > version}
    aliases, found = {}, []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            aliases.update({alias.asname or alias.name: alias.name for alias in node.names})
            found += [(node.lineno, alias.name) for alias in node.names if MODULES.get(alias.name, (0,)) > version]
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found += [(node.lineno, "%s.%s" % (node.module, alias.name)) for alias in node.names if alias.name in table[node.module]]
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            module = aliases.get(node.value.id) if isinstance(node.value, ast.Name) else None
            if module and node.attr in table[module]:
                found.append((node.lineno, "%s.%s" % (module, node.attr)))
            elif node.attr in methods:
                found.append((node.lineno, "." + node.attr))
        elif isinstance(node, ast.Name) and node.id in table["builtins"]:
            found.append((node.lineno, node.id))
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            found += [(node.lineno, "%s(%s=)" % (called, keyword.arg)) for keyword in node.keywords
                      if KEYWORDS.get((called, keyword.arg), (0,)) > version]
    return found


class Language(unittest.TestCase):
    def test_the_package_uses_nothing_newer_than_39_and_what_travels_nothing_newer_than_38(self):
        paths = sorted(PACKAGE.rglob("*.py"))
        self.assertGreater(len(paths), 20)
        for path in paths:
            with self.subTest(path=path.name):
                self.assertEqual(newer_than((3, 8) if path.name == "_remote.py" else (3, 9), path.read_text()), [])

    def test_the_table_is_right_as_far_as_this_python_shows(self):
        for since, names in NAMES.items():
            for module, words in names.items():
                for name in words.split():
                    self.assertEqual(hasattr(importlib.import_module(module), name), sys.version_info >= since, "%s.%s" % (module, name))

    def test_newer_things_are_found(self):
        for source, said in (("from typing import Self", "typing.Self"), ("import itertools as i\ni.pairwise([])", "itertools.pairwise"), ("zip((), strict=True)", "zip(strict=)"),
                             ("ExceptionGroup", "ExceptionGroup"), ("e.add_note('')", ".add_note"), ("import tomllib", "tomllib")):
            with self.subTest(source=source):
                self.assertIn(said, [name for _, name in newer_than((3, 9), source)])
        self.assertEqual(newer_than((3, 8), "'a'.removeprefix('b')"), [(1, ".removeprefix")])
        with self.assertRaises(SyntaxError):
            newer_than((3, 9), "match 1:\n    case 1:\n        pass\n")


class Requirements(unittest.TestCase):
    def test_a_source_requires_the_python_that_can_read_it(self):
        from funcx.capture import capture

        def requirements(text):
            with tempfile.TemporaryDirectory() as directory:
                path = pathlib.Path(directory) / "written.py"
                path.write_text(text)
                specification = importlib.util.spec_from_file_location("written", path)
                module = importlib.util.module_from_spec(specification)
                specification.loader.exec_module(module)
                return capture(module.f, "source").requires
        self.assertEqual(requirements("def f(x):\n    return x if (y := x) else y\n"), ())
        if sys.version_info >= (3, 10):
            self.assertEqual(requirements("def g(x):\n    match x:\n        case 1:\n            return 2\n\ndef f(x):\n    return g(x)\n"), ("python>=3.10",))
        if sys.version_info >= (3, 11):
            self.assertEqual(requirements("def f(x):\n    try:\n        x()\n    except* ValueError:\n        pass\n"), ("python>=3.11",))


#: All modules, without grpcio and protobuf, and without symtable, which PyPy has not; then what travels, there and back.
ON_39 = """
import importlib, json, pkgutil, sys
from unittest import mock
assert sys.version_info[:2] == (3, 9), sys.version
for name in ("grpc", "google", "google.protobuf", "symtable"):
    sys.modules[name] = mock.MagicMock()
for name in ("containers", "endpoints", "functions", "tasks"):
    for kind in ("pb2", "pb2_grpc"):
        sys.modules["funcx.v1.%s_%s" % (name, kind)] = mock.MagicMock()
import funcx
for module in pkgutil.walk_packages(funcx.__path__, "funcx."):
    if not module.name.startswith("funcx.v1."):
        importlib.import_module(module.name)
from funcx import _remote, failures
from funcx.values import JSON, Codec
class Odd(Exception):
    def __init__(self, code, *, level):
        super().__init__("odd")
        self.code, self.level = code, level
def fail(code):
    raise Odd(code, level=(1, 2))
codec = Codec("ab" * 32, True, True, "e")
assert codec.decode(JSON, json.dumps(_remote.pack({1: (2, {3})}, _remote.dump)).encode()) == {1: (2, {3})}
try:
    _remote.wrap(fail)(5)
except Odd as problem:
    body = {"type": "Odd", "message": "odd", "traceback": "there", "exception": vars(problem).pop(_remote.CARRIED)}
error = failures.failure("t", failures.EXCEPTION, json.dumps(body).encode(), codec=codec)
assert (type(error), error.code, error.level, str(error)) == (Odd, 5, (1, 2), "odd"), error
print("done")
"""


#: A message there and back as a client makes it, with the slowest kind of protobuf, which has nothing but what is documented.
MESSAGES = """
import sys
from google.protobuf.internal import api_implementation
assert api_implementation.Type() == "python", api_implementation.Type()
import funcx
from funcx.batches import Target
from funcx.v1 import tasks_pb2
from funcx.values import JSON, Codec
target = Target(Codec("ab" * 32, True, True, "e"), "e", "g", funcx.Settings(walltime=5).to_message(), {"k": "v"}, funcx.Function("ab" * 32, "f"))
sent = tasks_pb2.SubmitRequest.FromString(target.request(b"x" * 12, JSON, ["[1]", "[22]"]))
assert (list(sent.lengths), sent.bodies, dict(sent.labels), sent.options.walltime_ms, sent.function_id) == ([3, 4], b"[1][22]", {"k": "v"}, 5000, "ab" * 32), sent
print("done")
"""


class Interpreter(unittest.TestCase):
    def test_messages_need_nothing_of_one_kind_of_protobuf(self):
        done = subprocess.run([sys.executable, "-B", "-W", "error::DeprecationWarning:funcx", "-c", MESSAGES], capture_output=True, text=True, cwd=cluster.SDK,
                              env={**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"})
        self.assertEqual((done.stdout, done.returncode), ("done\n", 0), done.stderr)

    def test_a_python_39_imports_all_of_it_and_reads_what_it_writes(self):
        pypy = shutil.which("pypy3")
        if pypy is None:
            self.skipTest("pypy3 is not installed")
        version = subprocess.run([pypy, "-c", "import sys; print(*sys.version_info[:2])"], capture_output=True, text=True).stdout.split()
        if version != ["3", "9"]:
            self.skipTest("%s is of Python %s" % (pypy, ".".join(version)))
        done = subprocess.run([pypy, "-B", "-W", "error::DeprecationWarning:funcx", "-c", ON_39], capture_output=True, text=True, cwd=cluster.SDK)
        self.assertEqual((done.stdout, done.returncode), ("done\n", 0), done.stderr)


if __name__ == "__main__":
    unittest.main()
