"""Frames: header of 64 bytes and a body, little endian. Benchmark of the hot path: perf/worker_bench.py."""
import json
import platform
import sys
from struct import Struct

from . import PROTOCOL_MAXIMUM, PROTOCOL_MINIMUM, VERSION

HEADER_BYTES = 64
MAX_BODY = 256 * 1024
MAX_FRAME = HEADER_BYTES + MAX_BODY
PREFIX_BYTES = 64

HELLO, WELCOME, REFUSED, FUNCTION, OWNER, CONTAINER, TASK, RESULT, SEGMENT, CANCEL = 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
HEARTBEAT, STATUS, DRAIN, DOORBELL, FORK, FORKED, EXITED = 16, 17, 18, 19, 20, 21, 22

SEGMENTED, LAST, SYNC = 1, 2, 4

NO_CONTENT, JSON, PICKLE, OCTETS = 0, 1, 2, 3

VALUE, EXCEPTION, CANCELLED, TOO_LARGE, REJECTED, EXPIRED = 1, 2, 4, 7, 8, 9

# A task as the loop wants it: length, kind, flags, head (attempt, epoch, task id), function, middle (container .. ticket), content type,
# deadline, body. Head and middle go into the result as they are.
TASK_FORMAT = "<IBB22sI20sB3xq%ds"

# A result: length, kind, head, function, middle, content type | outcome, content type, started, ended | value. Everything else is 0.
RESULT_FORMAT = "<IBx22sI20sB11xBB38xqq8x%ds"
RESULT_WITH_OUTPUT = Struct("<IBB22sI20sB11xBB2xII28xqq8x")

LENGTH = Struct("<I")
WHOLE_LENGTH = Struct("<Q")
_CONTROL = Struct("<IB23xI16xI12x")  # length, kind, function, ticket

DOORBELL_FRAME = _CONTROL.pack(HEADER_BYTES, DOORBELL, 0, 0)

# Exit statuses: the other side broke the protocol or refused (EX_PROTOCOL); the process itself failed (EX_SOFTWARE).
EXIT_PROTOCOL, EXIT_FAILED = 76, 70


class ProtocolError(Exception):
    """The peer sent what no version of this protocol can mean; the process says so and ends."""


def check_length(length):
    if not HEADER_BYTES <= length <= MAX_FRAME:
        raise ProtocolError("frame length %d is outside %d to %d" % (length, HEADER_BYTES, MAX_FRAME))


def control_frame(kind, message=None, ticket=0):
    body = b"" if message is None else json.dumps(message).encode()
    return _CONTROL.pack(HEADER_BYTES + len(body), kind, 0, ticket) + body


def hello(role, pid, **more):
    return control_frame(HELLO, dict({
        "role": role, "version": VERSION, "protocol_minimum": PROTOCOL_MINIMUM, "protocol_maximum": PROTOCOL_MAXIMUM, "pid": pid,
        "runtime": "python " + platform.python_version(), "executable": sys.executable}, **more))


def read_exactly(sock, count):
    """The next count bytes, or None at end of file."""
    data = bytearray(count)
    view = memoryview(data)
    filled = 0
    while filled < count:
        received = sock.recv_into(view[filled:])
        if received == 0:
            return None
        filled += received
    return data


def read_control(sock):
    """The next frame as (kind, ticket, message), or None at end of file. For rare frames: it costs two receives."""
    header = read_exactly(sock, HEADER_BYTES)
    if header is None:
        return None
    length, kind, _, ticket = _CONTROL.unpack(header)
    check_length(length)
    body = read_exactly(sock, length - HEADER_BYTES)
    if body is None:
        return None
    try:
        return kind, ticket, json.loads(body.decode()) if body else {}
    except ValueError as error:
        raise ProtocolError("the body of a frame of kind %d is not JSON: %s" % (kind, error)) from None


def read_welcome(sock):
    """The welcome's settings, or None when the other side closed instead. A refusal is a ProtocolError with its reason."""
    answer = read_control(sock)
    if answer is None:
        return None
    kind, _, message = answer
    if kind == REFUSED:
        raise ProtocolError("refused by the manager: %s" % message.get("reason"))
    if kind != WELCOME:
        raise ProtocolError("frame of kind %d came where a welcome (%d) was due" % (kind, WELCOME))
    chosen = message.get("protocol", PROTOCOL_MAXIMUM)
    if not PROTOCOL_MINIMUM <= chosen <= PROTOCOL_MAXIMUM:
        raise ProtocolError("protocol mismatch: the manager (version %s) chose %s; this worker is version %s and speaks %d to %d. "
                            "Install the same release on both sides."
                            % (message.get("version"), chosen, VERSION, PROTOCOL_MINIMUM, PROTOCOL_MAXIMUM))
    return message
