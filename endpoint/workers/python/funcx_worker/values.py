"""Arguments and results in their encodings. JSON is strict: NaN and the infinities are no JSON, and a result with one is an exception
that says so (a .NET client could not read it); arguments may hold them, as Python's reader accepts them."""
import importlib
import json
import json.encoder
import pickle

from .failures import Refusal
from .frames import JSON, NO_CONTENT, OCTETS, PICKLE, REJECTED

# Readable by every Python that can be a worker.
PICKLE_PROTOCOL = 5

_decoder = json.JSONDecoder()
scan_json = _decoder.scan_once
_strict = json.JSONEncoder(allow_nan=False, separators=(",", ":"))
_quote = json.encoder.encode_basestring_ascii
_markers = {}


def _default(value):
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


# JSONEncoder.encode makes one of these for every call; it is the larger part of its cost.
_make_encoder = getattr(json.encoder, "c_make_encoder", None)
_encode = _make_encoder and _make_encoder(_markers, _default, _quote, None, ":", ",", False, False, False)


class ResultUnserialisable(Exception):
    """The function returned what cannot travel in the content type its arguments came in."""


class ArgumentsUnreadable(Exception):
    """The task's body is not arguments in the content type it names."""


def parse_json_arguments(text):
    """The slow way, which also takes white space around the value and explains what is wrong."""
    try:
        return _decoder.decode(text)
    except (ValueError, RecursionError) as error:
        raise ArgumentsUnreadable("the arguments are not JSON: %s" % error) from None


def call_with_object(entry, arguments):
    """JSON arguments that are not an array."""
    if type(arguments) is not dict or not arguments.keys() <= {"args", "kwargs"}:
        raise ArgumentsUnreadable('JSON arguments are an array, or an object with "args" and "kwargs"; seen: %s' % _shape(arguments))
    positional, named = arguments.get("args", []), arguments.get("kwargs", {})
    if type(positional) is not list or type(named) is not dict:
        raise ArgumentsUnreadable('"args" is an array and "kwargs" an object; seen: %s and %s' % (_shape(positional), _shape(named)))
    return entry(*positional, **named)


def _shape(value):
    if type(value) is dict:
        return "an object with %s" % (", ".join(sorted(value)[:10]) or "nothing")
    return {list: "an array", str: "a string", int: "a number", float: "a number", bool: "a boolean", type(None): "null"}[type(value)]


def to_json(value):
    try:
        if type(value) is str:
            return _quote(value).encode()
        if _encode is None:
            return _strict.encode(value).encode()
        return "".join(_encode(value, 0)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        _markers.clear()
        raise ResultUnserialisable("the result (of type %s) is not JSON: %s. Return plain values, or submit with pickle."
                                   % (type(value).__name__, error)) from None


def to_pickle(value):
    """A pickle, made with cloudpickle or dill where Python's own cannot and they are installed. Whoever reads it needs the same one."""
    try:
        return pickle.dumps(value, PICKLE_PROTOCOL)
    except Exception as error:
        reasons, cause = ["%s: %s" % (type(error).__name__, error)], error
    for name in ("cloudpickle", "dill"):
        try:
            pickler = importlib.import_module(name)
        except Exception as error:  # an installation may be broken in any way
            reasons.append("%s is not there" % name if isinstance(error, ModuleNotFoundError) else "%s: %s" % (name, error))
            continue
        try:
            return pickler.dumps(value, protocol=PICKLE_PROTOCOL)
        except Exception as error:
            reasons.append("%s: %s" % (name, error))
    raise ResultUnserialisable("the result (of type %s) cannot be pickled: %s" % (type(value).__name__, "; ".join(reasons))) from cause


def call_and_encode(content, entry, body):
    """Runs a task whose arguments are not JSON. Returns the result's content type and bytes."""
    if content == PICKLE:
        try:
            positional, named = pickle.loads(body)
        except Exception as error:
            raise ArgumentsUnreadable("the arguments are not a pickle of (args, kwargs): %s: %s" % (type(error).__name__, error)) from error
        del body
        value = entry(*positional, **named)
        return PICKLE, to_pickle(value)
    if content == OCTETS:
        value = entry(bytes(body))
        if value is None:
            return OCTETS, b""
        if not isinstance(value, (bytes, bytearray, memoryview)):
            raise ResultUnserialisable("the result is of type %s; a function that is given octets returns bytes" % type(value).__name__)
        return OCTETS, bytes(value)
    if content == NO_CONTENT:
        return JSON, to_json(entry())
    raise Refusal(REJECTED, "ContentType", "content type %d is unknown; 0 none, 1 JSON, 2 pickle and 3 octets are known" % content)
