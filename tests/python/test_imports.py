"""Who imports whom inside funcx_worker."""
import ast
import unittest
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "endpoint" / "workers" / "python" / "funcx_worker"
MODULES = {path.stem for path in PACKAGE.glob("*.py")}


def imported_names(node):
    """What an import statement may bring in, in full: `from . import a` is funcx_worker.a, which may be a module or a name of __init__."""
    if isinstance(node, ast.Import):
        return [name.name for name in node.names]
    base = [PACKAGE.name] if node.level else []
    base = ".".join(base + ([node.module] if node.module else []))
    return [base] + ["%s.%s" % (base, name.name) for name in node.names]


def imported_modules(source):
    """The modules of the package that a source imports, relative or absolute, wherever in it the import stands. Any of them brings in __init__."""
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, (ast.Import, ast.ImportFrom)):
            continue
        if getattr(node, "level", 0) > 1:
            raise AssertionError("line %d imports from above the package" % node.lineno)
        for name in imported_names(node):
            package, _, rest = name.partition(".")
            if package == PACKAGE.name:
                yield "__init__"
                if rest.split(".")[0] in MODULES:
                    yield rest.split(".")[0]


def circle(imports):
    """The modules that are left when each that imports none of the others has been taken away, again and again: none, unless there is a circle."""
    imports = dict(imports)
    while imports:
        free = {module for module, others in imports.items() if not others & imports.keys()}
        if not free:
            return {module: sorted(others & imports.keys()) for module, others in imports.items()}
        for module in free:
            del imports[module]
    return {}


class ImportTests(unittest.TestCase):
    def test_modules_import_each_other_in_one_direction(self):
        imports = {path.stem: set(imported_modules(path.read_text())) for path in PACKAGE.glob("*.py")}
        self.assertIn("frames", imports["zygote"])
        self.assertEqual(circle(imports), {}, "these modules import each other in a circle")

    def test_the_program_is_all_that_is_imported_from_outside(self):
        self.assertEqual(set(imported_modules((PACKAGE.parent / "worker.py").read_text())), {"__init__", "program"})

    def test_every_way_to_import_is_seen(self):
        for source in ("from . import ring", "from .ring import x", "from .ring import *", "import funcx_worker.ring", "import funcx_worker.ring as r", "import os, funcx_worker.ring",
                       "from funcx_worker import ring", "from funcx_worker import ring as r", "from funcx_worker.ring import x", "def f():\n    import funcx_worker.ring"):
            self.assertEqual(set(imported_modules(source)), {"__init__", "ring"}, source)
        for source in ("from . import VERSION", "import funcx_worker", "from funcx_worker import VERSION"):
            self.assertEqual(set(imported_modules(source)), {"__init__"}, source)
        for source in ("import os", "from os import path", "import ring", "from ring import funcx_worker"):
            self.assertEqual(set(imported_modules(source)), set(), source)

    def test_a_circle_is_seen(self):
        self.assertEqual(circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}), {"a": ["b"], "b": ["c"], "c": ["b"]})


if __name__ == "__main__":
    unittest.main()
