import collections
import math
import pickle
import sys
import types
import unittest

import cluster  # noqa: F401
import captured_helpers
from funcx import _remote
from funcx.capture import ENTRY, capture
from funcx.errors import FuncXError, NotSerialisable, UntrustedResult
from funcx.values import JSON, OCTETS, PICKLE, Codec

IDENTITY = "ab" * 32


def echo(*args, **kwargs):
    return [list(args), kwargs]


def codec(trusted=True, wrapped=True, **more):
    return Codec(IDENTITY, wrapped, trusted, "theirs", **more)


def travel(coder, value):
    """To a worker and back, with what stands on both sides."""
    entry = _remote.wrap(lambda given: given)
    content, body = coder.encode((value,))
    if content == PICKLE:
        args, kwargs = pickle.loads(body)
        return content, coder.decode(PICKLE, pickle.dumps(entry(*args, **kwargs)))
    import json
    arguments = json.loads(body)
    result = entry(*arguments) if isinstance(arguments, list) else entry(*arguments.get("args", []), **arguments.get("kwargs", {}))
    return content, coder.decode(JSON, json.dumps(result, allow_nan=False).encode())


EXACT = [0, -5, 10 ** 30, True, None, "text \u20ac \ud800", 1.5, [], {}, [1, [2, {"a": None}]], {"$a": 1, "b": 2}, {"": ""}]
OTHER = [(1, 2), {1: "a"}, {1, 2}, frozenset((1,)), b"\x00\xff", math.inf, -math.inf, 1 + 2j, [(1,), {"k": (2, b"x")}], {"$tuple": 3}, {(1, 2): [3]},
         range(3), collections.OrderedDict(a=1), 2.5j]


class Travel(unittest.TestCase):
    def test_what_json_gives_back_is_json(self):
        for value in EXACT:
            with self.subTest(value=value):
                content, back = travel(codec(), value)
                self.assertEqual((content, back, type(back)), (JSON, value, type(value)))

    def test_everything_else_comes_back_as_it_was(self):
        for value in OTHER:
            for trusted in (True, False):
                with self.subTest(value=value, trusted=trusted):
                    if not trusted and type(value) in (range, collections.OrderedDict):
                        with self.assertRaises(UntrustedResult):
                            travel(codec(trusted), value)
                        continue
                    content, back = travel(codec(trusted), value)
                    self.assertEqual((content, back, type(back)), (PICKLE if trusted else JSON, value, type(value)))

    def test_nan_comes_back(self):
        self.assertTrue(math.isnan(travel(codec(), math.nan)[1]))

    def test_a_value_that_contains_itself_comes_back(self):
        value = [1]
        value.append(value)
        _, back = travel(codec(), value)
        self.assertIs(back[1], back)

    def test_keywords(self):
        content, body = codec().encode((1,), {"a": [2]})
        self.assertEqual((content, body), (JSON, '{"args":[1],"kwargs":{"a":[2]}}'))
        content, body = codec().encode((), {"a": (2,)})
        self.assertEqual((content, pickle.loads(body)), (PICKLE, ((), {"$funcx": list(sys.version_info[:2]), "a": (2,)})))

    def test_many_values_are_read_at_once_and_tags_are_seen(self):
        coder = codec()
        self.assertEqual(coder.decode_all([b"1", b'"a"', b"[2]"]), [1, "a", [2]])
        self.assertEqual(coder.decode_all([b"1", b'{"$tuple":[2]}']), [1, (2,)])
        # A body that is no value, and two that add up to the right count.
        for bodies in ([b"1", b"nonsense"], [b"1,2", b"", b"3"]):
            with self.assertRaises(ValueError):
                coder.decode_all(bodies)


class Trust(unittest.TestCase):
    BOMB = b"cos\nsystem\n(S'exit 3'\ntR."

    def test_a_pickle_from_an_endpoint_that_is_not_trusted_is_not_read(self):
        with self.assertRaisesRegex(UntrustedResult, r"endpoint 'theirs', which is not yours.*trust=\['theirs'\]"):
            codec(trusted=False).decode(PICKLE, self.BOMB)
        with self.assertRaises(UntrustedResult):
            codec(trusted=False).decode(JSON, b'{"$pickle":"gASVBgAAAAAAAACMAmhplC4="}')

    def test_pickled_results_cannot_be_asked_of_an_endpoint_that_is_not_trusted(self):
        with self.assertRaisesRegex(UntrustedResult, "serialiser 'pickle'"):
            codec(trusted=False, serialiser="pickle")

    def test_a_function_that_takes_json_gets_json_or_an_error(self):
        coder = codec(wrapped=False)
        self.assertEqual(coder.encode(((1, 2),)), (JSON, "[[1,2]]"))
        with self.assertRaisesRegex(NotSerialisable, "set is not JSON serializable.*it takes JSON only"):
            coder.encode(({1},))
        self.assertEqual(coder.decode(JSON, b'{"$tuple":[1]}'), {"$tuple": [1]})
        self.assertEqual(coder.decode(OCTETS, b"raw"), b"raw")

    def test_json_alone_is_kept_to_when_asked_for(self):
        coder = codec(serialiser="json")
        self.assertEqual(coder.encode(((1, 2),))[0], JSON)
        with self.assertRaisesRegex(NotSerialisable, "type range has no form in JSON"):
            coder.encode((range(3),))

    def test_an_unknown_content_type_is_refused(self):
        with self.assertRaisesRegex(FuncXError, "content type 9"):
            codec().decode(9, b"")


class OwnClasses(unittest.TestCase):
    """Instances of classes that no worker can import."""

    def test_those_that_the_function_brings_travel_without_any_package(self):
        def grown(square):
            return captured_helpers_square(square.length + 1)
        captured_helpers_square = captured_helpers.Square
        captured = capture(grown, "source")
        self.assertIs(captured.classes["Square"], captured_helpers.Square)
        coder = codec(classes=captured.classes)
        module = types.ModuleType("funcx_" + IDENTITY)
        sys.modules[module.__name__] = module
        exec(compile(captured.source, "<module>", "exec", dont_inherit=True), module.__dict__)
        try:
            content, body = coder.encode((captured_helpers.Square(2),))
            args, kwargs = pickle.loads(body)
            self.assertIs(type(args[0]), module.Square)
            result = pickle.dumps(getattr(module, ENTRY)(*args, **kwargs))
        finally:
            del sys.modules[module.__name__]
        self.assertEqual((content, coder.decode(PICKLE, result)), (PICKLE, captured_helpers.Square(3)))

    def test_others_are_pickled_by_value_or_refused_with_what_to_do(self):
        class Local:
            pass
        try:
            content, body = codec().encode((Local(),))
        except NotSerialisable as problem:
            self.assertRegex(str(problem), "Install cloudpickle, or mention the class in the function")
        else:
            self.assertEqual((content, set(pickle.loads(body)[1]["$funcx"])), (PICKLE, {"pickle", "pickler", "version", "python"}))

    def test_a_result_by_value_is_read_by_its_own_python_only_and_the_other_is_named(self):
        def function():
            return 5
        function.__module__ = "__main__"
        function.__qualname__ = "not_there"
        packed = _remote.pack([function], _remote.dump)[0]
        if "$by_value" not in packed:
            self.skipTest("neither cloudpickle nor dill is installed")
        import json
        self.assertEqual(codec().decode(JSON, json.dumps(packed).encode())(), 5)
        with self.assertRaises(UntrustedResult):
            codec(trusted=False).decode(JSON, json.dumps(packed).encode())
        name, version, python, data = packed["$by_value"]
        for held, said in (([name, version, [3, 7], data], r"pickled by value on its worker, with %s %s under Python 3\.7, and this is Python 3\.\d+, which cannot read its "
                            r"byte code\. What would work: .* a client under Python 3\.7, or an endpoint whose workers.python is Python 3\.\d+" % (name, version)),
                           (["no_such_pickler", "1", python, data], "no_such_pickler is not installed here. What would work: to install it")):
            with self.assertRaisesRegex(FuncXError, said):
                codec().decode(JSON, json.dumps({"$by_value": held}).encode())

    def test_a_worker_of_another_python_gives_no_result_that_only_its_own_could_read(self):
        entry = _remote.wrap(lambda: (lambda: 5))
        self.assertEqual(entry(**{"$funcx": list(sys.version_info[:2])})(), 5)
        with self.assertRaisesRegex(TypeError, r"result \(of type function\) could only be pickled by value.*client's Python 3\.7 cannot read.*What would work: an endpoint whose "
                                               r"workers.python is Python 3\.7"):
            entry(**{"$funcx": [3, 7]})
        self.assertEqual(_remote.wrap(lambda: (1, 2))(**{"$funcx": [3, 7]}), (1, 2))

    def test_a_class_that_is_not_here_is_named(self):
        data = b"\x80\x04\x8c\x46funcx_" + b"cd" * 32 + b"\x8c\x05Ghost\x93."
        with self.assertRaisesRegex(FuncXError, "class 'Ghost' was defined by the function's own code"):
            codec().decode(PICKLE, data)


if __name__ == "__main__":
    unittest.main()
