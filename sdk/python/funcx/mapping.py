"""A map: arguments read as far as the window reaches, results in runs. Its memory is bounded, however long it is."""
from __future__ import annotations

import concurrent.futures
import sys
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Deque, Generator, Iterable, List, Optional, Sequence

from .batches import UNSENDABLE, Batch, Failure, Target
from .errors import NotSerialisable

if TYPE_CHECKING:
    from .lane import Lane
    from .session import Session

_EMPTY = object()
# Before the first result has come nobody knows how large they are; afterwards that is looked at again after so many calls.
_FIRST_REACH = 4_096
_STEP = 4_096


class MapBatch(Batch):
    """Results in the order of their calls."""

    def __init__(self, run: "MapRun", lane: Optional["Lane"], target: Target, slots: List[Any]) -> None:
        super().__init__(lane, target, len(slots))
        self.run = run
        self.results: List[Any] = [_EMPTY] * len(slots)
        #: So many from the front have come, and so many were taken.
        self.ready = 0
        self.taken = 0
        self.result_count = 0

    def came(self, calls: int, size: int) -> None:
        self.run.came(calls, size)

    def take(self, indexes: Sequence[int], values: Sequence[Any]) -> int:
        results = self.results
        if not self.run.ordered:
            return self._take_loose(indexes, values)
        new = 0
        for index, value in zip(indexes, values):
            if results[index] is _EMPTY:
                results[index] = value
                new += 1
        self._announce(new)
        return new

    def _take_loose(self, indexes: Sequence[int], values: Sequence[Any]) -> int:
        fresh = [(index, value) for index, value in zip(indexes, values) if self.results[index] is _EMPTY]
        for index, _ in fresh:
            self.results[index] = None
        before = self.result_count
        self.result_count += len(fresh)
        self.run.arrived_loose([value for _, value in fresh], self._bytes_of(before, self.result_count))
        return len(fresh)

    def _bytes_of(self, first: int, last: int) -> int:
        """The share of the arguments' bytes; all shares add up to all of them."""
        return self.bytes * last // self.count - self.bytes * first // self.count

    def taken_to(self, ready: int) -> int:
        """The taker has come so far; gives the bytes of arguments that are done with."""
        size = self._bytes_of(self.taken, ready)
        self.results[self.taken:ready] = [None] * (ready - self.taken)
        self.taken = ready
        return size

    def fail(self, error: BaseException) -> int:
        missing = self.unfinished()
        return self.take(missing, [Failure(error)] * len(missing))

    def unfinished(self) -> List[int]:
        return [index for index, value in enumerate(self.results) if value is _EMPTY]

    def _announce(self, new: int) -> None:
        self.result_count += new
        ready = self.ready
        if self.result_count == self.count:
            ready = self.count
        else:
            while self.results[ready] is not _EMPTY:
                ready += 1
        if ready != self.ready:
            self.run.arrived(self, ready)


class MapRun:
    """Three threads meet here: one that reads the source, the session's reader of results, and whoever takes them."""

    def __init__(self, session: "Session", target: Target, source: Iterable[Sequence[Any]], window: int, window_bytes: int,
                 batch_size: Optional[int], ordered: bool) -> None:
        self._session = session
        self._target = target
        self._source = source
        self._window = window
        self._window_bytes = window_bytes
        self._reach = 0
        self.ordered = ordered
        # Taken itself, and not by way of the conditions: an interrupt while a condition is entered leaves its lock locked.
        self._gate = threading.Lock()
        self._news = threading.Condition(self._gate)
        self._room = threading.Condition(self._gate)
        self._order: Deque[MapBatch] = deque()
        self._loose: Deque[List[Any]] = deque()
        # Written by the thread that reads the source, and by that which takes results.
        self._sent = self._sent_bytes = 0
        self._taken = self._taken_bytes = 0
        self._came = self._came_bytes = 0
        self._is_sent = False
        self._is_stopped = False
        self._error: Optional[BaseException] = None
        self._lane = session.own_lane(target, self._new_batch, batch_size)
        session.add_map(self)
        threading.Thread(target=self._pump, name="funcx-map", daemon=True).start()

    # -- the source's side

    def _pump(self) -> None:
        add, encode = self._lane.add, self._target.codec.encode
        try:
            for arguments in self._source:
                if self._sent - self._taken >= self._reach or self._sent_bytes - self._taken_bytes >= self._window_bytes:
                    self._wait_for_room()
                if self._is_stopped:
                    break
                try:
                    content_type, body = encode(arguments)
                except NotSerialisable as problem:
                    self._add_failure(problem)
                    continue
                self._sent += 1
                self._sent_bytes += len(body)
                add(content_type, body, None)
        except BaseException as problem:
            # The source's own exception reaches whoever takes the results, as it is.
            self._error = problem
        finally:
            self._source = ()
            with self._gate:
                self._is_sent = True
                self._news.notify_all()
                self._room.notify_all()
            self._session.map_sent()

    def _wait_for_room(self) -> None:
        with self._gate:
            while not self._is_stopped:
                self._set_reach()
                if self._sent - self._taken < self._reach and self._sent_bytes - self._taken_bytes < self._window_bytes:
                    return
                self._room.wait()

    def _set_reach(self) -> None:
        """How many calls may be on their way or not taken: their results, which are expected to be as large as those before, must have room."""
        if self._came:
            fits = self._window_bytes * self._came // max(1, self._came_bytes)
            self._reach = max(1, min(self._window, fits, self._sent - self._taken + _STEP))
        else:
            self._reach = min(self._window, _FIRST_REACH)

    def _new_batch(self, lane: "Lane", slots: List[Any]) -> MapBatch:
        batch = MapBatch(self, lane, self._target, slots)
        if self.ordered:
            with self._gate:
                self._order.append(batch)
        return batch

    def _add_failure(self, problem: BaseException) -> None:
        """In its place among the calls: a message of its own that is not sent."""
        self._sent += 1
        self._lane.add(UNSENDABLE, "", problem)

    # -- the results' side

    def came(self, calls: int, size: int) -> None:
        with self._gate:
            self._came += calls
            self._came_bytes += size
            self._room.notify_all()

    def arrived(self, batch: MapBatch, ready: int) -> None:
        with self._gate:
            batch.ready = ready
            if self._order and self._order[0] is batch:
                self._news.notify()

    def arrived_loose(self, values: List[Any], size: int) -> None:
        with self._gate:
            if values:
                self._loose.append(values)
                self._taken_bytes += size
                self._news.notify()

    # -- the taker's side

    def next_run(self, deadline: Optional[float] = None) -> Optional[List[Any]]:
        """Values, with a Failure in the place of one that is none, in order; None when all were taken."""
        with self._gate:
            while True:
                run = self._next_ready()
                if run is not None:
                    return run
                if self._is_stopped:
                    raise concurrent.futures.CancelledError()
                if self._is_sent and self._taken >= self._sent:
                    if self._error is not None:
                        raise self._error
                    return None
                if deadline is None:
                    self._news.wait()
                elif not self._news.wait(max(0.0, deadline - time.monotonic())) and time.monotonic() >= deadline:
                    raise concurrent.futures.TimeoutError()

    def _next_ready(self) -> Optional[List[Any]]:
        if self._loose:
            loose = self._loose.popleft()
            self._taken += len(loose)
            self._room.notify_all()
            return loose
        while self._order:
            batch = self._order[0]
            if batch.taken < batch.ready:
                run = batch.results[batch.taken:batch.ready]
                self._taken += len(run)
                self._taken_bytes += batch.taken_to(batch.ready)
                self._room.notify_all()
                return run
            if batch.taken < batch.count:
                return None
            self._order.popleft()
        return None

    def results(self, timeout: Optional[float]) -> Generator[Any, None, None]:
        """Begun already: a generator that is dropped before its first step would not come to its `finally`."""
        deadline = None if timeout is None else time.monotonic() + timeout
        values = self._results(deadline)
        next(values)
        return values

    def _results(self, deadline: Optional[float]) -> Generator[Any, None, None]:
        try:
            yield None
            while True:
                run = self.next_run(deadline)
                if run is None:
                    break
                for value in run:
                    if type(value) is Failure:
                        raise value.error
                    yield value
            self.stop()
        except GeneratorExit:
            # The collector closes generators too, in the middle of anything: what takes locks has a thread of its own. At the interpreter's end no thread starts
            # any more, and whoever waited for one would wait for ever.
            if not sys.is_finalizing():
                threading.Thread(target=self.stop, name="funcx-map-end", daemon=True).start()
            raise
        except BaseException:
            self.stop()
            raise

    # -- the end

    @property
    def is_sent(self) -> bool:
        return self._is_sent

    def lift_window(self) -> None:
        with self._gate:
            self._window = self._window_bytes = 1 << 62
            self._room.notify_all()

    def stop(self) -> None:
        """Cancels what has no result yet: others may use the same group. Does not wait."""
        with self._gate:
            if self._is_stopped:
                return
            self._is_stopped = True
            self._news.notify_all()
            self._room.notify_all()
        self._session.abandon_map(self, self._lane)
