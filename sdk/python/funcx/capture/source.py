"""Writes a module that defines a function and all that it refers to, from their sources and values."""
from __future__ import annotations

import ast
import base64
import builtins
import functools
import io
import pickle
import random
import re
import site
import symtable
import sys
import sysconfig
import textwrap
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType, ModuleType
from typing import Any, Dict, Iterable, List, Set, Tuple

from .._remote import PROTOCOL
from .texts import NotCapturable, class_text, find_code, function_text, written_functions

# Longer values are pickled: a module of megabytes of digits takes seconds to compile.
_LONGEST_LITERAL = 4096
_FUTURE = "from __future__ import annotations\n"
#: What functools.lru_cache and functools.cache make. Python pickles it by its name, which a worker does not have.
_Cached: type = type(functools.lru_cache(maxsize=None)(len))


class SourceCapture:
    """One function's module. Functions and classes of the user's own files are defined anew; those of installed packages are imported."""

    def __init__(self) -> None:
        self._blocks: List[str] = []
        self._late: List[str] = []
        # Names of the module that is written, and what they stand for; objects are kept, so that an id stays one.
        self._bound: Dict[str, Any] = {}
        self._names: Dict[int, str] = {}
        self._kept: List[Any] = []
        self._unfinished: Set[int] = set()
        self._counter = 0
        self.classes: Dict[str, type] = {}
        #: Kinds of generators of random numbers of which every worker gets a copy in the same state.
        self.generators: Set[str] = set()

    def expression(self, value: Any) -> str:
        """What stands for the value in the module."""
        value = _unwrapped(value)
        if isinstance(value, FunctionType) and _is_users(value):
            return self._define(value, self._define_function)
        if isinstance(value, type) and _is_users(value):
            return self._define(value, self._define_class)
        if isinstance(value, _Cached) and _is_users(value):
            return self._define(value, self._define_cached)
        if isinstance(value, (FunctionType, BuiltinFunctionType, type)) and _is_reachable(value):
            return self._import_from(value, value.__module__, value.__qualname__)
        if isinstance(value, ModuleType):
            return self._define(value, self._define_module)
        keeper = _keeper(value)
        if keeper:
            return self._import_from(value, keeper, value.__name__)
        text = _literal(value)
        return text if text is not None else self._pickled(value)

    def finish(self) -> List[str]:
        return self._blocks + self._late

    def _define(self, value: Any, write: Any) -> str:
        name = self._names.get(id(value))
        if name is None:
            name = getattr(value, "__name__", "")
            if not name.isidentifier() or name in self._bound or isinstance(value, ModuleType):
                self._counter += 1
                name = "_funcx_%d" % self._counter
            self._names[id(value)] = self._reserve(name, value)
            self._kept.append(value)
            self._unfinished.add(id(value))
            write(name, value)
            self._unfinished.discard(id(value))
        return name

    def _reserve(self, name: str, value: Any) -> str:
        self._bound[name] = value
        return name

    def _bind(self, name: str, value: Any, needed_by: str) -> None:
        """Makes a global of that name with that value."""
        value = _unwrapped(value)
        if name in self._bound:
            if self._bound[name] is not value:
                raise NotCapturable("it and what it refers to use the name '%s' for two different things (in %s)" % (name, needed_by))
            return
        if not (isinstance(value, (FunctionType, type, _Cached)) and _is_users(value) and getattr(value, "__name__", "") == name):
            self._reserve(name, value)
        try:
            expression = self.expression(value)
        except NotCapturable as problem:
            raise NotCapturable("global '%s' of %s: %s" % (name, needed_by, problem)) from None
        if expression != name:
            self._reserve(name, value)
            line = "%s = %s" % (name, expression)
            (self._late if id(value) in self._unfinished else self._blocks).append(line)

    def _bind_globals(self, text: str, cells: Iterable[str], own: str, available: Dict[str, Any], needed_by: str) -> None:
        for name in sorted(_globals_of(text, cells)):
            if name == own or name not in available:
                # A builtin, or an error that the user sees when the line runs, as at home.
                continue
            self._bind(name, available[name], needed_by)
            if isinstance(available[name], ModuleType):
                self._blocks.extend(_submodules(text, name, available[name]))

    def _define_function(self, name: str, function: FunctionType) -> None:
        code = function.__code__
        found = function_text(function)
        node: Any = found.node
        text = found.text
        needed_by = "'%s'" % function.__name__
        is_lambda = isinstance(node, ast.Lambda)
        changes_defaults = not _are_defaults_literal(node.args, function)
        if changes_defaults:
            node.args.defaults = [ast.Constant(None) for _ in node.args.defaults]
            node.args.kw_defaults = [default and ast.Constant(None) for default in node.args.kw_defaults]
            text = ast.unparse(node)
        own = name if is_lambda else node.name
        if is_lambda:
            text = "%s = %s" % (own, text)
        cells = dict(zip(code.co_freevars, function.__closure__ or ()))
        self._bind_globals(text, cells, own, function.__globals__, needed_by)
        # Recursion: its own name means this function only where it does so at home.
        if own in _globals_of(text, cells) and own not in cells and own in function.__globals__ and not is_lambda:
            self._bind_own(own, function, needed_by)
        if cells or own != name:
            text = self._factory(name, own, text, cells, function)
        self._check_compiled(text, function)
        self._blocks.append(text)
        if changes_defaults:
            self._blocks.append("%s.__defaults__ = %s" % (name, self.expression(function.__defaults__)))
            self._blocks.append("%s.__kwdefaults__ = %s" % (name, self.expression(function.__kwdefaults__)))

    def _define_cached(self, name: str, cached: Any) -> None:
        """With an empty cache, under the name of what it wraps: a function that calls itself calls the cached one."""
        function = cached.__wrapped__
        if not isinstance(function, FunctionType):
            raise NotCapturable("what '%s' keeps the results of is of type %s" % (name, type(function).__name__))
        known = self._names.get(id(function))
        self._names[id(function)] = name
        self._define_function(name, function)
        if known is None:
            del self._names[id(function)]
        else:
            self._names[id(function)] = known
        self._blocks.append("%s = __import__('functools').lru_cache(**%r)(%s)" % (name, cached.cache_parameters(), name))

    def _bind_own(self, own: str, function: FunctionType, needed_by: str) -> None:
        meant = _unwrapped(function.__globals__[own])
        if meant is not function or self._names[id(function)] != own:
            self._bind(own, meant, needed_by)

    def _factory(self, name: str, own: str, text: str, cells: Dict[str, Any], function: FunctionType) -> str:
        lines = ["def %s_make():" % name]
        for variable, cell in cells.items():
            try:
                value = cell.cell_contents
            except ValueError:
                # Not assigned yet: a name of the factory nevertheless.
                lines += ["    %s = None" % variable, "    del %s" % variable]
                continue
            if _unwrapped(value) is function:
                if variable != own:
                    lines.append("    %s = lambda *args, **kwargs: %s(*args, **kwargs)" % (variable, own))
                continue
            try:
                expression = self.expression(value)
            except NotCapturable as problem:
                raise NotCapturable("variable '%s' of the function around '%s': %s" % (variable, function.__name__, problem)) from None
            if id(_unwrapped(value)) in self._unfinished:
                raise NotCapturable("'%s' and '%s' refer to each other from inside a function" % (function.__name__, variable))
            # Through a global of its own: the variable may have the name of what it holds.
            self._counter += 1
            self._blocks.append("_funcx_%d = %s" % (self._counter, expression))
            lines.append("    %s = _funcx_%d" % (variable, self._counter))
        lines += [_indented(text), "    return %s" % own, "%s = %s_make()" % (name, name)]
        return "\n".join(lines)

    def _check_compiled(self, text: str, function: FunctionType) -> None:
        code = find_code(compile(_FUTURE + text, "<capture>", "exec", dont_inherit=True), function.__code__.co_name)
        if code is None or _shape(code) != _shape(function.__code__):
            raise NotCapturable("line %d of %s does not hold what '%s' was compiled from; it was changed after it was loaded, or by what loaded it"
                                % (function.__code__.co_firstlineno, function.__code__.co_filename, function.__name__))

    def _define_class(self, name: str, cls: type) -> None:
        for member in written_functions(cls):
            variables = sorted(set(member.__code__.co_freevars) - {"__class__"})
            if variables:
                raise NotCapturable("class %s uses variables of the function around it: %s" % (cls.__qualname__, ", ".join(variables)))
        found = class_text(cls)
        if name != cls.__name__:
            raise NotCapturable("it refers to two different things named '%s'" % cls.__name__)
        module = sys.modules.get(cls.__module__)
        available = dict(vars(module)) if module is not None else {}
        for member in written_functions(cls):
            available = member.__globals__
            break
        self._bind_globals(found.text, (), cls.__name__, available, "class %s" % cls.__qualname__)
        self._blocks.append(found.text)
        self.classes[name] = cls

    def _define_module(self, name: str, module: ModuleType) -> None:
        if module.__name__ == "__main__":
            raise NotCapturable("it refers to the module __main__ as a whole")
        self._blocks.append("import %s" % module.__name__)
        self._blocks.append("%s = __import__('sys').modules[%r]" % (name, module.__name__))

    def _import_from(self, value: Any, module: str, path: str) -> str:
        if module == "builtins" and getattr(builtins, value.__name__, None) is value:
            return str(value.__name__)
        name = self._names.get(id(value))
        if name is None:
            self._counter += 1
            name = self._names[id(value)] = "_funcx_%d" % self._counter
            self._kept.append(value)
            head, _, rest = path.partition(".")
            self._blocks.append("from %s import %s as %s" % (module, head, name))
            if rest:
                self._blocks.append("%s = %s.%s" % (name, name, rest))
        return name

    def _pickled(self, value: Any) -> str:
        output = io.BytesIO()
        try:
            _Writer(output, self).dump(value)
        except NotCapturable:
            raise
        except Exception as problem:
            raise NotCapturable("a value of type %s cannot be pickled: %s" % (type(value).__name__, problem)) from None
        return "_funcx.load(%r, globals())" % base64.b64encode(output.getvalue()).decode()

    def refer(self, value: Any) -> Any:
        """For a pickle: the name of what is in the module; None for what a pickle can hold itself."""
        value = _unwrapped(value)
        if _is_generator_of_random_numbers(value):
            self.generators.add("%s.%s" % (type(value).__module__, type(value).__qualname__))
        if isinstance(value, ModuleType) or isinstance(value, (FunctionType, type, _Cached)) and _is_users(value) or _keeper(value):
            name = self.expression(value)
            if id(value) in self._unfinished:
                raise NotCapturable("a value refers to '%s', which needs the value" % getattr(value, "__name__", name))
            return name
        return None


class _Writer(pickle.Pickler):
    def __init__(self, output: io.BytesIO, capture: SourceCapture) -> None:
        super().__init__(output, PROTOCOL)
        self._capture = capture

    def persistent_id(self, obj: Any) -> Any:
        return self._capture.refer(obj)


def _unwrapped(value: Any) -> Any:
    """A decorated function is captured as what was decorated."""
    return getattr(value, "__funcx_function__", value) if not isinstance(value, type) else value


def _indented(text: str) -> str:
    if '"""' in text or "'''" in text:
        # Lines of a string must stay where they are: the statement is written anew.
        text = ast.unparse(ast.parse(text))
    return textwrap.indent(text, "    ")


def _shape(code: CodeType) -> Tuple[Any, ...]:
    # Not the instructions: compilers choose them also by what else the module imports.
    return (code.co_names, code.co_varnames, code.co_freevars,
            tuple(_shape(item) if isinstance(item, CodeType) else repr(item) for item in code.co_consts))


def _are_defaults_literal(arguments: ast.arguments, function: FunctionType) -> bool:
    written = [*arguments.defaults, *(default for default in arguments.kw_defaults if default is not None)]
    by_name = function.__kwdefaults__ or {}
    live = [*(function.__defaults__ or ()),
            *(by_name.get(argument.arg) for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults) if default is not None)]
    if len(written) != len(live):
        return False
    for node, value in zip(written, live):
        if not isinstance(node, ast.Constant) or type(node.value) is not type(value) or node.value != value:
            return False
    return True


def _globals_of(text: str, cells: Iterable[str] = ()) -> Set[str]:
    """Names that the text takes from the module around it; those of annotations are none, and those of `cells` are of a function around it."""
    if cells:
        text = "def _funcx_around(%s):\n%s" % (", ".join(cells), textwrap.indent(text, "    "))
    found: Set[str] = set()
    top = symtable.symtable(_FUTURE + text, "<capture>", "exec")
    pending = [top]
    while pending:
        table = pending.pop()
        if "annotation" in str(table.get_type()).lower():
            continue
        for symbol in table.get_symbols():
            if symbol.is_global() if table is not top else symbol.is_referenced() and not symbol.is_assigned():
                found.add(symbol.get_name())
        pending.extend(table.get_children())
    return found


def _submodules(text: str, name: str, module: ModuleType) -> List[str]:
    """Imports of the parts of a package that the text reaches through it: somebody else imported them here."""
    found = set()
    for chain in re.findall(r"\b%s((?:\s*\.\s*\w+)+)" % re.escape(name), text):
        path = module.__name__
        for part in re.findall(r"\w+", chain):
            path += "." + part
            if path in sys.modules:
                found.add(path)
    return ["import %s" % path for path in sorted(found)]


def _literal(value: Any) -> Any:
    if not _is_literal(value, 0):
        return None
    text = repr(value)
    return text if len(text) <= _LONGEST_LITERAL else None


def _is_literal(value: Any, depth: int) -> bool:
    kind = type(value)
    if value is None or kind in (int, str, bool, bytes) or kind is float and value - value == 0.0:
        return True
    if depth > 20:
        return False
    if kind in (tuple, list):
        return all(_is_literal(item, depth + 1) for item in value)
    if kind is dict:
        return all(_is_literal(key, depth + 1) and _is_literal(item, depth + 1) for key, item in value.items())
    return False


def _is_reachable(value: Any) -> bool:
    module = sys.modules.get(getattr(value, "__module__", None) or "")
    if module is None:
        return False
    try:
        return functools.reduce(getattr, value.__qualname__.split("."), module) is value
    except AttributeError:
        return False


def _keeper(value: Any) -> str:
    """The installed module that has this method of an object of its own among its names, as `random` has `gauss`: a worker's module has an object of its own,
    with a state of its own. Empty for any other value."""
    owner = getattr(value, "__self__", None) if isinstance(value, (BuiltinFunctionType, MethodType)) else None
    if owner is None or isinstance(owner, (ModuleType, type)):
        return ""
    name = type(owner).__module__
    return name if is_installed(name) and getattr(sys.modules.get(name), value.__name__, None) is value else ""


def _is_generator_of_random_numbers(value: Any) -> bool:
    kind = type(value)
    if str(kind.__module__).startswith("numpy.random."):
        return kind.__name__ in ("Generator", "RandomState")
    return isinstance(value, random.Random) and not isinstance(value, random.SystemRandom)


def _is_users(value: Any) -> bool:
    """Whether it is of the user's own files, which a worker does not have."""
    return not is_installed(getattr(value, "__module__", None))


@functools.lru_cache(maxsize=None)
def is_installed(module_name: str) -> bool:
    """Whether a module is part of Python or of an installed package."""
    if not module_name or module_name in ("__main__", "__mp_main__"):
        return False
    module = sys.modules.get(module_name)
    if module is None:
        return False
    filename = getattr(module, "__file__", None)
    if filename is None:
        return module_name in sys.builtin_module_names or getattr(module, "__spec__", None) is not None
    paths = [sysconfig.get_paths()[key] for key in ("stdlib", "platstdlib", "purelib", "platlib")]
    paths += [*site.getsitepackages(), site.getusersitepackages()] if hasattr(site, "getsitepackages") else []
    return any(filename.startswith(path.rstrip("/") + "/") for path in paths) or "/site-packages/" in filename or "/dist-packages/" in filename
