"""What is known here of an exception that a function raised there."""
import base64
import builtins
import dataclasses
import json
import pickle
import subprocess
import sys
import threading
import traceback
import types
import unittest

import cluster
import captured_helpers
import funcx
from funcx import failures
from funcx.capture import ENTRY, capture
from funcx.values import Codec

sys.path.append(str(cluster.REPOSITORY / "endpoint" / "workers" / "python"))
from funcx_worker.failures import describe  # noqa: E402

IDENTITY = "cd" * 32


def fail_there(function, *args):
    """The body of a failure, as a worker writes it; and what the function brought along."""
    captured = capture(function, "source")
    module = types.ModuleType("funcx_" + IDENTITY)
    sys.modules[module.__name__] = module
    try:
        exec(compile(captured.source, "<module>", "exec", dont_inherit=True), module.__dict__)
        getattr(module, ENTRY)(*args)
    except BaseException as error:
        return describe(error), captured
    finally:
        del sys.modules[module.__name__]
    raise AssertionError("nothing was raised")


def read(body, function, captured, trusted=True):
    codec = Codec(IDENTITY, True, trusted, "theirs", captured.classes)
    return failures.failure("a-task", failures.EXCEPTION, body, b"out", b"", scope=failures.scope_of(function), codec=codec)


def travel(function, *args, trusted=True):
    body, captured = fail_there(function, *args)
    return read(body, function, captured, trusted)


class Refused(Exception):
    """Cannot be made from its text, and holds what its text does not say."""

    made = 0

    def __init__(self, who, *, why):
        super().__init__("%s was refused" % who)
        type(self).made += 1
        self.who, self.why = who, why


class Slotted(ValueError):
    __slots__ = ("level",)


@dataclasses.dataclass(frozen=True)
class Frozen(Exception):
    code: int


class Speechless(Exception):
    def __str__(self):
        raise RuntimeError("no text")


class Grudging:
    """Its pickle is made there and raises here."""

    def __reduce__(self):
        return int, ("no number",)


def refuse(why):
    raise Refused("me", why=why)


def raise_hidden():
    class Hidden(Exception):
        pass
    try:
        {}["k"]
    except KeyError as cause:
        raise Hidden("so") from cause


class Attributes(unittest.TestCase):
    def test_they_come_and_the_constructor_is_not_run_again(self):
        why = {"sizes": (1, 2), "path": b"\xff", "names": {"a"}}
        before = Refused.made
        error = travel(refuse, why)
        self.assertIs(type(error), Refused)
        self.assertEqual((str(error), error.args, vars(error)), ("me was refused", ("me was refused",), {"who": "me", "why": why}))
        self.assertEqual(Refused.made, before)

    def test_one_that_cannot_be_pickled_is_named_and_the_others_come(self):
        def fail():
            problem = Refused("me", why=threading.Lock())
            problem.inner = [KeyError("k")]
            raise problem
        error = travel(fail)
        self.assertEqual((error.who, type(error.inner[0]), error.inner[0].args), ("me", KeyError, ("k",)))
        self.assertFalse(hasattr(error, "why"))
        self.assertRegex(str(error.__cause__), r"\[funcx: it lacks why: TypeError: cannot pickle '_thread.lock' object\]")

    def test_one_whose_reading_raises_is_named_and_the_others_come(self):
        def fail():
            raise Refused("me", why=Grudging())
        error = travel(fail)
        self.assertEqual((error.who, hasattr(error, "why")), ("me", False))
        self.assertRegex(str(error.__cause__), "it lacks why: not readable here: ValueError: invalid literal for int")

    def test_giant_ones_stay_there(self):
        def fail(size):
            raise Refused("me", why=(bytes(size), list(range(size // 4))))
        body, captured = fail_there(fail, 4_000_000)
        self.assertLess(len(body), 20_000)
        error = read(body, fail, captured)
        self.assertEqual((error.who, hasattr(error, "why")), ("me", False))
        self.assertRegex(str(error.__cause__), "it lacks why: ValueError: too large: .* 65536 bytes")

        def fail_with_text(size):
            raise Refused("x" * size, why=1)
        body, captured = fail_there(fail_with_text, 4_000_000)
        self.assertLess(len(body), 400_000)
        error = read(body, fail_with_text, captured)
        self.assertEqual((type(error).__name__, error.why), ("Refused", 1))
        self.assertIn("characters cut]", str(error))

    def test_hundreds_of_exceptions_are_not_too_many(self):
        def fail(depth):
            raised = None
            for number in range(depth):
                try:
                    raise ValueError(number) from raised
                except ValueError as problem:
                    raised = problem
            raise Refused("me", why="deep") from raised
        error = travel(fail, 400)
        self.assertEqual(error.why, "deep")
        chain, at = [], error.__cause__.__cause__
        while at is not None:
            chain.append(at.args[0])
            at = at.__cause__
        self.assertEqual(chain, list(range(399, 399 - len(chain), -1)))
        self.assertGreater(len(chain), 90)

    def test_slots_and_classes_that_refuse_changes(self):
        def fail(kind):
            if kind == "frozen":
                raise Frozen(5)
            problem = Slotted("so")
            problem.level = (3,)
            raise problem
        error = travel(fail, "slotted")
        self.assertEqual((type(error), error.level, str(error)), (Slotted, (3,), "so"))
        error = travel(fail, "frozen")
        self.assertEqual((type(error), error), (Frozen, Frozen(5)))
        self.assertIsInstance(error.__cause__, funcx.RemoteTraceback)

    def test_one_that_holds_itself_and_one_whose_text_raises(self):
        def fail():
            problem = Refused("me", why=None)
            problem.why = {"self": problem}
            raise problem
        error = travel(fail)
        self.assertIs(error.why["self"], error)

        def fail_speechless():
            problem = Speechless()
            problem.code = 7
            raise problem
        error = travel(fail_speechless)
        self.assertIsInstance(error, Speechless)
        self.assertEqual((error.code, str(error)), (7, "<Speechless: its __str__ raised RuntimeError>"))

    def test_a_class_that_is_not_known_here_leaves_the_text(self):
        error = travel(raise_hidden)
        self.assertIsInstance(error, funcx.RemoteError)
        self.assertEqual((error.type, error.message, str(error)), ("Hidden", "so", "Task a-task raised Hidden: so"))
        self.assertEqual(error.__cause__.__cause__.args, ("k",))


class Chains(unittest.TestCase):
    def test_a_cause_is_the_cause_of_the_remote_traceback(self):
        error = travel(captured_helpers.withdraw, "me", 5)
        self.assertIs(type(error), captured_helpers.Overdrawn)
        self.assertEqual((error.account, error.missing, str(error)), ("me", 5, "account me lacks 5"))
        remote = error.__cause__
        self.assertIs(type(remote), funcx.RemoteTraceback)
        self.assertRegex(str(remote), r"(?s)KeyError: 'me'.*direct cause.*Overdrawn: account me lacks 5")
        self.assertNotIn("funcx runtime", str(remote))
        self.assertEqual((type(remote.__cause__), remote.__cause__.args), (KeyError, ("me",)))
        text = "".join(traceback.format_exception(type(error), error, None))
        self.assertRegex(text, r"(?s)KeyError: 'me'.*RemoteTraceback: task a-task.*Overdrawn: account me lacks 5")

    def test_a_context_stays_one_also_where_it_was_silenced(self):
        def fail(silent):
            try:
                refuse("first")
            except Refused:
                if silent:
                    raise LookupError("second") from None
                raise LookupError("second")
        error = travel(fail, False)
        self.assertEqual((type(error.__context__), error.__context__.why, error.__cause__.__cause__), (Refused, "first", None))
        self.assertIn("During handling", str(error.__cause__))
        error = travel(fail, True)
        self.assertEqual((error.__context__.why, error.__cause__.__cause__), ("first", None))
        self.assertNotIn("During handling", str(error.__cause__))

    def test_a_chain_that_bites_its_tail(self):
        def fail():
            first, second = ValueError(1), KeyError(2)
            first.__cause__, second.__cause__ = second, first
            raise first
        error = travel(fail)
        self.assertEqual((type(error), error.__cause__.__cause__.args, error.__cause__.__cause__.__cause__), (ValueError, (2,), error))

    @unittest.skipUnless(hasattr(builtins, "ExceptionGroup"), "Python 3.11")
    def test_groups_and_notes(self):
        def fail():
            first = Refused("me", why=(1,))
            first.add_note("look here")
            raise ExceptionGroup("both", [first, ExceptionGroup("inner", [KeyError("k")])])  # noqa: F821
        error = travel(fail)
        self.assertEqual((type(error), error.message, str(error)), (ExceptionGroup, "both", "both (2 sub-exceptions)"))  # noqa: F821
        first, inner = error.exceptions
        self.assertEqual((type(first), first.why, first.__notes__), (Refused, (1,), ["look here"]))
        self.assertEqual((type(inner.exceptions[0]), inner.exceptions[0].args), (KeyError, ("k",)))
        self.assertEqual(len(error.split(KeyError)[0].exceptions), 1)
        self.assertNotIn("funcx runtime", str(error.__cause__))
        self.assertRegex(str(error.__cause__), r"\n  \| Exception.*both \(2 sub-exceptions\)\n")

    @unittest.skipUnless(hasattr(builtins, "ExceptionGroup"), "Python 3.11")
    def test_a_group_of_which_only_the_text_is_known(self):
        def fail():
            raise ExceptionGroup("both", [KeyError("k")])  # noqa: F821
        error = travel(fail, trusted=False)
        self.assertIsInstance(error, funcx.RemoteError)
        self.assertEqual((error.type, error.message), ("ExceptionGroup", "both (1 sub-exception)"))


def raise_it(which):
    if which == "file":
        open("/no/such/file")
    if which == "rename":
        import os
        os.rename("/no/such/file", "/no/such/other")
    if which == "decode":
        b"a\xff".decode("ascii")
    if which == "import":
        import no_such_module  # noqa: F401
    if which == "syntax":
        compile("a b\n", "somewhere.py", "exec")
    if which == "key":
        {}[("a", 1)]
    if which == "connection":
        raise ConnectionResetError(104, "reset")
    if which == "process":
        import subprocess
        subprocess.run(["false"], check=True, stdout=subprocess.PIPE)
    raise {"exit": SystemExit(3), "interrupt": KeyboardInterrupt(), "stop": StopIteration((5,)), "many": ValueError(1, [2], {"a": {3}})}[which]


class BuiltIn(unittest.TestCase):
    def test_they_are_what_they_were(self):
        fields = {
            "file": (FileNotFoundError, {"errno": 2, "filename": "/no/such/file", "args": (2, "No such file or directory")}),
            "rename": (FileNotFoundError, {"filename": "/no/such/file", "filename2": "/no/such/other"}),
            "decode": (UnicodeDecodeError, {"object": b"a\xff", "start": 1, "encoding": "ascii"}),
            "import": (ModuleNotFoundError, {"name": "no_such_module"}),
            "syntax": (SyntaxError, {"filename": "somewhere.py", "lineno": 1, "text": "a b\n"}),
            "key": (KeyError, {"args": (("a", 1),)}),
            "connection": (ConnectionResetError, {"errno": 104, "strerror": "reset", "filename": None}),
            "process": (__import__("subprocess").CalledProcessError, {"returncode": 1, "cmd": ["false"], "stdout": b""}),
            "exit": (SystemExit, {"code": 3}),
            "interrupt": (KeyboardInterrupt, {"args": ()}),
            "stop": (StopIteration, {"value": (5,)}),
            "many": (ValueError, {"args": (1, [2], {"a": {3}})}),
        }
        for which, (kind, expected) in fields.items():
            with self.subTest(which=which):
                error = travel(raise_it, which)
                self.assertIs(type(error), kind)
                self.assertEqual({name: getattr(error, name) for name in expected}, expected)
                self.assertNotIn("it lacks", str(error.__cause__))


class Trust(unittest.TestCase):
    def test_from_an_endpoint_that_is_not_trusted_the_text_is_read_and_nothing_else(self):
        error = travel(captured_helpers.withdraw, "me", 5, trusted=False)
        self.assertEqual((type(error).__name__, str(error), hasattr(error, "account")), ("Overdrawn", "account me lacks 5", False))
        self.assertRegex(str(error.__cause__), r"(?s)KeyError: 'me'.*direct cause.*Overdrawn")
        self.assertIsNone(error.__cause__.__cause__)

    def test_what_would_run_code_does_not(self):
        body, captured = fail_there(refuse, "so")
        found = json.loads(body)
        found["exception"] = base64.b64encode(b"cos\nabort\n(tR.").decode()
        error = read(json.dumps(found).encode(), refuse, captured, trusted=False)
        self.assertEqual((type(error).__name__, str(error)), ("Refused", "me was refused"))

    def test_others_read_the_same_as_ever_and_what_cannot_be_read_leaves_the_text(self):
        body, captured = fail_there(refuse, "so")
        found = json.loads(body)
        self.assertEqual((set(found), found["type"], found["message"]), ({"type", "message", "traceback", "exception"}, "Refused", "me was refused"))
        for other in (None, 5, "", "no base64", base64.b64encode(b"no pickle").decode(), base64.b64encode(pickle.dumps([])).decode(),
                      base64.b64encode(pickle.dumps([(1, 2)])).decode()):
            error = read(json.dumps({**found, "exception": other}).encode(), refuse, captured)
            self.assertEqual((type(error).__name__, str(error), hasattr(error, "why")), ("Refused", "me was refused", False))
            self.assertIn(", in refuse\n", str(error.__cause__))


class OnAnEndpoint(unittest.TestCase):
    def test_they_come_as_they_were_from_ones_own_and_as_text_from_others(self):
        with cluster.shared().client() as client:
            own = client.endpoint("test")
            with self.assertRaises(captured_helpers.Overdrawn) as caught:
                client.run(captured_helpers.withdraw, own, "me", 5)
            error = caught.exception
            self.assertEqual((type(error), error.account, error.missing), (captured_helpers.Overdrawn, "me", 5))
            self.assertEqual(error.__cause__.__cause__.args, ("me",))
            self.assertNotIn("funcx runtime", str(error.__cause__))
            for which, kind in (("exit", SystemExit), ("interrupt", KeyboardInterrupt)):
                error = client.submit(raise_it, own, (which,)).exception(cluster.PATIENCE)
                self.assertIs(type(error), kind)
        with cluster.shared().client() as client:
            with self.assertRaisesRegex(captured_helpers.Overdrawn, "account you lacks 6") as caught:
                client.run(captured_helpers.withdraw, dataclasses.replace(own, is_own=False), "you", 6)
            self.assertFalse(hasattr(caught.exception, "account"))

    def test_the_command_shows_the_texts_only(self):
        cli = cluster.PROGRAMS / "FuncX.Cli" / "funcx"
        if not cluster.FULL:
            self.skipTest("with --full")
        if not cli.exists():
            self.skipTest("%s is not built" % cli)
        own = cluster.shared()
        with own.client() as client:
            future = client.submit(captured_helpers.withdraw, "test", ("me", 5))
            self.assertEqual(future.exception(cluster.PATIENCE).account, "me")
            for how in ([], ["--json"]):
                done = subprocess.run([str(cli), "task", "result", future.task_id, "--service", own.address, "--token-file", str(own.token_file), *how],
                                      capture_output=True, text=True, env=cluster._environment())
                said = done.stdout + done.stderr
                self.assertNotEqual(done.returncode, 0)
                self.assertIn("Overdrawn", said)
                self.assertIn("account me lacks 5", said)
                self.assertNotIn(json.loads(fail_there(captured_helpers.withdraw, "me", 5)[0])["exception"][:12], said)


if __name__ == "__main__":
    unittest.main()
