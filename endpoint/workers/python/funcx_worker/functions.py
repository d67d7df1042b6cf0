"""The functions a worker was given, compiled when their first task comes."""
import json
import linecache
import re
import sys
from operator import attrgetter
from types import ModuleType

from .failures import Refusal, describe
from .frames import REJECTED, ProtocolError


class FunctionUnusable(Exception):
    """The function's source does not compile or run, or lacks its entry point. `body` is the failure of each of its tasks."""

    def __init__(self, body):
        super().__init__("the function cannot be used")
        self.body = body


class Functions:
    """By number. One worker's own: nothing here is shared with another worker or outlives it."""

    def __init__(self):
        self._definitions = {}
        self._entries = {}

    def define(self, number, body):
        """`body`: the bytes of a Function frame."""
        try:
            definition = json.loads(bytes(body).decode())
            if not isinstance(definition, dict):
                raise ValueError("not an object")
        except ValueError as error:
            raise ProtocolError("the definition of function number %d is not a JSON object: %s" % (number, error)) from None
        self._definitions[number] = definition
        self._entries.pop(number, None)

    def entry(self, number):
        """The callable of function `number`. Raises Refusal or FunctionUnusable, the same one each time."""
        found = self._entries.get(number)
        if found is None:
            found = self._entries[number] = self._load(number)
        if isinstance(found, Exception):
            raise found.with_traceback(None)
        return found

    def _load(self, number):
        definition = self._definitions.get(number)
        if definition is None:
            return Refusal(REJECTED, "FunctionUnknown", "task of function number %d, which this worker was never sent" % number)
        name, kind = definition.get("name") or "function", definition.get("kind")
        if kind != "python":
            return Refusal(REJECTED, "FunctionKind", "function '%s' is of kind '%s'; a Python worker runs kind 'python'" % (name, kind))
        missing = [key for key in ("entry", "source") if not isinstance(definition.get(key), str)]
        if missing:
            return Refusal(REJECTED, "FunctionIncomplete", "the definition of function '%s' has no %s" % (name, " and no ".join(missing)))
        try:
            return _compile(definition, name, number)
        except BaseException as error:  # the source's top level is user code: SystemExit and the like included
            return FunctionUnusable(describe(error))


def _compile(definition, name, number):
    identity = re.sub(r"\W", "", str(definition.get("id") or number))
    module = ModuleType("funcx_" + identity)
    filename = "<funcx %s %s>" % (name, identity[:12])
    source = definition["source"]
    # For tracebacks and inspect: without a modification time linecache never looks for a file.
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)
    module.__file__ = filename
    # Pickle finds classes and functions by their module's name.
    sys.modules[module.__name__] = module
    exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)
    entry_name = definition["entry"]
    try:
        entry = attrgetter(entry_name)(module)
    except AttributeError:
        names = sorted(key for key, value in vars(module).items() if callable(value) and not key.startswith("_"))
        raise AttributeError("the source of function '%s' defines no '%s'; it defines: %s"
                             % (name, entry_name, ", ".join(names[:50]) or "nothing callable")) from None
    if not callable(entry):
        raise TypeError("'%s' in the source of function '%s' is of type %s and cannot be called" % (entry_name, name, type(entry).__name__))
    return entry
