import asyncio
import functools
import linecache
import math
import os.path
import pickle
import random
import sys
import types
import unittest
import warnings
from dataclasses import dataclass
from random import gauss

import cluster  # noqa: F401  (puts the package on the path)
import captured_helpers
from funcx import _remote
from funcx.capture import ENTRY, capture
from funcx.errors import NotSerialisable

FACTOR = 7
TABLE = {"a": [1, 2, 3]}


def load(captured):
    """The module as a worker makes it: nothing of this one is within its reach."""
    module = types.ModuleType("funcx_" + "0" * 64)
    sys.modules[module.__name__] = module
    exec(compile(captured.source, "<module>", "exec", dont_inherit=True), module.__dict__)
    return getattr(module, ENTRY)


def elsewhere(function, *args, strategy="source", **kwargs):
    return load(capture(function, strategy))(*args, **kwargs)


def scaled(value):
    return FACTOR * value + len(TABLE["a"])


def factorial(n):
    return 1 if n < 2 else n * factorial(n - 1)


def is_even(n):
    return n == 0 or is_odd(n - 1)


def is_odd(n):
    return n != 0 and is_even(n - 1)


@functools.lru_cache(maxsize=None)
def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def joined(a, b):
    return os.path.join(a, b)


@dataclass
class Point:
    x: float
    y: float = 0.0

    def norm(self) -> float:
        return math.hypot(self.x, self.y)


def distance(x, y):
    return Point(x, y).norm()


def with_annotations(value: "NoSuchName", other: Point = None) -> "AlsoNone":  # noqa: F821
    return value


ORIGIN = Point(1.0, 2.0)


def with_defaults(a, b=ORIGIN, *, c=[1, 2]):  # noqa: B006
    c.append(a)
    return b.x + sum(c)


async def later(value):
    await asyncio.sleep(0)
    return value + 1


def generated(n):
    yield from range(n)


class Sources(unittest.TestCase):
    def test_globals_have_their_values_of_the_moment(self):
        self.assertEqual(elsewhere(scaled, 2), 17)

    def test_a_function_may_call_itself(self):
        self.assertEqual(elsewhere(factorial, 20), math.factorial(20))

    def test_a_cached_function_is_cached_there(self):
        self.assertEqual(elsewhere(fibonacci, 90), fibonacci(90))
        tables = {"f": fibonacci}
        bounded = functools.lru_cache(maxsize=3)(scaled)

        def seen():
            return fibonacci(80), tables["f"] is fibonacci, bounded(2), bounded(2), bounded.cache_info().hits, bounded.cache_info().maxsize
        self.assertEqual(elsewhere(seen), {"$tuple": [fibonacci(80), True, 17, 17, 1, 3]})

    def test_two_functions_may_call_each_other(self):
        self.assertEqual([elsewhere(is_even, n) for n in (0, 7, 10)], [True, False, True])

    def test_closures_keep_what_they_close_over(self):
        def outer(step):
            def inner(value):
                def innermost():
                    return value + step
                return innermost()
            return inner
        self.assertEqual(elsewhere(outer(5), 1), 6)

    def test_a_closure_may_call_itself(self):
        def down(n):
            return [n] + down(n - 1) if n else [0]
        self.assertEqual(elsewhere(down, 3), [3, 2, 1, 0])

    def test_a_closure_may_change_its_variables(self):
        total = 10

        def add(value):
            nonlocal total
            total += value
            return total
        entry = load(capture(add, "source"))
        self.assertEqual([entry(1), entry(2)], [11, 13])
        self.assertEqual(total, 10)

    def test_closures_over_functions_and_classes(self):
        base, cls = scaled, Point

        def both(value):
            return base(value) + cls(3, 4).norm()
        self.assertEqual(elsewhere(both, 2), 22)

    def test_lambdas_also_several_on_a_line(self):
        first, second = (lambda x: x + FACTOR), (lambda x: x * FACTOR)
        self.assertEqual((elsewhere(first, 3), elsewhere(second, 3)), (10, 21))
        self.assertEqual(elsewhere(lambda: 42), 42)

    def test_default_arguments_have_their_values_and_are_kept_between_calls(self):
        entry = load(capture(with_defaults, "source"))
        self.assertEqual(entry(3), 7.0)
        self.assertEqual(entry(4), 11.0)

    def test_annotations_need_not_exist(self):
        self.assertEqual(elsewhere(with_annotations, 5), 5)

    def test_classes_travel_with_their_bases_and_what_they_use(self):
        def area(length):
            return captured_helpers_square(length).area(), captured_helpers_square(length).describe()
        captured_helpers_square = captured_helpers.Square
        self.assertEqual(_remote.unpack(elsewhere(area, 2_000), pickle.loads), (1_000_000, "Square with 4 sides"))
        self.assertEqual(elsewhere(distance, 3, 4), 5.0)

    def test_functions_of_the_users_own_modules_travel_and_installed_ones_are_imported(self):
        self.assertEqual(elsewhere(captured_helpers.twice, 50), 20)
        self.assertEqual(elsewhere(captured_helpers.count, ["a", "b", "a"]), {"a": 2, "b": 1})
        self.assertNotIn("def hypot", capture(distance, "source").source)
        self.assertEqual(elsewhere(math.sqrt, 16), 4)

    def test_parts_of_packages_are_imported(self):
        self.assertEqual(elsewhere(joined, "a", "b"), "a/b")

    def test_partials_methods_and_callable_objects(self):
        self.assertEqual(elsewhere(functools.partial(captured_helpers.clipped, most=3), 9), 3)
        self.assertEqual(elsewhere(captured_helpers.Square(3).area), 9)
        self.assertEqual(elsewhere(Point, 1, 2) is not None, True)

    def test_coroutines_are_run_to_their_end(self):
        self.assertEqual(elsewhere(later, 1), 2)

    def test_notebook_cells_are_found_by_linecache(self):
        text = "BASE = 5\ndef cell(x):\n    return Cell().value + BASE + x\nclass Cell:\n    value = 1\n"
        filename = "<ipython-input-1-abc>"
        linecache.cache[filename] = (len(text), None, text.splitlines(True), filename)
        main = sys.modules["__main__"]
        before = set(vars(main))
        try:
            exec(compile(text, filename, "exec"), main.__dict__)
            self.assertEqual(elsewhere(main.cell, 1), 7)
        finally:
            del linecache.cache[filename]
            for name in set(vars(main)) - before:
                delattr(main, name)

    def test_text_over_several_lines_stays_as_it_is(self):
        def text():
            return """first
  second
third"""
        marker = 1

        def closing():
            return ("""a
b""", marker)
        self.assertEqual(elsewhere(text), "first\n  second\nthird")
        self.assertEqual(_remote.unpack(elsewhere(closing), None), ("a\nb", 1))

    def test_the_same_function_gives_the_same_source(self):
        self.assertEqual(capture(scaled, "source"), capture(scaled, "source"))


class RandomNumbers(unittest.TestCase):
    """A state that travels is one that all workers have in common."""

    def test_functions_of_a_module_have_the_state_of_the_workers_module(self):
        state = random.getstate()
        methods = {"shuffled": random.shuffle}
        drawn = random.random
        expected = drawn()

        def draws(seed):
            random.seed(seed)
            methods["shuffled"]([1, 2])
            return [drawn(), gauss(0, 1), random.random()]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            captured = capture(draws, "source")
            random.setstate(state)
            self.assertEqual(capture(draws, "source"), captured)
        # Here the module is the same: what is drawn there goes on from the state that is here, and not from a copy.
        self.assertEqual(_remote.unpack(load(captured)(5), None), draws(5))
        random.setstate(state)
        self.assertEqual(elsewhere(lambda: drawn()), expected)

    def test_those_of_numpy_too(self):
        try:
            import numpy
            from numpy.random import rand
        except ImportError:
            self.skipTest("numpy is not installed")

        def draws():
            numpy.random.seed(7)
            return [float(rand()), float(numpy.random.rand())]
        captured = capture(draws, "source")
        self.assertTrue("from numpy.random.mtrand import rand" in captured.source)
        self.assertEqual(load(captured)(), draws())

    def test_a_generator_that_would_be_the_same_in_every_worker_is_warned_of(self):
        generator = random.Random(1)

        def direct():
            return generator.random()

        def within_a_method():
            return bound(1, 2)
        bound = generator.uniform
        generators = [direct, within_a_method]
        try:
            import numpy
        except ImportError:
            pass
        else:
            new, old = numpy.random.default_rng(1), numpy.random.RandomState(1)
            generators += [lambda: new.random(), lambda: old.rand()]
        for function in generators:
            with self.subTest(function=function), self.assertWarnsRegex(UserWarning, "generator of random numbers .*(Random|Generator|RandomState).*all draw the same numbers"):
                capture(function, "source")


class Refusals(unittest.TestCase):
    def test_generators_are_refused_with_what_to_do(self):
        for function in (generated, functools.partial(generated, 3)):
            with self.assertRaisesRegex(NotSerialisable, "'generated' is a generator.*Return a list"):
                capture(function)

    def test_each_way_gives_its_reason(self):
        code = compile("def unknown(): return lock", "<nowhere>", "exec")
        import threading
        scope = {"lock": threading.Lock()}
        exec(code, scope)
        with self.assertRaises(NotSerialisable) as caught:
            capture(scope["unknown"])
        self.assertRegex(str(caught.exception), "as source: the source of 'unknown' is not to be found.*as pickle: ")

    def test_what_cannot_be_pickled_is_named_with_the_variable(self):
        import threading
        lock = threading.Lock()

        def locked():
            with lock:
                return 1
        with self.assertRaisesRegex(NotSerialisable, "variable 'lock' of the function around 'locked': a value of type lock"):
            capture(locked, "source")

    def test_a_file_that_was_changed_after_it_was_loaded_is_noticed(self):
        import tempfile
        with tempfile.NamedTemporaryFile("w", suffix=".py") as file:
            file.write("def f(x):\n    return x + 1\n")
            file.flush()
            scope = {"__name__": "changed_module"}
            exec(compile("def f(x):\n    return x + 1\n", file.name, "exec"), scope)
            file.seek(0)
            file.write("def f(x):\n    return x + 200\n")
            file.flush()
            with self.assertRaisesRegex(NotSerialisable, "it was changed after it was loaded"):
                capture(scope["f"], "source")

    def test_what_is_no_function_is_refused(self):
        with self.assertRaisesRegex(TypeError, "cannot be called"):
            capture(3)
        with self.assertRaisesRegex(ValueError, "strategy 'json' is none"):
            capture(scaled, "json")


class Pickles(unittest.TestCase):
    def setUp(self):
        try:
            import cloudpickle  # noqa: F401
        except ImportError:
            try:
                import dill  # noqa: F401
            except ImportError:
                self.skipTest("neither cloudpickle nor dill is installed")

    def test_a_function_without_source_is_pickled_for_this_version_of_python(self):
        scope = {}
        exec("def made(x):\n    return x * 3\n", scope)
        captured = capture(scope["made"])
        self.assertEqual(load(captured)(4), 12)
        self.assertEqual(captured.requires, ("python>=%d.%d,<%d.%d" % (*sys.version_info[:2], sys.version_info[0], sys.version_info[1] + 1),))

    def test_another_python_and_a_missing_or_older_pickler_are_named_with_what_would_work(self):
        here = list(sys.version_info[:2])
        with self.assertRaisesRegex(RuntimeError, r"pickled by value under Python 3\.7, and this worker has Python .*What would work: an endpoint whose workers.python is Python 3\.7"):
            _remote.check_pickle("function 'f'", "cloudpickle", "1.0", [3, 7])
        with self.assertRaisesRegex(RuntimeError, "no_such_pickler 1.0, which this worker's Python does not have.*What would work"):
            _remote.check_pickle("function 'f'", "no_such_pickler", "1.0", here)
        with self.assertRaisesRegex(RuntimeError, "which is older"):
            _remote.check_pickle("function 'f'", capture_pickler(), "9999.0", here)


def capture_pickler():
    from funcx.capture import pickler
    return pickler()[0]


if __name__ == "__main__":
    unittest.main()
