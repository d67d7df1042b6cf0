"""Arguments and results as bytes, and back."""
from __future__ import annotations

import io
import importlib
import json
import json.encoder
import pickle
import sys
from json.encoder import encode_basestring_ascii as _quote  # type: ignore[attr-defined]
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

from ._remote import CALL, EXACT, PROTOCOL, is_exact, pack, unpack
from .capture import dumps_by_value, pickler, stamp
from .capture.source import is_installed
from .capture.texts import NotCapturable
from .errors import FuncXError, NotSerialisable, UntrustedResult

NO_CONTENT, JSON, PICKLE, OCTETS = 0, 1, 2, 3
_PYTHON = list(sys.version_info[:2])
SERIALISERS = ("auto", "json", "pickle")

Body = Union[str, bytes]


def _default(value: Any) -> Any:
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


# JSONEncoder.encode makes one of these for every call; it is the larger part of its cost.
_make_encoder = getattr(json.encoder, "c_make_encoder", None)
if _make_encoder is not None:
    _pieces = _make_encoder(None, _default, _quote, None, ":", ",", False, False, True)

    def to_json(value: Any) -> str:
        return "".join(_pieces(value, 0))
else:
    to_json = json.JSONEncoder(default=_default, separators=(",", ":"), check_circular=False).encode  # type: ignore[assignment]

from_json = json.loads
_read_first = json.JSONDecoder().raw_decode


class Codec:
    """How one function's calls travel. `wrapped`: it was registered from a live object, and reads and gives packed values.
    `read`: what makes a result of a value of other functions."""

    def __init__(self, function_id: str, wrapped: bool, trusted: bool, endpoint: str, classes: Optional[Mapping[str, type]] = None,
                 serialiser: str = "auto", read: Optional[Callable[[Any], Any]] = None) -> None:
        if serialiser not in SERIALISERS:
            raise ValueError("serialiser '%s' is none; there are %s" % (serialiser, ", ".join(SERIALISERS)))
        if serialiser == "pickle" and not wrapped:
            raise ValueError("serialiser 'pickle' is for functions that were registered from a live object; this one takes JSON")
        if serialiser == "pickle" and not trusted:
            raise UntrustedResult("serialiser 'pickle' gives pickled results, and endpoint '%s' is not yours; name it in trust if you trust whoever runs it" % endpoint)
        self.function_id = function_id
        self.wrapped = wrapped
        self.trusted = trusted
        self.endpoint = endpoint
        self.serialiser = serialiser
        self._read = read
        self.classes = dict(classes or {})
        self._module = "funcx_" + function_id
        self._names = {id(cls): name for name, cls in self.classes.items()}

    def encode(self, args: Sequence[Any], kwargs: Optional[Mapping[str, Any]] = None) -> Tuple[int, Body]:
        """Content type and body of a call; JSON is ASCII text, so that its length in bytes is its length."""
        if not kwargs:
            if len(args) == 1 and self.serialiser != "pickle":
                only = args[0]
                kind = type(only)
                if kind is int:
                    return JSON, "[%d]" % only
                if kind is str:
                    return JSON, "[%s]" % _quote(only)
            if self.serialiser != "pickle" and self._are_exact(args):
                return JSON, to_json(args)
            return self._encode_other(args, {})
        if self.serialiser != "pickle" and self._are_exact(args) and self._are_exact(kwargs.values()):
            return JSON, to_json({"args": args, "kwargs": kwargs} if args else {"kwargs": kwargs})
        return self._encode_other(args, dict(kwargs))

    @staticmethod
    def _are_exact(values: Any) -> bool:
        if EXACT.issuperset(map(type, values)):
            return True
        try:
            return all(map(is_exact, values))
        except RecursionError:
            return False

    def _encode_other(self, args: Sequence[Any], kwargs: Dict[str, Any]) -> Tuple[int, Body]:
        args = tuple(args)
        if not self.wrapped:
            # Tuples are arrays to a function that takes JSON; what JSON cannot carry is an error.
            try:
                return JSON, to_json({"args": args, "kwargs": kwargs} if kwargs else args)
            except (TypeError, ValueError, RecursionError) as problem:
                raise NotSerialisable("The arguments are not JSON (%s), and this function was not registered from a live Python object: it takes JSON only"
                                      % problem) from None
        if self.serialiser == "json" or not self.trusted:
            def refuse(value: Any) -> bytes:
                raise NotSerialisable("an argument of type %s has no form in JSON, and serialiser is 'json'" % type(value).__name__)
            dumps = refuse if self.serialiser == "json" else self._dump
            return JSON, to_json({"kwargs": {CALL: {"args": pack(args, dumps), "kwargs": pack(kwargs, dumps)}}})
        try:
            return PICKLE, self._dump((args, {CALL: _PYTHON, **kwargs}))
        except NotSerialisable as problem:
            return PICKLE, self._dump_by_value(args, kwargs, problem)

    def _dump(self, value: Any) -> bytes:
        output = io.BytesIO()
        try:
            _Writer(output, self._module, self._names).dump(value)
        except NotSerialisable:
            raise
        except Exception as problem:
            raise NotSerialisable("a value cannot be pickled: %s: %s" % (type(problem).__name__, problem)) from problem
        return output.getvalue()

    def _dump_by_value(self, args: Tuple[Any, ...], kwargs: Dict[str, Any], reason: NotSerialisable) -> bytes:
        try:
            name, module = pickler()
            inner = dumps_by_value(name, module, (args, kwargs))
        except NotCapturable as problem:
            raise NotSerialisable("The arguments cannot travel: %s; %s. Install cloudpickle, or mention the class in the function." % (reason, problem)) from None
        except Exception as problem:
            raise NotSerialisable("The arguments cannot travel: %s; %s: %s" % (reason, type(problem).__name__, problem)) from problem
        _, version, python = stamp(name, module)
        return pickle.dumps(((), {CALL: {"pickle": inner, "pickler": name, "version": version, "python": python}}), PROTOCOL)

    def decode(self, content_type: int, body: bytes) -> Any:
        """A value, which its worker encoded."""
        if content_type == JSON:
            value = from_json(body)
            if self._read is not None:
                return self._read(value)
            return unpack(value, self._load) if self.wrapped and b'"$' in body else value
        if content_type == PICKLE:
            return self._load(body)
        if content_type == OCTETS:
            return bytes(body)
        if content_type == NO_CONTENT:
            return None
        raise FuncXError("a result has content type %d, which this release does not know" % content_type)

    def decode_all(self, bodies: List[bytes]) -> List[Any]:
        """JSON values, in one go: a call of the reader for each would cost more than the reading."""
        try:
            text = (b"[" + b",".join(bodies) + b"]").decode()
            values, end = _read_first(text)
            if end == len(text) and len(values) == len(bodies) and not (self.wrapped and '"$' in text):
                return values if self._read is None else [self._read(value) for value in values]
        except ValueError:
            pass
        return [self.decode(JSON, body) for body in bodies]

    def find_class(self, module: str, name: str) -> Any:
        """What a pickle means by that, which may import it: for trusted endpoints only."""
        return _Reader(io.BytesIO(), self._module, self.classes).find_class(module, name)

    def load_part(self, data: bytes, exception: Callable[[int], BaseException]) -> Any:
        """A pickle within what is known of an exception; `exception` gives those that it refers to."""
        return _Reader(io.BytesIO(data), self._module, self.classes, exception).load()

    def _load(self, data: bytes, by_value: Optional[Sequence[Any]] = None) -> Any:
        if not self.trusted:
            raise UntrustedResult("The result is a pickle from endpoint '%s', which is not yours: reading it could run anybody's code. If you trust whoever runs it, "
                                  "pass trust=['%s']; or have the function return plain values." % (self.endpoint, self.endpoint))
        if by_value is not None:
            _check_by_value(*by_value)
        try:
            return _Reader(io.BytesIO(data), self._module, self.classes).load()
        except Exception as problem:
            raise FuncXError("The result cannot be unpickled here: %s: %s. Its worker may have other versions of Python's packages, or the class of the value is not "
                             "known in this program." % (type(problem).__name__, problem)) from problem


def _check_by_value(pickler_name: str, version: str, python: Sequence[int]) -> None:
    """Whether this interpreter can read what a worker pickled by value."""
    what = "The result was pickled by value on its worker, with %s %s under Python %d.%d" % (pickler_name, version, python[0], python[1])
    if list(python) != _PYTHON:
        raise FuncXError("%s, and this is Python %d.%d, which cannot read its byte code. What would work: a function that returns no functions and no instances of "
                         "classes of its own, a client under Python %d.%d, or an endpoint whose workers.python is Python %d.%d"
                         % (what, _PYTHON[0], _PYTHON[1], python[0], python[1], _PYTHON[0], _PYTHON[1]))
    try:
        importlib.import_module(pickler_name)
    except ImportError:
        raise FuncXError("%s, and %s is not installed here. What would work: to install it, or a function that returns plain values" % (what, pickler_name)) from None


class _ModuleOf:
    """Pickles as the module of a function on its worker."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __reduce__(self) -> Tuple[Callable[..., Any], Tuple[str]]:
        return importlib.import_module, (self._name,)


class _Writer(pickle.Pickler):
    """Classes that the function brings along are those of its module there; classes that no worker can import are refused here, not there."""

    def __init__(self, output: io.BytesIO, module: str, names: Mapping[int, str]) -> None:
        super().__init__(output, PROTOCOL)
        self._module = module
        self._names = names

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, type) or type(value) is type(_default):
            name = self._names.get(id(value))
            if name is not None:
                return getattr, (_ModuleOf(self._module), name)
            if not is_installed(getattr(value, "__module__", None) or ""):
                raise NotSerialisable("'%s' is defined in %s, which a worker cannot import" % (getattr(value, "__qualname__", value), value.__module__))
        return NotImplemented


class _Reader(pickle.Unpickler):
    def __init__(self, source: io.BytesIO, module: str, classes: Mapping[str, type], exception: Optional[Callable[[int], BaseException]] = None) -> None:
        super().__init__(source)
        self._own = module
        self._classes = classes
        self._exception = exception

    def persistent_load(self, number: Any) -> Any:
        if self._exception is None:
            raise pickle.UnpicklingError("it refers to something outside of it")
        return self._exception(number)

    def find_class(self, module: str, name: str) -> Any:
        if module.startswith("funcx_") and module not in sys.modules:
            found = self._classes.get(name.split(".")[0]) or getattr(sys.modules["__main__"], name.split(".")[0], None)
            if found is None:
                raise LookupError("class '%s' was defined by the function's own code" % name)
            for part in name.split(".")[1:]:
                found = getattr(found, part)
            return found
        return super().find_class(module, name)


