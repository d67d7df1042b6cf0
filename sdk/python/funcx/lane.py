"""Calls of one function to one endpoint on their way to the service."""
from __future__ import annotations

import functools
from collections import deque
from typing import TYPE_CHECKING, Any, Callable, Deque, List, Optional, Set

from .batches import UNSENDABLE, Batch, Entry, Target
from .connection import is_interruptible
from .values import Body

if TYPE_CHECKING:
    from .session import Session

_MOST_BYTES = 512 * 1024
_MOST_MESSAGES = 4


class Lane:
    """Sends at once when nothing is in flight, and joins what comes meanwhile into one message; only full messages go out beside an unanswered one.

    Every method but `add` wants the session's lock.
    """

    def __init__(self, session: "Session", target: Target, make: Callable[["Lane", List[Any]], Batch], batch_size: int) -> None:
        self.target = target
        self._session = session
        self._make = make
        self._batch_size = batch_size
        self._waiting: Deque[Entry] = deque()
        self._waiting_bytes = 0
        self._flying: Set[Batch] = set()
        self._is_due = False

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self._flying

    def add(self, content_type: int, body: Body, slot: Any, wants_open: bool = False) -> None:
        """One call. Sends when there is reason to. `wants_open`: refuses once the session is shut down."""
        session = self._session
        with session.gate:
            if wants_open:
                session.check_open()
            leaves_sending = is_interruptible()
            if leaves_sending and not self._is_due and self.may_send(1, len(body)):
                # Before anything else: wherever an interrupt falls, what is in the lane will be sent.
                session.connection.outbox.put(functools.partial(session.send, self))
                self._is_due = True
            session.entered(len(body))
            self._waiting.append((content_type, body, slot))
            self._waiting_bytes += len(body)
            if leaves_sending or not self.may_send():
                return
        session.send(self)

    def next(self) -> Optional[Batch]:
        """The next message, when one may go out."""
        self._is_due = False
        while self.may_send():
            batch = self._take()
            if batch is not None:
                return batch
        return None

    def answered(self, batch: Batch) -> None:
        self._flying.discard(batch)

    def drop_waiting(self) -> List[Entry]:
        dropped = list(self._waiting)
        self._waiting.clear()
        self._waiting_bytes = 0
        return dropped

    def waiting(self) -> List[Entry]:
        return list(self._waiting)

    def may_send(self, more: int = 0, more_bytes: int = 0) -> bool:
        """Whether a message may go out, with so many more calls than there are now."""
        waiting = len(self._waiting) + more
        if not waiting:
            return False
        if not self._flying:
            return True
        return len(self._flying) < _MOST_MESSAGES and (waiting >= self._batch_size or self._waiting_bytes + more_bytes >= _MOST_BYTES)

    def _take(self) -> Optional[Batch]:
        """Calls from the front with one content type: what one message holds. None when all of them were cancelled meanwhile."""
        waiting = self._waiting
        taken: List[Entry] = []
        try:
            content_type, size = waiting[0][0], 0
            while waiting and len(taken) < self._batch_size and waiting[0][0] == content_type:
                length = len(waiting[0][1])
                if taken and (size + length > _MOST_BYTES or content_type == UNSENDABLE):
                    break
                taken.append(waiting.popleft())
                size += length
            kept = [entry for entry in taken if not getattr(entry[2], "_ended", False)]
            self._waiting_bytes -= size
            if len(kept) < len(taken):
                size = sum(len(body) for _, body, _ in kept)
                self._session.left(len(taken) - len(kept), sum(len(entry[1]) for entry in taken) - size)
            if not kept:
                return None
            _, bodies, slots = zip(*kept)
            batch = self._make(self, list(slots))
            batch.bytes = size
            if content_type == UNSENDABLE:
                batch.unsendable = slots[0]
            else:
                batch.request = self.target.request(batch.id, content_type, bodies)
            self._flying.add(batch)
            return batch
        except BaseException:
            # No memory, for example: they are still to be sent.
            waiting.extendleft(reversed(taken))
            raise
