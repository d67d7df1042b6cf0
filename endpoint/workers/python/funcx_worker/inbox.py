"""Frames that are not simply the next task: segmented bodies, and cancellations that stand behind the task they are for."""
from collections import deque

from .failures import Refusal
from .frames import CANCEL, HEADER_BYTES, LAST, LENGTH, REJECTED, SEGMENTED, WHOLE_LENGTH, ProtocolError

ID_FIRST, ID_END = 12, 28
ID = slice(-16, None)  # of a head: attempt, epoch, task id


class Waiting:
    """A task or function whose body travels in segments, or a task that came behind one. They are taken up in the order of their first
    frames. `fields` are those of TASK_FORMAT."""

    __slots__ = ("fields", "key", "body", "filled", "complete", "refusal")

    def __init__(self, fields, body, filled, complete):
        self.fields = fields
        self.key = fields[3][ID], fields[4]
        self.body = body
        self.filled = filled
        self.complete = complete
        self.refusal = None


class Inbox:
    def __init__(self, largest_body):
        self._largest_body = largest_body
        self.waiting = deque()
        self.cancelled = set()
        self._arriving = {}

    def add(self, fields):
        """A task or function that cannot be used straight from the buffer."""
        flags, body = fields[2], fields[8]
        if not flags & SEGMENTED:
            self.waiting.append(Waiting(fields, body, len(body), True))
            return
        if len(body) < 8:
            raise ProtocolError("the first frame of a segmented body holds %d bytes, less than the length it begins with" % len(body))
        length = WHOLE_LENGTH.unpack_from(body)[0]
        piece = memoryview(body)[8:]
        if len(piece) >= length:
            raise ProtocolError("a segmented body of %d bytes has %d bytes in its first frame" % (length, len(piece)))
        waiting = Waiting(fields, None, len(piece), False)
        if length > self._largest_body:
            waiting.refusal = Refusal(REJECTED, "TooLarge",
                                      "the arguments have %d bytes; this worker takes at most %d" % (length, self._largest_body))
        else:
            try:
                waiting.body = bytearray(length)
                waiting.body[:len(piece)] = piece
            except MemoryError:
                waiting.refusal = Refusal(REJECTED, "MemoryError", "no memory for the %d bytes of the arguments" % length)
        self.waiting.append(waiting)
        if waiting.refusal is None:
            self._arriving[waiting.key] = waiting
        else:
            waiting.complete = True

    def add_segment(self, key, flags, piece):
        """Pieces of a body that nobody waits for (its task cancelled, taken back or refused) are dropped."""
        waiting = self._arriving.get(key)
        if waiting is None:
            return
        until = waiting.filled + len(piece)
        last = bool(flags & LAST)
        if until > len(waiting.body) or last != (until == len(waiting.body)):
            raise ProtocolError("a segment of %d bytes%s came at byte %d of a body of %d bytes"
                                % (len(piece), ", marked last," if last else "", waiting.filled, len(waiting.body)))
        waiting.body[waiting.filled:until] = piece
        waiting.filled = until
        if last:
            waiting.complete = True
            del self._arriving[key]

    def cancel(self, task_id):
        """A Cancel frame in its turn: the tasks before it in the stream have been answered, except those that wait."""
        self.cancelled.discard(task_id)
        for waiting in self.waiting:
            if waiting.key[0] == task_id:
                self.cancelled.add(task_id)
                self.give_up(waiting)

    def give_up(self, waiting):
        """Its body is not needed any more, whether all of it has come or not."""
        waiting.body = None
        waiting.complete = True
        self._arriving.pop(waiting.key, None)

    def find_cancels(self, buffer, position, end):
        """Looks for Cancel frames among what has been received, so that a queued task does not run because its Cancel stands behind it."""
        while end - position >= HEADER_BYTES:
            length = LENGTH.unpack_from(buffer, position)[0]
            if not HEADER_BYTES <= length <= end - position:
                return
            if buffer[position + 4] == CANCEL:
                self.cancelled.add(bytes(buffer[position + ID_FIRST:position + ID_END]))
            position += length
