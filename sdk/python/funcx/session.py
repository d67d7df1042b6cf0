"""The calls of one group: out in batches, their results back over one stream."""
from __future__ import annotations

import functools
import queue
import threading
import time
import weakref
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import grpc

from . import ids
from .batches import Batch, Failure, FutureBatch, Target
from .chunks import Columns
from .connection import MESSAGE_BYTES, Connection, Outage, is_full, is_transient, may_be_stopping
from .errors import FuncXError, Refused
from .failures import VALUE
from .futures import TaskFuture
from .lane import Lane
from .v1 import tasks_pb2
from .values import JSON, Body

# Some 150 KB of ids: below what a gRPC service takes in one message, and a short turn for its task store.
_CANCELLED_TOGETHER = 5_000

_thread = threading.local()

# All that still have something to say when the interpreter ends.
live: "weakref.WeakSet[Session]" = weakref.WeakSet()


class Session:
    """Safe for any number of threads. A lock is taken for each call that is added, and for each message."""

    def __init__(self, connection: Connection, group: str, window: int, window_bytes: int, batch_size: int) -> None:
        self.connection = connection
        self.group = group
        self.gate = threading.Lock()
        self._room = threading.Condition(self.gate)
        self._window = window
        self._window_bytes = window_bytes
        self._batch_size = batch_size
        self._lanes: Dict[Any, Lane] = {}
        self._batches: Dict[bytes, Batch] = {}
        self._unfinished = 0
        self._unacknowledged = 0
        self._maps: "weakref.WeakSet[Any]" = weakref.WeakSet()
        self._is_closed = False
        self._is_stopped = False
        self._reader: Optional[threading.Thread] = None
        self._call: Any = None
        self._wanted = threading.Condition(self.gate)
        self._cursor = 0
        self._large: "Optional[queue.SimpleQueue[Any]]" = None
        self._to_cancel: List[str] = []
        self._is_cancelling = False
        self._then: Optional[Callable[[], None]] = None
        live.add(self)

    # -- calls out

    def lane(self, key: Any, target: Any) -> Lane:
        """The lane of a key; `target` makes what its calls have in common."""
        with self.gate:
            found = self._lanes.get(key)
        if found is not None:
            return found
        made = Lane(self, target(), _future_batch, self._batch_size)
        with self.gate:
            return self._lanes.setdefault(key, made)

    def own_lane(self, target: Target, make: Any, batch_size: Optional[int]) -> Lane:
        """A lane whose results go elsewhere than to futures; forgotten with `abandon_map`."""
        lane = Lane(self, target, make, batch_size or self._batch_size)
        with self.gate:
            self._lanes[id(lane)] = lane
        return lane

    def submit(self, lane: Lane, content_type: int, body: Body) -> TaskFuture[Any]:
        """Waits while too many calls, or too many bytes of them, are on their way: every queue has an end."""
        self.connection.process.check("This executor or client")
        if len(body) > MESSAGE_BYTES - 65_536:
            raise Refused("The arguments have %d bytes; a message of the service has at most %d. Pass the name of a file that the endpoint can read." % (len(body), MESSAGE_BYTES))
        if not self.has_room:
            self.wait_for_room()
        future: TaskFuture[Any] = TaskFuture(self, lane.target.name)
        lane.add(content_type, body, future, True)
        return future

    @property
    def has_room(self) -> bool:
        return self._unfinished < self._window and self._unacknowledged < self._window_bytes

    def wait_for_room(self) -> None:
        # Whoever brings results cannot wait for them: a callback that submits passes.
        if getattr(_thread, "brings_results", False):
            return
        with self.gate:
            while not self.has_room and not self._is_closed:
                if not self._room.wait(1.0):
                    self._count()

    def _count(self) -> None:
        """Anew, since an interrupt may have come between a call and its count."""
        waiting = [body for lane in self._lanes.values() for _, body, _ in lane.waiting()]
        self._unfinished = len(waiting) + sum(batch.left for batch in self._batches.values())
        self._unacknowledged = sum(map(len, waiting)) + sum(batch.bytes for batch in self._batches.values() if not batch.is_answered)

    def check_open(self) -> None:
        """With the lock held."""
        if self._is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")

    def entered(self, size: int) -> None:
        """With the lock held."""
        self._unfinished += 1
        self._unacknowledged += size

    def left(self, calls: int, size: int) -> None:
        """With the lock held."""
        self._unfinished -= calls
        self._unacknowledged -= size
        self._room.notify_all()

    def _ended(self, calls: int, size: int = 0) -> None:
        """Calls have their outcome. The last ones of a session that is shut down end it."""
        with self.gate:
            self.left(calls, size)
            if self._is_closed and self._has_finished():
                self._stop()

    def send(self, lane: Lane) -> None:
        """Sends what may be sent; without the lock."""
        while True:
            with self.gate:
                batch = lane.next()
                if batch is None:
                    return
                if batch.request is not None:
                    self._batches[batch.id] = batch
                is_last = not lane.may_send()
            if batch.request is None:
                self._end_unsent(batch, lane)
            else:
                batch.outage = Outage(self.connection)
                self._start(batch)
            if is_last:
                return

    def _end_unsent(self, batch: Batch, lane: Lane) -> None:
        """Calls whose arguments could not be encoded, in their place among those of a map."""
        batch.is_answered = True
        with self.gate:
            lane.answered(batch)
        assert batch.unsendable is not None
        self._ended(batch.fail(batch.unsendable))

    def _start(self, batch: Batch) -> None:
        request = batch.request
        if request is None or self.connection.errands.offer(batch.id, request, functools.partial(self._streamed, batch)):
            return
        self._call_submit(batch, request)

    def _streamed(self, batch: Batch, is_accepted: bool) -> None:
        """What has come of a message that went over the open stream."""
        if is_accepted:
            self._accepted(batch)
        elif self.connection.closed.is_set():
            self._refuse(batch, FuncXError("The client was closed before the service had answered."))
        elif batch.request is not None:
            # Why, its own call says: it is refused, or made again for as long as the service is away.
            self._call_submit(batch, batch.request)

    def _call_submit(self, batch: Batch, request: bytes) -> None:
        try:
            call = self.connection.submit.future(request, metadata=self.connection.metadata)
        except Exception as problem:
            # ValueError is what gRPC raises for a call on a closed channel; others have other reasons, as that no thread can be started.
            if self.connection.closed.is_set():
                error = FuncXError("The client was closed before the call was sent: the service does not have it.")
            else:
                error = FuncXError("Submitting %d call(s) of function %s failed before anything was sent: %r" % (batch.count, batch.target.name, problem))
                error.__cause__ = problem
            self._refuse(batch, error)
            return
        call.add_done_callback(lambda done: self._answered(batch, done))

    def _later(self, delay: float, batch: Batch) -> None:
        timer = threading.Timer(delay, self._start, (batch,))
        timer.daemon = True
        timer.start()

    def _answered(self, batch: Batch, call: Any) -> None:
        connection = self.connection
        if call.code() is not grpc.StatusCode.OK:
            if is_transient(call) or is_full(call):
                assert batch.outage is not None
                connection.reached = connection.reached or is_full(call)
                delay = None if connection.closed.is_set() else batch.outage.delay()
                if delay is not None:
                    self._later(delay, batch)
                    return
            what = "Submitting %d call(s) of function %s to endpoint %s" % (batch.count, batch.target.name, batch.target.codec.endpoint)
            if connection.closed.is_set():
                self._refuse(batch, FuncXError("The client was closed before the service had answered."))
            else:
                self._refuse(batch, connection.translate(call, what))
            return
        self._accepted(batch)

    def _accepted(self, batch: Batch) -> None:
        self.connection.reached = True
        with self.gate:
            if batch.is_answered:
                return
            batch.is_answered = batch.is_accepted = True
            batch.request = None
            self.left(0, batch.bytes)
            if batch.lane is not None:
                batch.lane.answered(batch)
            cancels = bool(batch.to_cancel)
            self._to_cancel.extend(ids.format_task(batch.id, index) for index in batch.to_cancel)
            batch.to_cancel = []
            self._want_results()
            may_send = batch.lane is not None and batch.lane.may_send()
        if cancels:
            self.cancel_tasks(())
        if may_send:
            self.send(batch.lane)  # type: ignore[arg-type]
        if self._is_closed:
            self._ended(0)

    def _refuse(self, batch: Batch, error: BaseException) -> None:
        with self.gate:
            if batch.is_answered:
                return
            batch.is_answered = True
            batch.request = None
            self._batches.pop(batch.id, None)
            if batch.lane is not None:
                batch.lane.answered(batch)
        before = getattr(_thread, "brings_results", False)
        _thread.brings_results = True
        failed = batch.fail(error)
        _thread.brings_results = before
        self._ended(failed, batch.bytes)
        if batch.lane is not None:
            self.send(batch.lane)

    # -- cancelling

    def abandon(self, future: TaskFuture[Any]) -> None:
        """A future was cancelled here."""
        with self.gate:
            if future._ended:
                return
            future._ended = True
            batch, index = future._batch, future._index
            if batch is not None and not batch.is_accepted:
                batch.to_cancel.append(index)
        future.set_running_or_notify_cancel()
        if batch is not None and batch.is_accepted:
            self.cancel_tasks([ids.format_task(batch.id, index)])

    def abandon_map(self, run: Any, lane: Lane) -> None:
        """Nobody takes the rest of a map's results."""
        tasks: List[str] = []
        with self.gate:
            for _, body, _ in lane.drop_waiting():
                self.left(1, len(body))
            for batch in self._batches.values():
                if getattr(batch, "run", None) is not run:
                    continue
                if batch.is_accepted:
                    tasks += [ids.format_task(batch.id, index) for index in batch.unfinished()]  # type: ignore[attr-defined]
                else:
                    batch.to_cancel = batch.unfinished()  # type: ignore[attr-defined]
            self._lanes.pop(id(lane), None)
        self.cancel_tasks(tasks)

    def cancel_tasks(self, tasks: Sequence[str]) -> None:
        """Best effort, and without waiting: a task that the service cannot be told of runs to its end, and its result is dropped."""
        with self.gate:
            self._to_cancel.extend(tasks)
            if self.connection.closed.is_set():
                self._to_cancel.clear()
            if self._is_cancelling or not self._to_cancel:
                return
            self.connection.outbox.put(self._send_cancellations)
            self._is_cancelling = True

    def _send_cancellations(self, call: Any = None) -> None:
        with self.gate:
            tasks, self._to_cancel = self._to_cancel[:_CANCELLED_TOGETHER], self._to_cancel[_CANCELLED_TOGETHER:]
            if not tasks:
                self._is_cancelling = False
                self._room.notify_all()
                return
        try:
            started = self.connection.tasks.Cancel.future(tasks_pb2.CancelRequest(task_ids=tasks), metadata=self.connection.metadata, timeout=30)
        except Exception:
            # The channel is closed, or the call cannot be made: whoever waits until the service knows does not wait for ever.
            with self.gate:
                self._is_cancelling = False
                self._to_cancel.clear()
                self._room.notify_all()
            return
        started.add_done_callback(self._send_cancellations)

    # -- results in

    def _want_results(self) -> None:
        """With the lock held, once the service has a batch: before, there is no group."""
        if self._reader is None and not self._is_stopped:
            self._reader = threading.Thread(target=self._read, name="funcx-results", daemon=True)
            self._reader.start()
        self._wanted.notify_all()

    def _read(self) -> None:
        _thread.brings_results = True
        outage = Outage(self.connection)
        while True:
            with self.gate:
                # Without anybody waiting a broken stream stays closed: an idle client does not hammer a service that is away.
                while not self._batches and not self._is_stopped:
                    self._wanted.wait()
                if self._is_stopped:
                    return
            opened = call = None
            try:
                request = tasks_pb2.ResultsRequest(group=self.group, cursor=self._cursor, follow=True)
                # As long as such a stream is open, gRPC keeps the thread that serves the channel: without one each submission on its own would start and end a thread.
                call = self._call = self.connection.tasks.Results(request, metadata=self.connection.metadata)
                if self._is_stopped:
                    call.cancel()
                # They come before the first result: an open stream may be silent for as long as the tasks run.
                call.initial_metadata()
                opened = time.monotonic()
                for chunk in call:
                    self.connection.reached = True
                    outage.over()
                    if chunk.cursor > self._cursor:
                        self._take(chunk)
                        self._cursor = chunk.cursor
                problem: Any = None
            except grpc.RpcError as error:
                problem = error
            except Exception as error:
                if self._is_stopped or self.connection.closed.is_set():
                    self._fail_all(FuncXError("The client was closed before all results had come."))
                    return
                self._fail_all(error if isinstance(error, FuncXError) else FuncXError("Reading the results of group %s failed: %r" % (self.group, error)))
                if call is not None:
                    call.cancel()
                self.connection.closed.wait(1.0)
                continue
            if self._is_stopped:
                return
            if self.connection.closed.is_set():
                self._fail_all(FuncXError("The client was closed before all results had come."))
                return
            if opened is not None and time.monotonic() - opened >= 1:
                outage.over()
            transient = problem is None or (may_be_stopping(problem) if opened is not None else is_transient(problem)) or problem.code() is grpc.StatusCode.NOT_FOUND or is_full(problem)
            delay = outage.delay() if transient else None
            if delay is None:
                self._fail_all(self.connection.translate(problem, "Reading the results of group %s" % self.group) if problem is not None
                               else FuncXError("The service ended the stream of results of group %s again and again" % self.group))
                outage = Outage(self.connection)
            else:
                self.connection.closed.wait(delay)

    def _take(self, chunk: Any) -> None:
        columns = Columns(chunk)
        index, rows, batch_ids = columns.index, columns.rows, columns.batch_ids
        taken: List[Tuple[Batch, int]] = []
        first = 0
        for number, size in enumerate(columns.counts):
            batch = self._batches.get(batch_ids[12 * number:12 * number + 12])
            last = first + size
            if batch is not None:
                taken.append((batch, self._take_rows(batch, index[first:last], rows[first:last], columns, first)))
            first = last
        self._took(taken)

    def _took(self, taken: Sequence[Tuple[Batch, int]]) -> None:
        """So many calls of these batches have their outcome now."""
        done = 0
        with self.gate:
            for batch, new in taken:
                batch.left -= new
                done += new
                if batch.left <= 0:
                    self._batches.pop(batch.id, None)
            self.left(done, 0)
            if self._is_closed and self._has_finished():
                self._stop()

    def _take_rows(self, batch: Batch, index: List[int], rows: List[bytes], columns: Columns, first: int) -> int:
        codec = batch.target.codec
        batch.came(len(rows), sum(map(len, rows)))
        if columns.is_plain:
            try:
                values = codec.decode_all(rows)
            except Exception:
                values = [_decoded(codec, JSON, row) for row in rows]
            return batch.take(index, values)
        taken, values = [], []
        for offset, (number, body) in enumerate(zip(index, rows)):
            row = first + offset
            if row in columns.large:
                self._fetch(batch, number, columns, row)
                continue
            taken.append(number)
            values.append(self._value(batch, number, body, columns, row))
        return batch.take(taken, values)

    def _value(self, batch: Batch, number: int, body: bytes, columns: Columns, row: int) -> Any:
        outcome = columns.outcome(row)
        if outcome == VALUE:
            return _decoded(batch.target.codec, columns.content_type(row), body)
        stdout, stderr = columns.output(row)
        return Failure(batch.target.failure(ids.format_task(batch.id, number), outcome, body, stdout, stderr, columns.code(row)))

    def _fail_all(self, error: BaseException) -> None:
        with self.gate:
            # What was not answered has its own patience.
            failed = [batch for batch in self._batches.values() if batch.is_accepted]
            for batch in failed:
                del self._batches[batch.id]
        self._ended(sum(batch.fail(error) for batch in failed))

    # -- values too large for a message

    def _fetch(self, batch: Batch, number: int, columns: Columns, row: int) -> None:
        if self._large is None:
            self._large = queue.SimpleQueue()
            threading.Thread(target=self._fetch_all, name="funcx-values", args=(self._large,), daemon=True).start()
        self._large.put((batch, number, columns, row))

    def _fetch_all(self, wanted: "queue.SimpleQueue[Any]") -> None:
        _thread.brings_results = True
        while True:
            item = wanted.get()
            if item is None:
                return
            batch, number, columns, row = item
            task = ids.format_task(batch.id, number)
            try:
                body = read_value(self.connection, task)
                value = self._value(batch, number, body, columns, row)
            except Exception as error:
                # The outcome of this task and of no other.
                value = Failure(error)
            del item
            self._took([(batch, batch.take([number], [value]))])

    # -- reload

    def adopt(self, batches: Sequence[Tuple[bytes, Target, List[Optional[TaskFuture[Any]]]]]) -> None:
        """Tasks that were submitted before, perhaps by another program: their results are read from the beginning."""
        with self.gate:
            self.check_open()
            for batch_id, target, futures in batches:
                batch = FutureBatch(None, target, futures, batch_id)
                batch.left = sum(future is not None for future in futures)
                batch.is_answered = batch.is_accepted = True
                self._batches[batch_id] = batch
                self._unfinished += batch.left
            self._want_results()

    # -- the end

    @property
    def is_closed(self) -> bool:
        return self._is_closed

    def add_map(self, run: Any) -> None:
        with self.gate:
            self.check_open()
            self._maps.add(run)

    def close_when_done(self) -> None:
        """Takes no more calls, and ends by itself."""
        self.shutdown(wait=False, cancel=False)

    def when_stopped(self, then: Callable[[], None]) -> None:
        """Calls `then` once nothing is waited for any more, on a thread of its own."""
        with self.gate:
            if not self._is_stopped:
                self._then = then
                return
        then()

    def map_sent(self) -> None:
        """The source of a map has ended."""
        self._ended(0)

    def shutdown(self, wait: bool, cancel: bool) -> None:
        for run in list(self._maps):
            if cancel:
                run.stop()
            else:
                # Whoever would take its results may wait here.
                run.lift_window()
        with self.gate:
            self._is_closed = True
            self._room.notify_all()
            futures = self._futures() if cancel else []
        for future in futures:
            future.cancel()
        if cancel:
            self._drop_cancelled()
        with self.gate:
            if wait:
                self._room.wait_for(self._has_told_all if cancel else self._has_finished)
            if wait or self._has_finished():
                self._stop()
        reader = self._reader
        if wait and reader is not None and reader is not threading.current_thread():
            reader.join()

    def _has_finished(self) -> bool:
        return not self._batches and all(run.is_sent for run in self._maps) and all(lane.is_idle for lane in self._lanes.values())

    def _has_told_all(self) -> bool:
        """Cancelled tasks will have no result that anybody waits for, but the service must know."""
        return not self._is_cancelling and not self._to_cancel and all(batch.is_answered for batch in self._batches.values())

    def _futures(self) -> List[TaskFuture[Any]]:
        found: List[TaskFuture[Any]] = []
        for lane in self._lanes.values():
            found += [slot for _, _, slot in lane.waiting() if isinstance(slot, TaskFuture)]
        for batch in self._batches.values():
            if isinstance(batch, FutureBatch):
                found += [future for future in batch.futures if future is not None]
        return found

    def _drop_cancelled(self) -> None:
        with self.gate:
            for lane in self._lanes.values():
                for _, body, _ in lane.drop_waiting():
                    self.left(1, len(body))

    def _stop(self) -> None:
        """With the lock held."""
        self._is_stopped = True
        self._wanted.notify_all()
        then, self._then = self._then, None
        if then is not None:
            threading.Thread(target=then, daemon=True).start()
        if self._large is not None:
            self._large.put(None)
        if self._call is not None:
            self._call.cancel()

    def end(self, error: FuncXError) -> None:
        """The client is closed: nobody waits any more, and whoever does is told."""
        for run in list(self._maps):
            run.stop()
        with self.gate:
            self._is_closed = True
            self._stop()
            waiting = [slot for lane in self._lanes.values() for _, _, slot in lane.drop_waiting() if isinstance(slot, TaskFuture)]
            batches = list(self._batches.values())
            self._batches.clear()
            self._unfinished = self._unacknowledged = 0
            self._room.notify_all()
        for batch in batches:
            batch.fail(error)
        for future in waiting:
            future._fail(error)

    def flush(self, within: float) -> None:
        """At the interpreter's end: what was submitted shall reach the service."""
        end = time.monotonic() + within
        with self.gate:
            self._count()
            while self._unacknowledged > 0 or any(not lane.is_idle for lane in self._lanes.values()):
                if not self._room.wait(end - time.monotonic()) or time.monotonic() >= end:
                    break
            self._is_closed = True
            self._stop()


def _future_batch(lane: Lane, futures: List[Any]) -> FutureBatch:
    return FutureBatch(lane, lane.target, futures)


def _decoded(codec: Any, content_type: int, body: bytes) -> Any:
    try:
        return codec.decode(content_type, body)
    except Exception as problem:
        return Failure(problem if isinstance(problem, FuncXError) else FuncXError("The result cannot be read: %s" % problem))


def read_value(connection: Connection, task: str) -> bytes:
    """A value in pieces; goes on where a lost connection left it."""
    pieces: List[bytes] = []
    at = 0
    outage = Outage(connection)
    while True:
        try:
            for piece in connection.tasks.Value(tasks_pb2.ValueRequest(task_id=task, offset=at), metadata=connection.metadata):
                outage.over()
                pieces.append(piece.data)
                at += len(piece.data)
            return b"".join(pieces)
        except grpc.RpcError as problem:
            delay = outage.delay() if may_be_stopping(problem) else None
            if delay is None or connection.closed.is_set():
                raise connection.translate(problem, "Reading the value of task %s" % task) from None
            connection.closed.wait(delay)
