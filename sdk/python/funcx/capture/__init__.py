"""A live function as code that a worker can run."""
from __future__ import annotations

import ast
import base64
import functools
import importlib
import inspect
import pkgutil
import re
import sys
import threading
import warnings
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Tuple

from .. import _remote
from ..errors import NotSerialisable
from .source import SourceCapture, is_installed
from .texts import NotCapturable

#: The name that a module written here is called by; a registered function with another one was not written here.
ENTRY = "_funcx_entry"
STRATEGIES = ("auto", "source", "pickle")


@dataclass(frozen=True)
class Captured:
    """What is registered, and the classes that its results may have."""

    source: str
    requires: Tuple[str, ...] = ()
    #: Under which Python, and with what, it was pickled; empty for source.
    pickled: str = ""
    #: Classes that the code defines anew on the worker, by their name there.
    classes: Dict[str, type] = field(default_factory=dict)


def capture(function: Callable[..., Any], strategy: str = "auto") -> Captured:
    """The function's source and all that it refers to, or (`pickle`) what cloudpickle or dill make of it; `auto` tries them in this order.

    Globals, closures and defaults have the values of this moment. A function of an installed package is imported on the worker.
    """
    if strategy not in STRATEGIES:
        raise ValueError("strategy '%s' is none; there are %s" % (strategy, ", ".join(STRATEGIES)))
    name = name_of(function)
    _check(function, name)
    reasons: List[str] = []
    for way, make in (("source", _from_source), ("pickle", _from_pickle)):
        if strategy in ("auto", way):
            try:
                return make(function, name)
            except NotCapturable as problem:
                reasons.append("as %s: %s" % (way, problem))
    raise NotSerialisable("Function '%s' cannot travel. %s" % (name, "; ".join(reasons)))


def name_of(function: Callable[..., Any]) -> str:
    """For people; at most 128 characters."""
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__name__", None) or type(function).__name__
    return name[:128]


def _check(function: Callable[..., Any], name: str) -> None:
    if not callable(function):
        raise TypeError("%r (of type %s) cannot be called: a function, a lambda or another callable is due" % (function, type(function).__name__))
    target = function
    while isinstance(target, functools.partial):
        target = target.func
    if inspect.isgeneratorfunction(target) or inspect.isasyncgenfunction(target):
        raise NotSerialisable("Function '%s' is a generator: what it yields cannot leave its worker one by one. Return a list, or register what makes one item "
                              "and map it." % name)


def _is_coroutine(function: Callable[..., Any]) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    return inspect.iscoroutinefunction(function)


@functools.lru_cache(maxsize=None)
def _runtime() -> str:
    data = pkgutil.get_data("funcx", "_remote.py")
    assert data is not None
    return data.decode()


def _module(name: str, body: List[str], expression: str, is_coroutine: bool) -> str:
    return "\n".join([
        "# Written by funcx from the live object %s." % ascii(name),
        "from __future__ import annotations",
        "_funcx = type(__import__('sys'))('funcx_runtime')",
        "exec(compile(%r, '<funcx runtime>', 'exec'), _funcx.__dict__)" % _runtime(),
        *body,
        "%s = _funcx.wrap(%s%s)" % (ENTRY, expression, ", is_coroutine=True" if is_coroutine else ""),
        ""])


def _from_source(function: Callable[..., Any], name: str) -> Captured:
    captured = SourceCapture()
    try:
        expression = captured.expression(function)
    except RecursionError:
        raise NotCapturable("what it refers to is nested too deeply") from None
    if captured.generators:
        warnings.warn("Function '%s' refers to a generator of random numbers (%s): each worker begins with a copy of it in its present state, and all draw the same "
                      "numbers. Make one in the function, from a seed that each call is given." % (name, ", ".join(sorted(captured.generators))))
    body = captured.finish()
    return Captured(_module(name, body, expression, _is_coroutine(function)), _syntax_of("\n".join(body)), classes=captured.classes)


def _syntax_of(text: str) -> Tuple[str, ...]:
    """What a node must have to read the text: the endpoint refuses before anything runs where no node has it."""
    for minor in range(8, sys.version_info[1] + 1):
        try:
            ast.parse(text, feature_version=(3, minor))
            return ("python>=3.%d" % minor,) if minor > 8 else ()
        except SyntaxError:
            continue
    return ()


def pickler() -> Tuple[str, Any]:
    """The package that pickles functions and classes by value."""
    for candidate in _remote.PICKLERS:
        try:
            return candidate, importlib.import_module(candidate)
        except ImportError:
            continue
    raise NotCapturable("neither cloudpickle nor dill is installed here")


_by_value = threading.Lock()


def dumps_by_value(pickler_name: str, module: Any, value: Any) -> bytes:
    """Also what is of the user's own modules, which a worker cannot import. dill knows no such thing: it refers to them by name."""
    if not hasattr(module, "register_pickle_by_value"):
        data = module.dumps(value, protocol=_remote.PROTOCOL)
        own = sorted(name for name in _own_modules() if re.search(rb"\b%s\b" % re.escape(name.encode()), data))
        if own:
            raise NotCapturable("%s refers to module %s by name, which a worker cannot import; cloudpickle would do" % (pickler_name, ", ".join(own)))
        return bytes(data)
    # The registry is the pickler's own and the whole program's: what is in it already stays.
    with _by_value:
        own = [name for name in _own_modules() if name not in module.list_registry_pickle_by_value()]
        for name in own:
            module.register_pickle_by_value(sys.modules[name])
        try:
            return bytes(module.dumps(value, protocol=_remote.PROTOCOL))
        finally:
            for name in own:
                module.unregister_pickle_by_value(sys.modules[name])


def _own_modules() -> List[str]:
    return [name for name, module in list(sys.modules.items())
            if getattr(module, "__file__", None) and getattr(module, "__name__", None) == name and name != "__main__" and not is_installed(name)
            and name.partition(".")[0] != "funcx"]


def stamp(pickler_name: str, module: Any) -> Tuple[str, str, List[int]]:
    """What `check_pickle` on the worker compares with what it has."""
    return pickler_name, str(getattr(module, "__version__", "0")), list(sys.version_info[:2])


def _from_pickle(function: Callable[..., Any], name: str) -> Captured:
    pickler_name, module = pickler()
    try:
        data = dumps_by_value(pickler_name, module, function)
    except NotCapturable:
        raise
    except Exception as problem:
        raise NotCapturable("%s: %s: %s" % (pickler_name, type(problem).__name__, problem)) from problem
    _, version, python = stamp(pickler_name, module)
    expression = "_funcx.load_function(%r, %r, %r, %r, %r)" % (
        base64.b64encode(data).decode(), "function '%s'" % name, pickler_name, version, python)
    # Byte code is for one minor version of Python: the endpoint refuses before anything runs where no node has it.
    requires = "python>=%d.%d,<%d.%d" % (python[0], python[1], python[0], python[1] + 1)
    return Captured(_module(name, [], expression, _is_coroutine(function)), (requires,), "Python %d.%d with %s %s" % (python[0], python[1], pickler_name, version))
