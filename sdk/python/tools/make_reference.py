#!/usr/bin/env python3
"""Writes docs/reference.md from the signatures and docstrings of the package, with the standard library only."""
import argparse
import inspect
import pathlib
import re
import sys
import typing

PACKAGE = pathlib.Path(__file__).resolve().parents[1]
OUTPUT = PACKAGE / "docs" / "reference.md"
sys.path.insert(0, str(PACKAGE))

import funcx  # noqa: E402
from funcx import containers, registry  # noqa: E402

STANDARD = ("as_completed", "wait", "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION")
# Names of funcx.__all__, and what hangs on a Client. A name that is in no section stops the tool.
SECTIONS = (
    ("Calling", ("Executor", "TaskFuture", "as_completed", "wait", "ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION", "function", "RemoteFunction",
                 "ShellFunction", "ShellResult", "Settings", "Retry")),
    ("Client", ("Client", "Functions", "Containers", "Endpoints", "Groups", "Function", "Container", "Endpoint", "Group", "TaskStatus", "default_client")),
    ("asyncio", ("AsyncClient", "AsyncExecutor")),
    ("Errors", ("FuncXError", "Unreachable", "NotAuthorised", "NotFound", "Refused", "ForkedProcess", "NotSerialisable", "UntrustedResult", "TaskError",
                "TaskTimeout", "TaskCancelled", "TaskLost", "ResultTooLarge", "TaskRejected", "TaskExpired", "RemoteError", "RemoteTraceback")),
)
#: Of the classes, those that users make themselves.
CONSTRUCTED = ("Executor", "ShellFunction", "Settings", "Retry", "Container", "Client", "AsyncClient", "AsyncExecutor")
#: What is public to the rest of the package and no business of a user's says so first.
INTERNAL = "For the SDK itself"


def main(output: pathlib.Path) -> None:
    listed = {name for _, names in SECTIONS for name in names}
    missing = sorted(set(funcx.__all__) - listed)
    if missing:
        sys.exit("make_reference: %s in funcx.__all__, and in no section of the reference" % ", ".join(missing))
    lines = ["# Reference", "", "Everything that `import funcx` gives. Made from the package by `tools/make_reference.py`; the [tour](tour.md) shows it at work.", ""]
    for title, names in SECTIONS:
        lines += ["## " + title, ""]
        standard = ["`funcx.%s`" % name for name in names if name in STANDARD]
        if standard:
            lines += ["%s and %s are those of `concurrent.futures`." % (", ".join(standard[:-1]), standard[-1]), ""]
        for name in names:
            if name in STANDARD:
                continue
            lines += entry(name, getattr(funcx, name, None) or getattr(registry, name, None) or getattr(containers, name))
    output.write_text("\n".join(lines).rstrip("\n") + "\n", encoding="utf-8")


def entry(name, value):
    if not isinstance(value, type):
        return ["### `funcx.%s`" % name, "", "`%s%s`" % (name, signature(value)), "", text(value, name), ""]
    lines = ["### %s" % ("`funcx.%s`" % name if name in funcx.__all__ else "`%s`" % name), ""]
    if name in CONSTRUCTED:
        lines += ["`%s%s`" % (name, signature(value.__init__, bound=True)), ""]
    bases = [base.__name__ for base in value.__bases__ if base not in (object, typing.Generic)]
    lines += [text(value, name), ""]
    if bases:
        lines += ["A subclass of %s." % " and ".join("`%s`" % base for base in bases), ""]
    described = attributes(value)
    lines += ["- `%s`%s" % (attribute, ": " + said if said else "") for attribute, said in described]
    lines += [""] if described else []
    for member, held in members(value):
        if isinstance(held, property):
            lines += ["**`.%s`** %s" % (member, text(held.fget, member)), ""]
        else:
            raw = getattr(held, "__func__", held)
            word = "async " if inspect.iscoroutinefunction(raw) else ""
            lines += ["**`%s.%s%s`**" % (word, member, signature(raw, bound=True)), "", text(raw, member), ""]
    return lines


def members(cls):
    """Public methods and properties of the class's own, in the order in which they are written."""
    for name, held in vars(cls).items():
        target = held.fget if isinstance(held, property) else getattr(held, "__func__", held)
        if name.startswith("_") or not inspect.isfunction(target) or (target.__doc__ or "").startswith(INTERNAL):
            continue
        yield name, held


def attributes(cls):
    """Fields of a dataclass, attributes of an exception, and what `#:` comments describe in other classes: name and text."""
    found, said = [], []
    fields = set(getattr(cls, "__dataclass_fields__", ()))
    for line in inspect.getsource(cls).splitlines():
        comment = re.match(r"\s+#: (.*)", line)
        assigned = re.match(r"\s+(?:self\.)?([a-z]\w*)(?:: [^=]+)?(?: = .*)?$", line)
        if comment:
            said.append(comment.group(1))
            continue
        if assigned and (assigned.group(1) in fields or "self." in line and (said or issubclass(cls, BaseException))) and assigned.group(1) not in dict(found):
            found.append((assigned.group(1), " ".join(said)))
        said = []
    return found


def text(target, name):
    found = inspect.getdoc(target) if target.__doc__ else None
    if not found:
        sys.exit("make_reference: '%s' (%s) has no docstring" % (name, target.__module__))
    paragraphs = re.split(r"\n\s*\n", found)
    # What the docstrings list is a list here, too.
    return "\n\n".join(re.sub(r"(?m)^`", "- `", paragraph) if re.match(r"`[\w`, ]+(\([^)]*\))?`?: ", paragraph) and "\n" in paragraph else paragraph
                       for paragraph in paragraphs)


def signature(target, bound=False):
    parts, named = [], False
    parameters = list(inspect.signature(target).parameters.values())[1 if bound else 0:]
    for number, parameter in enumerate(parameters):
        kind = parameter.kind
        if kind is parameter.KEYWORD_ONLY and not named:
            parts.append("*")
        named = named or kind in (parameter.KEYWORD_ONLY, parameter.VAR_POSITIONAL)
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(kind, "")
        written = stars + parameter.name + _annotation(parameter)
        if parameter.default is not parameter.empty:
            written += " = " + ("..." if repr(parameter.default).startswith("<") else repr(parameter.default))
        parts.append(written)
        later = parameters[number + 1].kind if number + 1 < len(parameters) else None
        if kind is parameter.POSITIONAL_ONLY and later is not parameter.POSITIONAL_ONLY:
            parts.append("/")
    returned = inspect.signature(target).return_annotation
    arrow = "" if returned is inspect.Signature.empty or returned in ("None", None) else " -> " + _plain(returned)
    return "(%s)%s" % (", ".join(parts), arrow)


def _annotation(parameter):
    if parameter.annotation is parameter.empty or parameter.annotation in ("Any", "'Any'"):
        return ""
    return ": " + _plain(parameter.annotation)


def _plain(annotation):
    # They are texts: every module begins with `from __future__ import annotations`.
    written = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", str(annotation))
    # What a call gives is as its function says, which is for type checkers.
    written = re.sub(r"['\"]", "", written)
    return re.sub(r"\b_T\b", "Any", re.sub(r"\b(TaskFuture|RemoteFunction)\[(Any|_T)\]", r"\1", written))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=pathlib.Path, default=OUTPUT)
    main(parser.parse_args().output)
