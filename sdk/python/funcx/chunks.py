"""Messages of results: columns, of which most messages lack some."""
from __future__ import annotations

from typing import Any, List, Optional, Tuple

from .errors import FuncXError
from .failures import VALUE
from .values import JSON


class Columns:
    """The columns of a chunk that most chunks do not have."""

    def __init__(self, chunk: Any, output_start: int) -> None:
        self._chunk = chunk
        self._types = chunk.content_types
        self._outputs: Optional[List[Tuple[int, int, int]]] = None
        self._output_start = output_start
        # Read once: each time the field is read its bytes are copied.
        self._bodies = b""
        self.large = frozenset(chunk.large)
        self.is_plain = not self.large and (not chunk.outcomes or all(outcome == VALUE for outcome in chunk.outcomes)) and all(kind == JSON for kind in self._types)

    def outcome(self, row: int) -> int:
        return self._chunk.outcomes[row] if self._chunk.outcomes else VALUE

    def content_type(self, row: int) -> int:
        return self._types[0 if len(self._types) == 1 else row]

    def code(self, row: int) -> int:
        return self._chunk.codes[row] if self._chunk.codes else 0

    def output(self, row: int) -> Tuple[bytes, bytes]:
        chunk = self._chunk
        if not chunk.stdout_lengths:
            return b"", b""
        if self._outputs is None:
            at, self._outputs, self._bodies = self._output_start, [], chunk.bodies
            for out, err in zip(chunk.stdout_lengths, chunk.stderr_lengths):
                self._outputs.append((at, at + out, at + out + err))
                at += out + err
        start, middle, end = self._outputs[row]
        return self._bodies[start:middle], self._bodies[middle:end]


def check_chunk(chunk: Any, count: int, counts: List[int]) -> None:
    """The columns must fit each other before anything of them is used."""
    def wrong(seen: str) -> FuncXError:
        return FuncXError("The service sent a result message that cannot be right: %s." % seen)

    if len(chunk.batch_ids) != 12 * len(counts) or sum(counts) != count:
        raise wrong("%d bytes of batch ids and counts of %d for %d results" % (len(chunk.batch_ids), sum(counts), count))
    for name, may_be_empty in (("lengths", False), ("outcomes", True), ("stdout_lengths", True), ("stderr_lengths", True), ("codes", True)):
        size = len(getattr(chunk, name))
        if size != count and not (may_be_empty and size == 0):
            raise wrong("column %s has %d entries for %d results" % (name, size, count))
    if len(chunk.content_types) not in (1, count):
        raise wrong("column content_types has %d entries for %d results" % (len(chunk.content_types), count))
    size = sum(chunk.lengths) + sum(chunk.stdout_lengths) + sum(chunk.stderr_lengths)
    if size != len(chunk.bodies):
        raise wrong("its lengths add up to %d bytes, but it carries %d" % (size, len(chunk.bodies)))
