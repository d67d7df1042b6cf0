"""What a task's caller is told when there is no value: JSON {"type", "message", "traceback"}, and "exception" where the function itself gives that."""
import json
import os
import traceback

LARGEST_TEXT = 64 * 1024
# A function may give its caller more of an exception than these texts: ASCII that means something to the two of them only.
CARRIED = "__funcx_carried__"
LARGEST_CARRIED = 128 * 1024
_OWN_FILES = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Refusal(Exception):
    """A task ends without its function having run (cancelled, expired, rejected, ...): `outcome` and what to say."""

    def __init__(self, outcome, kind, message):
        super().__init__(message)
        self.outcome, self.kind, self.message = outcome, kind, message


def failure_body(kind, message, trace=None, carried=None):
    body = {"type": kind, "message": bounded(message), "traceback": None if trace is None else bounded(trace)}
    if carried is not None:
        body["exception"] = carried
    return json.dumps(body).encode()


def bounded(text):
    """Text that every JSON reader takes: at most LARGEST_TEXT characters of the beginning and the end, and how many are missing."""
    try:
        text.encode()
    except UnicodeEncodeError:
        text = text.encode("utf-8", "backslashreplace").decode()
    if len(text) <= LARGEST_TEXT:
        return text
    half = LARGEST_TEXT // 2
    return "%s\n[funcx: %d characters cut]\n%s" % (text[:half], len(text) - 2 * half, text[-half:])


def describe(error, note=""):
    """The failure body of an exception that user code raised. Never raises, whatever the exception's own methods do."""
    kind = type(error).__name__
    try:
        message = str(error)
    except BaseException as second:  # __str__ is user code too
        message = "<%s: its __str__ raised %s>" % (kind, type(second).__name__)
    try:
        trace = _user_traceback(error)
    except BaseException as second:
        trace = "<the traceback could not be formatted: %s>" % type(second).__name__
    # A note of the worker's would be missing in it.
    return failure_body(kind, message + note, trace, None if note else _carried(error))


def _carried(error):
    try:
        found = vars(error).pop(CARRIED, None)
        return found if type(found) is str and found.isascii() and len(found) <= LARGEST_CARRIED else None
    except BaseException:  # an own __dict__ is user code too
        return None


def _user_traceback(error):
    _cut_own_frames(error)
    # Lines of a deep recursion are folded by traceback itself; a limit on frames keeps a pathological one from taking seconds.
    return "".join(traceback.format_exception(type(error), error, error.__traceback__, limit=-400 if _depth(error) > 400 else None))


def _cut_own_frames(error):
    """The worker's frames stand first in the traceback, and in those of the exceptions it was raised from."""
    seen = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN_FILES):
            trace = trace.tb_next
        error.__traceback__ = trace
        error = error.__cause__ or error.__context__


def _depth(error):
    depth = 0
    trace = error.__traceback__
    while trace is not None:
        depth += 1
        trace = trace.tb_next
    return depth
