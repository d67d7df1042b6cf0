"""What travels with every function that is registered from a live object, and runs on the worker beside it (Python 3.8 or later, standard library).

The client uses the same code for what it sends and reads. JSON cannot tell a tuple from a list and has no bytes; what is not exactly a JSON value is an
object with one key that begins with "$":

    $tuple [...]   $set [...]   $frozenset [...]   $bytes base64   $float "nan" | "inf" | "-inf"   $complex [real, imaginary]
    $dict [[key, value], ...]   $pickle base64   $by_value [pickler, its version, [3, minor], base64]

A call may have the keyword "$funcx": {"args": packed, "kwargs": packed} in JSON, or, in a pickle, the client's Python or what `check_pickle` takes.
"""
import base64
import importlib
import math
import pickle
import sys

EXACT = frozenset((int, str, bool, type(None)))
_CONTAINERS = {"$tuple": tuple, "$set": set, "$frozenset": frozenset}
_TAGS = {kind: tag for tag, kind in _CONTAINERS.items()}
PICKLERS = ("cloudpickle", "dill")
CALL = "$funcx"
PROTOCOL = 5
#: Where a worker finds what `carry` made of an exception.
CARRIED = "__funcx_carried__"
_MOST_CARRIED_BYTES = 64 * 1024
_MOST_CARRIED = 100


def is_exact(value):
    """Whether JSON gives back the same value, of the same types."""
    kind = type(value)
    if kind in EXACT:
        return True
    if kind is float:
        return math.isfinite(value)
    if kind is list:
        return _all_exact(value)
    if kind is dict:
        return {str}.issuperset(map(type, value)) and not (len(value) == 1 and next(iter(value)).startswith("$")) and _all_exact(value.values())
    return False


def _all_exact(values):
    if EXACT.issuperset(map(type, values)):
        return True
    for value in values:
        if not is_exact(value):
            return False
    return True


def pack(value, dumps):
    """The value as what JSON can carry. `dumps` makes a pickle of what has no form of its own, or what stands for it."""
    kind = type(value)
    if kind in EXACT:
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if kind is list:
        return value if _all_exact(value) else [pack(item, dumps) for item in value]
    if kind in _TAGS:
        return {_TAGS[kind]: [pack(item, dumps) for item in value]}  # type: ignore[index]
    if kind is dict:
        if is_exact(value):
            return value
        if {str}.issuperset(map(type, value)) and not (len(value) == 1 and next(iter(value)).startswith("$")):
            return {key: pack(item, dumps) for key, item in value.items()}
        return {"$dict": [[pack(key, dumps), pack(item, dumps)] for key, item in value.items()]}
    if kind is bytes:
        return {"$bytes": base64.b64encode(value).decode()}
    if kind is complex and math.isfinite(value.real) and math.isfinite(value.imag):
        return {"$complex": [value.real, value.imag]}
    made = dumps(value)
    return made if type(made) is dict else {"$pickle": base64.b64encode(made).decode()}


def unpack(value, loads):
    """The reverse of `pack`; `loads` reads a pickle, or refuses to. It is told with what one by value was made: its byte code is for one Python only."""
    kind = type(value)
    if kind is list:
        return value if EXACT.issuperset(map(type, value)) else [unpack(item, loads) for item in value]
    if kind is not dict:
        return value
    if len(value) == 1:
        (tag, held), = value.items()
        if tag.startswith("$"):
            return _unpack_tagged(tag, held, loads)
    return {key: unpack(item, loads) for key, item in value.items()}


def _unpack_tagged(tag, held, loads):
    if tag in _CONTAINERS:
        return _CONTAINERS[tag](unpack(item, loads) for item in held)
    if tag == "$dict":
        return {unpack(key, loads): unpack(item, loads) for key, item in held}
    if tag == "$bytes":
        return base64.b64decode(held)
    if tag == "$float":
        return float(held)
    if tag == "$complex":
        return complex(*held)
    if tag == "$pickle":
        return loads(base64.b64decode(held))
    if tag == "$by_value":
        return loads(base64.b64decode(held[3]), held[:3])
    raise ValueError("'%s' is no tag of a packed value; it was written by a later release" % tag)


def dump(value):
    """A pickle, or one by value, made with cloudpickle or dill, where Python's own cannot and they are installed."""
    try:
        return pickle.dumps(value, PROTOCOL)
    except Exception as error:
        reasons, cause = ["%s: %s" % (type(error).__name__, error)], error
    for name in PICKLERS:
        try:
            module = importlib.import_module(name)
            data = module.dumps(value, protocol=PROTOCOL)
            return {"$by_value": [name, str(getattr(module, "__version__", "0")), list(sys.version_info[:2]), base64.b64encode(data).decode()]}
        except Exception as error:
            reasons.append("%s is not there" % name if isinstance(error, ModuleNotFoundError) else "%s: %s" % (name, error))
    raise TypeError("the result (of type %s) is not JSON and cannot be pickled: %s" % (type(value).__name__, "; ".join(reasons))) from cause


def check_pickle(what, pickler, version, python, otherwise="a function that is registered from its source"):
    """Refuses what this interpreter would misread: byte code of another Python, or a pickle that needs a package which is not here or is older."""
    here = list(sys.version_info[:2])
    if here != list(python):
        raise RuntimeError("%s: pickled by value under Python %d.%d, and this worker has Python %d.%d, which cannot read its byte code. What would work: an endpoint "
                           "whose workers.python is Python %d.%d, or %s"
                           % ((what,) + tuple(python) + tuple(here) + tuple(python) + (otherwise,)))
    try:
        module = importlib.import_module(pickler)
    except ImportError:
        raise RuntimeError("%s: pickled with %s %s, which this worker's Python does not have. What would work: %s on the endpoint, or %s"
                           % (what, pickler, version, pickler, otherwise)) from None
    seen = getattr(module, "__version__", "")
    if _numbers(seen)[:2] < _numbers(version)[:2]:
        raise RuntimeError("%s: pickled with %s %s, and this worker has %s %s, which is older. What would work: %s %s or later on the endpoint"
                           % (what, pickler, version, pickler, seen, pickler, version))
    return module


def _check_result(value, python):
    """Refuses a result that the client's Python would misread: functions and classes of the user's own are pickled as byte code."""
    here = list(sys.version_info[:2])
    if here != python and type(value) not in EXACT:
        try:
            pickle.dumps(value, PROTOCOL)
        except Exception as problem:
            raise TypeError("the result (of type %s) could only be pickled by value, as byte code of this worker's Python %d.%d, which the client's Python %d.%d cannot read "
                            "(%s: %s). What would work: an endpoint whose workers.python is Python %d.%d, or a function that returns no functions and no instances of "
                            "classes of its own" % ((type(value).__name__,) + tuple(here) + tuple(python) + (type(problem).__name__, problem) + tuple(python))) from problem
    return value


def _numbers(version):
    return [int(part) for part in version.split(".") if part.isdigit()]


def wrap(function, is_coroutine=False):
    """The function as a worker calls it."""
    if is_coroutine:
        import asyncio
        coroutine = function

        def function(*args, **kwargs):
            return asyncio.run(coroutine(*args, **kwargs))

    def call(*args, **kwargs):
        try:
            if kwargs and CALL in kwargs:
                how = kwargs.pop(CALL)
                if type(how) is list:
                    return _check_result(function(*args, **kwargs), how)
                if "pickle" in how:
                    check_pickle("the arguments", how["pickler"], how["version"], how["python"],
                                 "to mention their classes in the function, which brings them along then")
                    args, kwargs = pickle.loads(how["pickle"])
                    return function(*args, **kwargs)
                args, kwargs = unpack(how["args"], pickle.loads), unpack(how["kwargs"], pickle.loads)
            value = function(*args, **kwargs)
            if type(value) in EXACT or is_exact(value):
                return value
            return pack(value, dump)
        except BaseException as error:
            try:
                BaseException.__setattr__(error, CARRIED, carry(error))
            except BaseException:
                # User code runs here too (how a value is pickled). The worker tells the exception's text in any case.
                pass
            raise

    return call


def carry(error):
    """What an exception holds, and those that it came from or is made of: base64 of a pickle of a list of tuples, its own the first:

        module and qualified name of the class, text, pickled args or None, pickled attributes by name, pickled members that are not in __dict__
        by name, number of __cause__, number of __context__, __suppress_context__, why what is missing is missing by name

    A value is pickled by itself, so that one which cannot be takes none of the others along; an exception within is its number.
    """
    found, numbers, room = [error], {id(error): 0}, [_MOST_CARRIED_BYTES]

    def number_of(other):
        if other is None:
            return None
        number = numbers.get(id(other))
        if number is None and len(found) < _MOST_CARRIED:
            number = numbers[id(other)] = len(found)
            found.append(other)
        return number

    entries = []
    for other in found:
        kind = type(other)
        missing = {}  # type: ignore[var-annotated]

        def pickled(name, value):
            output = _Bounded(room[0])
            try:
                _CarryingPickler(output, number_of).dump(value)
                data = b"".join(output.parts)
                room[0] -= len(data)
                return data
            except Exception as problem:
                missing[name] = ("%s: %s" % (type(problem).__name__, problem))[:200]
                return None

        def all_pickled(values):
            made = ((name, pickled(name, value)) for name, value in values if name != CARRIED)
            return {name: data for name, data in made if data is not None}

        # Before its parts: of two exceptions the nearer one is kept.
        cause, context = number_of(other.__cause__), number_of(other.__context__)
        text = "" if other is error else _text(other)[:1000]
        # The arguments of an OSError lack the names of files that it was made with.
        args = OSError.__reduce__(other)[1] if isinstance(other, OSError) else other.args
        entries.append((kind.__module__, kind.__qualname__, text, pickled("args", args), all_pickled(list(vars(other).items())),
                        all_pickled(_members(other)), cause, context, other.__suppress_context__, missing))
        room[0] -= 200 + len(text)
        if room[0] <= 0:
            break
    return base64.b64encode(pickle.dumps(entries, PROTOCOL)).decode()


def _members(error):
    names = [name for kind in type(error).__mro__ for name in _slots(kind)]
    if isinstance(error, (ImportError, AttributeError, NameError)):
        names += ["name", "path"]
    return [(name, getattr(error, name)) for name in names if hasattr(error, name)]


def _slots(kind):
    slots = vars(kind).get("__slots__", ())
    return [name for name in ((slots,) if isinstance(slots, str) else slots) if not name.startswith("__")]


def _text(error):
    try:
        return str(error)
    except Exception as problem:
        return "<its __str__ raised %s>" % type(problem).__name__


class _Bounded:
    """A pickle's file that is full at some point: what is too large is given up before it is all there."""

    def __init__(self, size):
        self.parts = []
        self._left = size

    def write(self, data):
        self._left -= len(data)
        if self._left < 0:
            raise ValueError("too large: what an exception holds may have %d bytes, pickled" % _MOST_CARRIED_BYTES)
        self.parts.append(bytes(data))


class _CarryingPickler(pickle.Pickler):
    def __init__(self, file, number_of):
        super().__init__(file, PROTOCOL)
        self._number_of = number_of

    def persistent_id(self, value):
        return self._number_of(value) if isinstance(value, BaseException) else None


class _Reader(pickle.Unpickler):
    def __init__(self, file, names):
        super().__init__(file)
        self._names = names

    def persistent_load(self, name):
        return self._names[name]


def load(data, names):
    """A value that the function's code needs; what it refers to by name is in `names`."""
    import io
    return _Reader(io.BytesIO(base64.b64decode(data)), names).load()


def load_function(data, what, pickler, version, python):
    return check_pickle(what, pickler, version, python).loads(base64.b64decode(data))
