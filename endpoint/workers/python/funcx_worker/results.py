"""Results that the loop does not pack itself: with output, over the limit, at the ring's end, on the socket."""
from collections import deque
from struct import Struct

from .failures import failure_body
from .frames import (HEADER_BYTES, JSON, LAST, MAX_BODY, PREFIX_BYTES, RESULT, RESULT_WITH_OUTPUT, SEGMENT, SEGMENTED, TOO_LARGE, VALUE,
                     WHOLE_LENGTH)

SEGMENT_HEAD = Struct("<IBB22sI20sB11x")
RESULT_HEAD_BYTES = HEADER_BYTES + PREFIX_BYTES


class Results:
    def __init__(self, sock, ring, limit, attention, surroundings, output):
        self._sock = sock
        self._ring = ring
        self._limit = limit
        self._attention = attention
        self._surroundings = surroundings
        self._output = output

    def put(self, written, taken, head, function, middle, content, outcome, started, ended, data):
        """A result with output, or one that needs the start of the ring, a wait or the socket. Returns the new written, base and room."""
        stdout = stderr = b""
        if self._attention:
            self._attention.clear()
            self._surroundings.end_if_forked()
            self._surroundings.settle()
            stdout, stderr = self._output.take()
        if outcome == VALUE and len(data) > self._limit:
            content, outcome = JSON, TOO_LARGE
            data = failure_body("TooLarge", "the result has %d bytes; the endpoint's limit limits.result is %d" % (len(data), self._limit))
        size = RESULT_HEAD_BYTES + len(data) + len(stdout) + len(stderr)
        ring = self._ring
        if ring is None or size > ring.largest:
            self._send(size - HEADER_BYTES, head, function, middle, content, outcome, started, ended, data, stdout, stderr)
            return (0, 0, 0) if ring is None else (written, ring.base, ring.room)
        start = ring.make_room(written, taken, size)
        at = start - ring.base
        RESULT_WITH_OUTPUT.pack_into(ring.memory, at, size, RESULT, 0, head, function, middle, content, outcome, content,
                                     len(stdout), len(stderr), started, ended)
        at += RESULT_HEAD_BYTES
        for part in (data, stdout, stderr):
            ring.memory[at:at + len(part)] = part
            at += len(part)
        return start + size, ring.base, ring.room

    def _send(self, body_bytes, head, function, middle, content, outcome, started, ended, data, stdout, stderr):
        """A result over the socket, in segments when one frame cannot hold it."""
        segmented = body_bytes > MAX_BODY
        start = bytearray(RESULT_WITH_OUTPUT.pack(
            HEADER_BYTES + min(body_bytes, MAX_BODY), RESULT, SEGMENTED if segmented else 0, head, function, middle, content,
            outcome, content, len(stdout), len(stderr), started, ended))
        parts = deque(memoryview(part) for part in (start[HEADER_BYTES:], data, stdout, stderr) if part)
        if not segmented:
            self._send_all([start[:HEADER_BYTES], *parts])
            return
        first = MAX_BODY - WHOLE_LENGTH.size
        self._send_all([start[:HEADER_BYTES], WHOLE_LENGTH.pack(body_bytes), *_take(parts, first)])
        left = body_bytes - first
        while left:
            piece = min(left, MAX_BODY)
            left -= piece
            header = SEGMENT_HEAD.pack(HEADER_BYTES + piece, SEGMENT, 0 if left else LAST, head, function, middle, content)
            self._send_all([header, *_take(parts, piece)])

    def _send_all(self, parts):
        parts = deque(memoryview(part) for part in parts)
        while parts:
            sent = self._sock.sendmsg(parts)
            _take(parts, sent)


def _take(parts, count):
    """Removes and returns the first `count` bytes of a deque of memoryviews, as memoryviews."""
    taken = []
    while count:
        part = parts[0]
        if len(part) > count:
            taken.append(part[:count])
            parts[0] = part[count:]
            break
        taken.append(parts.popleft())
        count -= len(part)
    return taken
