"""Messages of results: columns, of which most messages lack some."""
from __future__ import annotations

from itertools import accumulate
from typing import Any, List, Optional, Tuple

from .errors import FuncXError
from .failures import VALUE
from .values import JSON


class Columns:
    """The columns of a chunk, once they are found to fit each other."""

    def __init__(self, chunk: Any) -> None:
        self.index: List[int] = list(chunk.index)
        count = len(self.index)
        self.counts: List[int] = list(chunk.counts) or [count]
        self.batch_ids: bytes = chunk.batch_ids
        self._bodies = bodies = chunk.bodies
        lengths = chunk.lengths
        self._outcomes, self._types, self._codes = chunk.outcomes, chunk.content_types, chunk.codes
        self._stdout, self._stderr = chunk.stdout_lengths, chunk.stderr_lengths
        self.large = frozenset(chunk.large)
        if len(self.batch_ids) != 12 * len(self.counts) or sum(self.counts) != count:
            raise _wrong("%d bytes of batch ids and counts of %d for %d results" % (len(self.batch_ids), sum(self.counts), count))
        if len(lengths) != count:
            raise _wrong("column lengths has %d entries for %d results" % (len(lengths), count))
        for name, column in (("outcomes", self._outcomes), ("stdout_lengths", self._stdout), ("stderr_lengths", self._stderr), ("codes", self._codes)):
            if column and len(column) != count:
                raise _wrong("column %s has %d entries for %d results" % (name, len(column), count))
        if len(self._types) not in (1, count):
            raise _wrong("column content_types has %d entries for %d results" % (len(self._types), count))
        ends = list(accumulate(lengths, initial=0))
        self._output_start = ends[-1]
        size = ends[-1] + sum(self._stdout) + sum(self._stderr)
        if size != len(bodies):
            raise _wrong("its lengths add up to %d bytes, but it carries %d" % (size, len(bodies)))
        #: The values, still encoded.
        self.rows: List[bytes] = [bodies[start:end] for start, end in zip(ends, ends[1:])]
        self._outputs: Optional[List[Tuple[int, int, int]]] = None
        self.is_plain = not self.large and (not self._outcomes or all(outcome == VALUE for outcome in self._outcomes)) and (
            self._types[0] == JSON if len(self._types) == 1 else all(kind == JSON for kind in self._types))

    def outcome(self, row: int) -> int:
        return self._outcomes[row] if self._outcomes else VALUE

    def content_type(self, row: int) -> int:
        return self._types[0 if len(self._types) == 1 else row]

    def code(self, row: int) -> int:
        return self._codes[row] if self._codes else 0

    def output(self, row: int) -> Tuple[bytes, bytes]:
        if not self._stdout:
            return b"", b""
        if self._outputs is None:
            at, self._outputs = self._output_start, []
            for out, err in zip(self._stdout, self._stderr):
                self._outputs.append((at, at + out, at + out + err))
                at += out + err
        start, middle, end = self._outputs[row]
        return self._bodies[start:middle], self._bodies[middle:end]


def _wrong(seen: str) -> FuncXError:
    return FuncXError("The service sent a result message that cannot be right: %s." % seen)
