"""Arguments and results in their encodings. JSON is strict: NaN and the infinities are no JSON, and a result with one is an exception
that says so (a .NET client could not read it); arguments may hold them, as Python's reader accepts them."""
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
_encode = json.encoder.c_make_encoder and json.encoder.c_make_encoder(
    _markers, _default, _quote, None, ":", ",", False, False, False)


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


def call_and_encode(content, entry, body):
    """Runs a task whose arguments are not JSON. Returns the result's content type and bytes."""
    if content == PICKLE:
        try:
            positional, named = pickle.loads(body)
        except Exception as error:
            raise ArgumentsUnreadable("the arguments are not a pickle of (args, kwargs): %s: %s" % (type(error).__name__, error)) from error
        del body
        value = entry(*positional, **named)
        try:
            return PICKLE, pickle.dumps(value, PICKLE_PROTOCOL)
        except Exception as error:
            raise ResultUnserialisable("the result (of type %s) cannot be pickled: %s: %s"
                                       % (type(value).__name__, type(error).__name__, error)) from error
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
