"""The pages for users: every block of Python runs, in order, against a real service, endpoint and workers, and prints what stands below it."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import cluster

load_tests = cluster.chosen

DOCS = cluster.SDK / "docs"
PAGES = [cluster.SDK / "README.md", DOCS / "tour.md", DOCS / "migration-globus-compute.md", DOCS / "migration-parsl.md", DOCS / "migration-dask.md"]
CLI = cluster.PROGRAMS / "FuncX.Cli" / "funcx"
SAMPLES = cluster.PROGRAMS / "FuncX.Cli" / "FuncX.Samples.dll"
#: What follows is of another program: a comment of the page, which readers do not see.
NEW_PROGRAM = "<!-- a new program -->"
MARK = "\x1e"
#: A million calls take half a minute: the short run makes a thousand.
SMALLER = (("1_000_000", "1_000"), ("333332833333500000", "332833500"))


class Block:
    def __init__(self, info, line, code, program):
        self.info = info
        #: Of its first line of code, counted from 1.
        self.line = line
        self.code = code
        self.program = program
        #: What it prints, as the page says.
        self.expected = ""


def blocks_of(page):
    """All fenced blocks. A ```text right behind a ```python is what that one prints."""
    blocks, opened, program, last_end = [], None, 0, -1
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), 1):
        if opened is None and line.strip() == NEW_PROGRAM:
            program += 1
        elif opened is None and line.startswith("```"):
            opened = Block(line[3:].strip(), number + 1, [], program)
            follows = number == last_end + 1
        elif opened is not None and line.rstrip() == "```":
            if opened.info == "text":
                if not (follows and blocks and blocks[-1].info == "python"):
                    raise AssertionError("%s:%d: a text that stands behind no block of Python" % (page.name, opened.line))
                blocks[-1].expected = "\n".join(opened.code)
            else:
                blocks.append(opened)
            opened, last_end = None, number
        elif opened is not None:
            opened.code.append(line)
    return blocks


def script_of(blocks):
    """A program in which every line has the number that it has on the page; a mark is printed behind each block."""
    lines = []
    for number, block in enumerate(blocks):
        lines += [""] * (block.line - 1 - len(lines)) + block.code + ["print(%a, flush=True)" % ("%s%d%s" % (MARK, number, MARK))]
    # The page shows the plain progress bar.
    lines[0] = "import sys; sys.modules['tqdm'] = None"
    return "\n".join(lines) + "\n"


def as_run(text, changes=() if cluster.FULL else SMALLER):
    for full, small in (("laptop", "test"), *changes):
        text = text.replace(full, small)
    return text


def is_as_said(expected, seen):
    """`...` stands for anything."""
    pattern = ".*?".join(map(re.escape, expected.rstrip().split("...")))
    return re.fullmatch(pattern, seen.rstrip(), re.S) is not None


def log_in(shared, environment):
    """As a user does."""
    subprocess.run([str(CLI), "login", shared.address, "--token-file", str(shared.token_file)], env=environment, check=True, timeout=cluster.PATIENCE,
                   stdout=subprocess.DEVNULL)


def run_page(test, page, directory, environment, interpreter=sys.executable, as_run=as_run):
    """Each program of the page in a process of its own, in a directory where FuncX.Samples.dll lies."""
    shutil.copy(SAMPLES, directory)
    blocks = [block for block in blocks_of(page) if block.info == "python"]
    test.assertTrue(blocks)
    for program in sorted({block.program for block in blocks}):
        of_program = [block for block in blocks if block.program == program]
        script = directory / ("%s_%d.py" % (page.stem.replace("-", "_"), program))
        script.write_text(as_run(script_of(of_program)), encoding="utf-8")
        done = subprocess.run([interpreter, str(script)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=environment, cwd=directory, timeout=10 * cluster.PATIENCE)
        *printed, rest = re.split("%s\\d+%s\n" % (MARK, MARK), done.stdout)
        if len(printed) < len(of_program):
            test.fail("%s: the program ended with %d in the block of line %d:\n%s" % (page.name, done.returncode, of_program[len(printed)].line, rest))
        for block, seen in zip(of_program, printed):
            with test.subTest(page=page.name, line=block.line):
                test.assertTrue(is_as_said(as_run(block.expected), seen), "the page says\n%s\nand it printed\n%s" % (block.expected, seen))
        test.assertEqual((done.returncode, rest), (0, ""), page.name)


class Pages(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        held = tempfile.TemporaryDirectory(prefix="funcx-pages-")
        cls.addClassCleanup(held.cleanup)
        cls.directory = pathlib.Path(held.name)
        shared = cluster.shared()
        cls.environment = {name: value for name, value in cluster._environment().items() if name != "FUNCX_MANAGER"}
        cls.environment.update(FUNCX_CONFIG_DIR=str(cls.directory / "login"), PYTHONPATH=str(cluster.SDK), PYTHONUNBUFFERED="1")
        log_in(shared, cls.environment)

    def run_page(self, page):
        directory = self.directory / page.stem
        directory.mkdir()
        run_page(self, page, directory, self.environment)

    def test_the_tour(self):
        self.run_page(DOCS / "tour.md")

    def test_the_readme(self):
        self.run_page(cluster.SDK / "README.md")

    @cluster.in_the_long_run
    def test_from_globus_compute(self):
        self.run_page(DOCS / "migration-globus-compute.md")

    @cluster.in_the_long_run
    def test_from_parsl(self):
        self.run_page(DOCS / "migration-parsl.md")

    @cluster.in_the_long_run
    def test_from_dask(self):
        self.run_page(DOCS / "migration-dask.md")

    def test_files_of_endpoints_are_valid(self):
        for page in PAGES:
            for block in blocks_of(page):
                if block.info == "yaml":
                    file = self.directory / "endpoint.yaml"
                    file.write_text("\n".join(block.code) + "\n")
                    file.chmod(0o600)
                    done = subprocess.run([cluster.ENDPOINT, "validate", str(file)], env={**self.environment, "HOME": str(self.directory)}, capture_output=True, text=True)
                    self.assertEqual(done.returncode, 0, done.stdout + done.stderr)


class Texts(unittest.TestCase):
    def test_blocks_are_of_known_kinds_and_those_of_other_systems_compile(self):
        for page in PAGES:
            for block in blocks_of(page):
                with self.subTest(page=page.name, line=block.line):
                    self.assertIn(block.info, ("python", "python other", "sh", "yaml"))
                    if block.info == "python other":
                        compile("\n".join(block.code), page.name, "exec")

    def test_what_the_short_run_makes_smaller_is_there(self):
        self.assertEqual([full for full, _ in SMALLER if full not in (DOCS / "tour.md").read_text()], [])

    def test_links_lead_somewhere(self):
        for page in [*PAGES, DOCS / "reference.md"]:
            for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
                if "://" not in target:
                    self.assertTrue((page.parent / target).exists(), "%s leads to %s" % (page.name, target))

    def test_a_page_that_says_something_else_is_noticed(self):
        self.assertTrue(is_as_said("task ...\nZeroDivisionError: x\n", "task 12-0\n  File\nZeroDivisionError: x\n"))
        self.assertFalse(is_as_said("144", "145\n"))
        self.assertFalse(is_as_said("", "printed\n"))
        self.assertFalse(is_as_said("a ... b", "a b c\n"))


if __name__ == "__main__":
    unittest.main()
