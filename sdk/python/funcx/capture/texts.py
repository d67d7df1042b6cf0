"""Finds the text that a function or class was compiled from: in files, notebook cells and whatever else linecache knows."""
from __future__ import annotations

import ast
import copy
import functools
import linecache
import sys
import textwrap
from types import CodeType, FunctionType
from typing import Any, Iterator, List, Optional, Tuple, Union

FunctionNode = Union[ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda]


class NotCapturable(Exception):
    """Why it cannot be had from its source."""


class Text:
    """A definition's node and its lines, without indentation."""

    def __init__(self, node: ast.AST, lines: List[str]) -> None:
        self.node = node
        raw = "".join(lines[node.lineno - 1:node.end_lineno])  # type: ignore[attr-defined]
        text = textwrap.dedent(raw)
        try:
            kept = ast.parse(text).body
        except SyntaxError:
            kept = []
        # A string's continuation lines may stand further left than the definition, and other statements on its line.
        self.text = text.rstrip("\n") if len(kept) == 1 and type(kept[0]) is type(node) else ast.unparse(node)


def function_text(function: FunctionType) -> Text:
    """Without decorators: they have done their work, and this is what they were given or what they made."""
    code = function.__code__
    lines, tree = _parsed(code.co_filename, function.__name__)
    found = [node for node in ast.walk(tree) if _is_of(node, code)]
    if len(found) > 1:
        found = [node for node in found if _has_positions_of(node, code)]
    if not found:
        raise NotCapturable("line %d of %s, where it was compiled from, does not hold it any more" % (code.co_firstlineno, code.co_filename))
    if len(found) > 1:
        raise NotCapturable("several functions stand on line %d of %s; write one on a line, or a def" % (code.co_firstlineno, code.co_filename))
    node = copy.deepcopy(found[0])
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        node.decorator_list = []
        return Text(node, lines)
    text = Text.__new__(Text)
    text.node, text.text = node, ast.unparse(node)
    return text


def class_text(cls: type) -> Text:
    for filename in _files_of(cls):
        lines, tree = _parsed(filename, cls.__name__)
        found = [node for node in _classes(tree, "") if node[0] == cls.__qualname__]
        if found:
            # The last one with that name is the one that is bound.
            return Text(_with_decorators(copy.deepcopy(found[-1][1])), lines)
    raise NotCapturable("the source of class %s is not to be found" % cls.__qualname__)


def _with_decorators(node: ast.ClassDef) -> ast.ClassDef:
    if node.decorator_list:
        node.lineno = min(decorator.lineno for decorator in node.decorator_list)
    return node


def _classes(node: ast.AST, prefix: str) -> Iterator[Tuple[str, ast.ClassDef]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef):
            yield prefix + child.name, child
            yield from _classes(child, prefix + child.name + ".")
        elif isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield from _classes(child, prefix + child.name + ".<locals>.")
        else:
            yield from _classes(child, prefix)


def written_functions(cls: type) -> Iterator[FunctionType]:
    """The methods that the class's own text has: decorators such as dataclass add others."""
    for member in vars(cls).values():
        member = getattr(member, "__func__", getattr(member, "fget", member))
        if isinstance(member, FunctionType) and member.__qualname__.startswith(cls.__qualname__ + ".") \
                and member.__globals__.get("__name__") == cls.__module__ and member.__code__.co_filename != "<string>":
            yield member


def _files_of(cls: type) -> Iterator[str]:
    seen = set()
    for member in written_functions(cls):
        if member.__code__.co_filename not in seen:
            seen.add(member.__code__.co_filename)
            yield member.__code__.co_filename
    module = sys.modules.get(cls.__module__)
    filename = getattr(module, "__file__", None)
    if filename and filename.endswith(".py") and filename not in seen:
        yield filename
    # Cells of a notebook: the youngest first.
    for filename, entry in reversed(list(linecache.cache.items())):
        if filename not in seen and isinstance(entry, tuple) and len(entry) == 4 and entry[1] is None and cls.__module__ == "__main__":
            yield filename


def _parsed(filename: str, name: str) -> Tuple[List[str], ast.Module]:
    linecache.checkcache(filename)
    lines = linecache.getlines(filename)
    if not lines:
        raise NotCapturable("the source of '%s' is not to be found (%s)" % (name, filename))
    try:
        return lines, _tree("".join(lines))
    except SyntaxError as problem:
        raise NotCapturable("%s does not parse any more: %s" % (filename, problem)) from None


@functools.lru_cache(maxsize=16)
def _tree(text: str) -> ast.Module:
    """Whoever changes a node of it changes a copy."""
    return ast.parse(text)


def _is_of(node: ast.AST, code: CodeType) -> bool:
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        first = min([node.lineno] + [decorator.lineno for decorator in node.decorator_list])
        return node.name == code.co_name and first == code.co_firstlineno
    return isinstance(node, ast.Lambda) and code.co_name == "<lambda>" and node.lineno == code.co_firstlineno


def _has_positions_of(node: Any, code: CodeType) -> bool:
    if hasattr(code, "co_positions") and isinstance(node, ast.Lambda):
        seen = [(line, column) for line, _, column, _ in code.co_positions() if line is not None and column is not None]
        start, end = (node.body.lineno, node.body.col_offset), (node.body.end_lineno, node.body.end_col_offset)
        # The first instruction of some versions has the position of the whole.
        inside = [place for place in seen if place >= (node.lineno, node.col_offset) and place > (code.co_firstlineno, 0)]
        return bool(inside) and max(inside) < end and max(inside) >= start and _names(node) == _code_names(code)
    return _names(node) == _code_names(code)


def _names(node: FunctionNode) -> List[str]:
    arguments = node.args
    return [argument.arg for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)]


def _code_names(code: CodeType) -> List[str]:
    return list(code.co_varnames[:code.co_argcount + code.co_kwonlyargcount])


def find_code(code: CodeType, name: str) -> Optional[CodeType]:
    """The code object of that name inside another, the outermost first."""
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            if constant.co_name == name:
                return constant
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            found = find_code(constant, name)
            if found is not None:
                return found
    return None


