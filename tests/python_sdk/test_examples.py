"""The programs of sdk/python/examples, each as a process of its own like a user's, against values that are computed here in another way."""
import collections
import csv
import gzip
import importlib.util
import json
import math
import os
import pathlib
import pickle
import random
import re
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

import cluster

EXAMPLES = cluster.SDK / "examples"
load_tests = cluster.chosen


def needs(module):
    return unittest.skipIf(importlib.util.find_spec(module) is None, "%s is not installed" % module)


class Examples(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        held = tempfile.TemporaryDirectory()
        cls.addClassCleanup(held.cleanup)
        cls.directory = pathlib.Path(held.name)
        shared = cluster.shared()
        login = cls.directory / "login"
        login.mkdir()
        credentials = login / "credentials.json"
        credentials.touch(0o600)
        credentials.write_text(json.dumps({"current": shared.address, "tokens": {shared.address: shared.token_file.read_text().strip()}}))
        cls.environment = {**os.environ, "FUNCX_CONFIG_DIR": str(login), "PYTHONPATH": str(cluster.SDK)}

    def printed(self, name, *options):
        done = subprocess.run([sys.executable, "-W", "error", str(EXAMPLES / name), "--endpoint", "test", *map(str, options)], cwd=self.directory,
                              env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
        return done.stdout

    def test_parameter_sweep(self):
        steps, days = (12, 365) if cluster.FULL else (3, 200)
        text = self.printed("parameter_sweep.py", "--steps", steps, "--days", days, "--output", "sweep.csv")
        with open(self.directory / "sweep.csv", newline="") as file:
            rows = [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]
        rates = [(0.2 + 0.8 * a / (steps - 1), 0.05 + 0.2 * b / (steps - 1)) for a in range(steps) for b in range(steps)]
        self.assertEqual(len(rows), len(rates))
        for row, (infection, recovery) in zip(rows, rates):
            with self.subTest(infection=infection, recovery=recovery):
                self.assertAlmostEqual(row["infection"], infection)
                self.assertAlmostEqual(row["recovery"], recovery)
                # What mathematics says of the continuous model, when it has the time: the largest share that is ill, and the share that never is.
                ratio = infection / recovery
                if ratio > 1.25:
                    self.assertAlmostEqual(row["peak"], 1 - (1 + math.log(0.9999 * ratio)) / ratio, delta=0.01)
                if ratio > 3:
                    never = 1 - row["total"]
                    self.assertAlmostEqual(math.log(never / 0.9999), -ratio * (1 - never), delta=0.05 * ratio)
        worst = max(rates, key=lambda pair: pair[0] / pair[1])
        self.assertEqual(text.splitlines()[-1], "worst: infection %.3f, recovery %.3f" % worst)
        self.assertEqual(len(text.splitlines()), steps * steps + 2)

    @needs("numpy")
    def test_monte_carlo_pi(self):
        import numpy
        tasks, points = (40, 3_000_000) if cluster.FULL else (6, 50_000)
        text = self.printed("monte_carlo_pi.py", "--tasks", tasks, "--points", points, "--seed", 7)
        inside = 0
        for task in range(tasks):
            # What `spawn` makes, written out.
            generator = numpy.random.Generator(numpy.random.PCG64(numpy.random.SeedSequence(7, spawn_key=(task,))))
            for start in range(0, points, 1_000_000):
                pairs = generator.random((2, min(1_000_000, points - start)))
                inside += int((numpy.hypot(*pairs) <= 1).sum())
        estimate, error = map(float, re.match(r"pi is about (\S+), give or take (\S+)\n", text).groups())
        self.assertIn("%d of %d points inside" % (inside, tasks * points), text)
        self.assertAlmostEqual(estimate, 4 * inside / (tasks * points), delta=1e-6)
        self.assertLess(abs(estimate - math.pi), 5 * error)
        self.assertRegex(text, r"\n%d tasks on [12] workers drew %d different sequences\n$" % (tasks, tasks))

    @needs("PIL")
    def test_image_processing(self):
        pictures = self.directory / "pictures"
        pictures.mkdir()
        generator = random.Random(3)
        expected = []
        for number in range(200 if cluster.FULL else 6):
            width, height = generator.randrange(40, 300), generator.randrange(40, 300)
            edge = generator.randrange(1, width)
            # Left of the edge it is bright, right of it dark.
            rows = bytes([200] * edge + [40] * (width - edge)) * height
            name = "picture-%03d.pgm" % number
            (pictures / name).write_bytes(b"P5 %d %d 255\n" % (width, height) + rows)
            expected.append("%s: %d x %d, mean %.1f, bright %.1f%%" % (name, width, height, (200 * edge + 40 * (width - edge)) / width, 100 * edge / width))
        (pictures / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
        (pictures / "notes.txt").write_text("not a picture")
        lines = self.printed("image_processing.py", "--input", pictures, "--output", "small", "--size", 32).splitlines()
        self.assertEqual(lines[0], "broken.png: is broken, or no picture")
        self.assertEqual(lines[1:-1], expected)
        self.assertEqual(lines[-1], "%d pictures, 1 broken" % (len(expected) + 1))
        made = sorted((self.directory / "small").iterdir())
        self.assertEqual([path.name for path in made], [line.partition(":")[0] + ".png" for line in expected])
        for path in made:
            self.assertEqual(self.longest_side(path.read_bytes()), 32)

    def longest_side(self, data):
        """Of a PNG file, after the sum over its header was checked."""
        self.assertEqual(data[:8], b"\x89PNG\r\n\x1a\n")
        self.assertEqual(struct.unpack(">I", data[29:33])[0], zlib.crc32(data[12:29]))
        return max(struct.unpack(">II", data[16:24]))

    def test_word_count(self):
        generator = random.Random(5)
        words = ["Sea", "sea,", "light-house", "\u00c9t\u00e9", "na\u00efve.", "it's", "1066", "STORM;"]
        said = collections.Counter()
        known = {"Sea": ["sea"], "sea,": ["sea"], "light-house": ["light", "house"], "\u00c9t\u00e9": ["\u00e9t\u00e9"], "na\u00efve.": ["na\u00efve"], "it's": ["it", "s"],
                 "1066": [], "STORM;": ["storm"]}
        files, lines = ["one.txt", "two.txt"], 20_000 if cluster.FULL else 130
        for name in files:
            with open(self.directory / name, "w", encoding="utf-8") as file:
                for _ in range(lines):
                    chosen = generator.choices(words, k=9)
                    file.write(" ".join(chosen) + "\n")
                    for word in chosen:
                        said.update(known[word])
        pieces = 100 if cluster.FULL else 50
        text = self.printed("word_count.py", "--lines", pieces, "--top", 3, *files)
        top = sorted(said.items(), key=lambda item: (-item[1], item[0]))[:3]
        self.assertEqual(text.splitlines(), ["%8d %s" % (times, word) for word, times in top]
                         + ["%d words, %d different ones, counted by %d tasks" % (sum(said.values()), len(said), 2 * -(-lines // pieces))])

    @needs("numpy")
    @needs("sklearn")
    @cluster.in_the_long_run
    def test_scikit_fit(self):
        import numpy
        alphas, folds = ([0.01, 0.1, 1.0, 10.0], 5) if cluster.FULL else ([0.01, 1.0], 3)
        text = self.printed("scikit_fit.py", "--alphas", *alphas, "--folds", folds, *(["--save", "model"] if cluster.FULL else []))
        data, target = self.diabetes(numpy)
        means = {}
        for alpha in alphas:
            scores = []
            for fold in range(folds):
                out = numpy.arange(len(data)) % folds == fold
                coefficients, intercept = self.ridge(numpy, data[~out], target[~out], alpha)
                rest = target[out] - data[out] @ coefficients - intercept
                scores.append(1 - (rest ** 2).sum() / ((target[out] - target[out].mean()) ** 2).sum())
            means[alpha] = sum(scores) / folds
        best = max(means, key=means.get)
        lines = text.splitlines()
        self.assertEqual(lines[:len(alphas) + 1], ["alpha %-8g R2 %.4f" % (alpha, means[alpha]) for alpha in alphas] + ["best: alpha %g" % best])
        if cluster.FULL:
            self.assertEqual(lines[len(alphas) + 1:], ["saved a model with 10 coefficients"])
            with open(self.directory / "model", "rb") as file:
                model = pickle.load(file)
            coefficients, intercept = self.ridge(numpy, data, target, best)
            self.assertTrue(numpy.allclose(model.coef_, coefficients) and math.isclose(model.intercept_, intercept))

    @staticmethod
    def diabetes(numpy):
        """The data from the file that scikit-learn reads, with columns of mean 0 and length 1 as its documentation says."""
        folder = pathlib.Path(importlib.util.find_spec("sklearn").origin).parent / "datasets" / "data"
        with gzip.open(folder / "diabetes_data_raw.csv.gz") as file:
            data = numpy.loadtxt(file)
        with gzip.open(folder / "diabetes_target.csv.gz") as file:
            target = numpy.loadtxt(file)
        data = data - data.mean(axis=0)
        return data / numpy.sqrt((data ** 2).sum(axis=0)), target

    @staticmethod
    def ridge(numpy, data, target, alpha):
        """By the normal equations."""
        middle = data.mean(axis=0)
        centred = data - middle
        coefficients = numpy.linalg.solve(centred.T @ centred + alpha * numpy.eye(data.shape[1]), centred.T @ (target - target.mean()))
        return coefficients, target.mean() - middle @ coefficients

    def test_error_handling(self):
        text = self.printed("error_handling.py")
        sections = dict(re.findall(r"(?m)^(\d)\. .*\n((?: .*\n)+)", text))
        self.assertEqual(sorted(sections), list("1234567"))
        self.assertRegex(sections["1"], r"(?s)^   ValueError: invalid literal for int\(\) with base 10: '12a'\n   \| task \S+\n   \| Traceback.*in parse\n.*return int\(text\)\n"
                                        r".*ValueError: invalid literal for int\(\) with base 10: '12a'\n$")
        self.assertEqual(sections["2"], "   Diverged: no real root of -2\n")
        self.assertEqual(sections["3"], "   it worked at attempt 3\n")
        self.assertEqual(sections["4"], "   timed out after its walltime\n")
        self.assertEqual(sections["5"], "   cancelled: True\n")
        self.assertEqual(sections["6"], "".join("   root of %d%s\n" % pair for pair in [
            (4, " is 2.000"), (9, " is 3.000"), (16, " is 4.000"), (-3, ": no real root of -3"), (-1, ": no real root of -1")]))
        self.assertRegex(sections["7"], r"^   NotSerialisable: .*'_thread.lock'.*\n$")

    def test_the_readme_names_them_all(self):
        named = re.findall(r"^\| `(\w+\.py)` \|", (EXAMPLES / "README.md").read_text(), re.M)
        self.assertEqual(sorted(named), sorted(path.name for path in EXAMPLES.glob("*.py")))


def draw(directory, workers):
    """Numbers without any seed, when so many workers are at it at the same time; and whether this worker is a fork of an interpreter that had numpy."""
    import os
    import time
    import numpy
    open(os.path.join(directory, str(os.getpid())), "w").close()
    end = time.monotonic() + 60
    while len(os.listdir(directory)) < workers and time.monotonic() < end:
        time.sleep(0.01)

    def of_process(pid, what):
        with open("/proc/%d/%s" % (pid, what)) as file:
            return file.read()
    parent = os.getppid()
    is_fork = "mtrand" in of_process(parent, "maps") and of_process(parent, "cmdline") == of_process(os.getpid(), "cmdline")
    return os.getpid(), is_fork, {
        "numpy's": numpy.random.random(3).tolist(), "numpy's, by its name": numpy_rand(3).tolist(), "a new generator": numpy.random.default_rng().random(3).tolist(),
        "Python's": [random.random() for _ in range(3)], "Python's, by its name": [gauss(0, 1) for _ in range(3)]}


class RandomNumbers(unittest.TestCase):
    @needs("numpy")
    def test_workers_draw_different_ones_without_a_seed(self):
        global numpy_rand, gauss
        from random import gauss
        from numpy.random import rand as numpy_rand
        import funcx
        with tempfile.TemporaryDirectory() as directory, cluster.shared().client() as client, funcx.Executor("test", client=client) as executor:
            first, second = [future.result(cluster.PATIENCE) for future in [executor.submit(draw, directory, 2) for _ in range(2)]]
        self.assertNotEqual(first[0], second[0], "two workers are due")
        self.assertTrue(first[1] and second[1], "each is a fork of an interpreter with numpy")
        for way, numbers in first[2].items():
            with self.subTest(way):
                self.assertEqual(len({*numbers, *second[2][way]}), 6)


if __name__ == "__main__":
    unittest.main()
