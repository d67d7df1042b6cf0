"""Who imports whom inside funcx_worker."""
import ast
import unittest
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "endpoint" / "workers" / "python" / "funcx_worker"


def imported_modules(path):
    """The modules of the package that a module imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            yield from [node.module] if node.module else [name.name for name in node.names if (PACKAGE / (name.name + ".py")).exists()]


class ImportTests(unittest.TestCase):
    def test_modules_import_each_other_in_one_direction(self):
        imports = {path.stem: set(imported_modules(path)) for path in PACKAGE.glob("*.py")}
        self.assertIn("frames", imports["zygote"])
        while imports:
            free = {module for module, others in imports.items() if not others & imports.keys()}
            self.assertTrue(free, "these modules import each other in a circle: %s" % {module: sorted(others & imports.keys()) for module, others in imports.items()})
            for module in free:
                del imports[module]


if __name__ == "__main__":
    unittest.main()
