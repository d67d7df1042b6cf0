"""Tasks without a value, as exceptions."""
from __future__ import annotations

import ast
import builtins
import json
import re
import sys
from typing import Any, Dict, Mapping, Optional, Type

from . import errors
from .carried import Carried
from .errors import RemoteTraceback, TaskError
from .values import Codec

VALUE, EXCEPTION, TIMED_OUT, CANCELLED, LOST, TOO_LARGE, REJECTED, EXPIRED = 1, 2, 3, 4, 5, 7, 8, 9

OUTCOMES = {VALUE: "value", EXCEPTION: "exception", TIMED_OUT: "timed out", CANCELLED: "cancelled", LOST: "lost", TOO_LARGE: "too large",
            REJECTED: "rejected", EXPIRED: "expired"}

_KINDS: Dict[int, Type[TaskError]] = {
    TIMED_OUT: errors.TaskTimeout, CANCELLED: errors.TaskCancelled, LOST: errors.TaskLost, TOO_LARGE: errors.ResultTooLarge,
    REJECTED: errors.TaskRejected, EXPIRED: errors.TaskExpired}

_TEXTS = {
    TIMED_OUT: "Task %s ran longer than its walltime: %s", CANCELLED: "Task %s was cancelled: %s", LOST: "Task %s was lost: %s",
    TOO_LARGE: "Task %s has a result that is too large: %s", REJECTED: "Task %s could not run there: %s",
    EXPIRED: "Task %s did not start before its deadline: %s"}

# Frames of what travels with the function; the user did not write them.
_OWN_FRAME = re.compile(r'^([ |]*)  File "<funcx runtime>", line \d+, in \w+\n(?:\1    [^\n]*\n)*', re.M)


def failure(task_id: str, outcome: int, body: bytes, stdout: bytes = b"", stderr: bytes = b"", code: int = 0,
            scope: Optional[Mapping[str, Any]] = None, hint: str = "", codec: Optional[Codec] = None) -> BaseException:
    """The exception of a task. One that the function raised is of its own class when that is known here: built in, among what the function refers to
    (`scope`), or in a module that this program has imported; from an endpoint that `codec` trusts, wherever it can be imported from, and with what it
    held there. `hint` ends the text of one that could not run."""
    found = _read(outcome, body)
    kind, message, trace = found["type"], found["message"], found.get("traceback")
    details: Dict[str, Any] = {"task_id": task_id, "outcome": OUTCOMES.get(outcome, str(outcome)), "type": kind, "message": message, "traceback": trace,
               "stdout": stdout.decode(errors="replace"), "stderr": stderr.decode(errors="replace"), "code": code}
    if outcome != EXCEPTION:
        text = "Task %s did not run: %s" if kind == "DependencyFailed" else _TEXTS.get(outcome, "Task %%s ended as %s: %%s" % details["outcome"])
        return _KINDS.get(outcome, TaskError)(text % (task_id, message) + (hint if outcome == REJECTED and kind != "DependencyFailed" else ""), **details)
    trace = _OWN_FRAME.sub("", trace or "")

    def unknown(kind: str, message: str) -> BaseException:
        return errors.RemoteError("Task %s raised %s: %s" % (task_id, kind.rpartition(".")[2], message), **dict(details, type=kind, message=message))

    def from_text(cls: Optional[Type[BaseException]], message: str) -> BaseException:
        return unknown(kind, message) if cls is None else _rebuild(cls, message) or unknown(cls.__name__, message)

    carried = _carried(found.get("exception"), codec, scope or {}, message, from_text, unknown)
    if carried is None or not carried.is_known:
        error = from_text(_class(kind, trace, scope or {}), message)
    else:
        error = carried.error
        _ensure_text(error, message)
    if carried is not None:
        trace += "".join("[funcx: it lacks %s]\n" % what for what in carried.missing)
        BaseException.__setattr__(error, "__context__", carried.context)
    if trace:
        cause = RemoteTraceback(trace, task_id, details["stdout"], details["stderr"])
        cause.__cause__ = None if carried is None else carried.cause
        # Not by the class's own way: it may be one that refuses changes.
        BaseException.__setattr__(error, "__cause__", cause)
    return error


def _carried(text: Any, codec: Optional[Codec], scope: Mapping[str, Any], message: str, from_text: Any, unknown: Any) -> Optional[Carried]:
    """What came of the exception itself; None where nothing did, or nothing that may and can be read."""
    if not isinstance(text, str) or codec is None or not (codec.wrapped and codec.trusted):
        return None
    try:
        return Carried(text, codec, scope, message, from_text, unknown)
    except (Exception, SystemExit):
        return None


def _read(outcome: int, body: bytes) -> Dict[str, Any]:
    try:
        found = json.loads(body)
        if isinstance(found, dict) and isinstance(found.get("type"), str) and isinstance(found.get("message"), str):
            return found
    except ValueError:
        pass
    text = body[:1024].decode(errors="replace") if body else "no further detail was given"
    return {"type": OUTCOMES.get(outcome, str(outcome)), "message": text}


def _class(name: str, trace: str, scope: Mapping[str, Any]) -> Optional[Type[BaseException]]:
    """Only among classes that are here already: a result never makes this program import anything."""
    for where in (scope, vars(builtins)):
        found = where.get(name)
        if isinstance(found, type) and issubclass(found, BaseException):
            return found
    for line in reversed(trace.splitlines()):
        match = re.match(r"([\w.]+)\.%s(?::|$)" % re.escape(name), line)
        if match:
            found = getattr(sys.modules.get(match.group(1)), name, None)
            return found if isinstance(found, type) and issubclass(found, BaseException) else None
    return None


def _rebuild(cls: Type[BaseException], message: str) -> Optional[BaseException]:
    """What is known of it is its text. Where the class cannot be made from that, it is made without its constructor, or not at all."""
    try:
        if issubclass(cls, KeyError) and cls.__str__ is KeyError.__str__:
            return cls(_literal(message))
        if issubclass(cls, OSError):
            match = re.match(r"\[Errno (\d+)\] (.*?)(?:: ('.*'|\".*\"))?$", message, re.S)
            if match:
                number, text, filename = match.groups()
                return cls(int(number), text, _literal(filename)) if filename else cls(int(number), text)
        if issubclass(cls, SystemExit) and re.fullmatch(r"-?\d+", message):
            return cls(int(message))
        error = cls(message) if message else cls()
        if str(error) == message:
            return error
    except Exception:
        pass
    try:
        error = cls.__new__(cls, message)  # type: ignore[call-arg]
        error.args = (message,)
        if str(error) == message:
            return error
    except Exception:
        pass
    try:
        sub = _with_text(cls, message)
        return sub.__new__(sub, message)  # type: ignore[call-arg]
    except Exception:
        return None


def _with_text(cls: Type[BaseException], message: str) -> Type[BaseException]:
    """For a class that makes its text from what is not here: a subclass of the same name that keeps the text."""
    return type(cls.__name__, (cls,), {"__str__": lambda self: message, "__init__": lambda self, *_: None,
                                       "__module__": cls.__module__, "__qualname__": cls.__qualname__})


def _ensure_text(error: BaseException, message: str) -> None:
    try:
        str(error)
    except Exception:
        try:
            error.__class__ = _with_text(type(error), message)  # type: ignore[assignment]
        except TypeError:
            # It keeps its class as it is; the traceback has the text.
            pass


def _literal(text: str) -> Any:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def scope_of(function: Any) -> Dict[str, Any]:
    """Classes of exceptions that a live function can name."""
    found: Dict[str, Any] = {}
    pending, seen = [function], set()
    while pending:
        target = pending.pop()
        target = getattr(target, "__funcx_function__", getattr(target, "func", getattr(target, "__func__", target)))
        available = getattr(target, "__globals__", None)
        if available is None or id(available) in seen:
            continue
        seen.add(id(available))
        for name, value in list(available.items()):
            if isinstance(value, type) and issubclass(value, BaseException):
                found.setdefault(value.__name__, value)
        for cell in getattr(target, "__closure__", None) or ():
            try:
                value = cell.cell_contents
            except ValueError:
                continue
            if isinstance(value, type) and issubclass(value, BaseException):
                found.setdefault(value.__name__, value)
            elif callable(value):
                pending.append(value)
    return found
