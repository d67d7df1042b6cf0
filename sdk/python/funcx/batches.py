"""Calls that travel in one message, and who takes their results."""
from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, List, Mapping, Optional, Sequence, Tuple

from . import ids
from .connection import Outage
from .failures import failure
from .functions import Function
from .futures import TaskFuture
from .v1 import tasks_pb2
from .values import Body, Codec

if TYPE_CHECKING:
    from .lane import Lane


class Failure:
    """In the place of a value: the exception of a task."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


class Target:
    """What all calls of a lane have in common."""

    def __init__(self, codec: Codec, endpoint_id: str, group: str, options: tasks_pb2.TaskOptions, labels: Mapping[str, str], function: Function) -> None:
        self.codec = codec
        self.name = function.name
        self._function = function
        common = tasks_pb2.SubmitRequest(function_id=codec.function_id, endpoint_id=endpoint_id, group=group, options=options)
        common.labels.update(labels)
        self._common = common.SerializeToString()

    def request(self, batch: bytes, content_type: int, bodies: Sequence[Body]) -> bytes:
        """A SubmitRequest. Messages one behind the other are one message: what all have in common is encoded once."""
        joined = b"".join(bodies) if isinstance(bodies[0], bytes) else "".join(bodies).encode("ascii")  # type: ignore[arg-type]
        return self._common + tasks_pb2.SubmitRequest(batch_id=batch, content_type=content_type, lengths=map(len, bodies), bodies=joined,
                                                      client_sent=time.time_ns() // 1000).SerializeToString()

    def failure(self, task_id: str, outcome: int, body: bytes, stdout: bytes, stderr: bytes, code: int) -> BaseException:
        """The exception of one of these calls."""
        function = self._function
        scope = {**function.errors, **function.classes}
        hint = ""
        if function.pickled:
            hint = ". The function was pickled under %s. What would work: an endpoint whose workers.python is that, or strategy='source'" % function.pickled
        return failure(task_id, outcome, body, stdout, stderr, code, scope, hint, self.codec)


class Batch:
    """Sent again under the same id until the service answers."""

    def __init__(self, lane: Optional["Lane"], target: Target, count: int, batch_id: Optional[bytes] = None) -> None:
        self.id = batch_id or ids.new_batch()
        self.lane = lane
        self.target = target
        self.count = count
        self.left = count
        self.bytes = 0
        self.request: Optional[bytes] = None
        self.outage: Optional[Outage] = None
        #: Why it cannot be sent, when it cannot.
        self.unsendable: Optional[BaseException] = None
        self.is_answered = False
        self.is_accepted = False
        #: Indexes to cancel once the service has the batch: it refuses what it does not know.
        self.to_cancel: List[int] = []

    def came(self, calls: int, size: int) -> None:
        """So many outcomes, of so many bytes, are about to be taken."""

    def take(self, indexes: Sequence[int], values: Sequence[Any]) -> int:
        """Outcomes that have come; gives how many of them were new."""
        raise NotImplementedError

    def fail(self, error: BaseException) -> int:
        """No outcome will come; gives how many were missing."""
        raise NotImplementedError


class FutureBatch(Batch):
    """Each call has a future."""

    def __init__(self, lane: Optional["Lane"], target: Target, futures: List[Optional[TaskFuture[Any]]], batch_id: Optional[bytes] = None) -> None:
        super().__init__(lane, target, len(futures), batch_id)
        self.futures = futures
        for index, future in enumerate(futures):
            if future is not None:
                future._place(self, index)

    def take(self, indexes: Sequence[int], values: Sequence[Any]) -> int:
        futures, new = self.futures, 0
        for index, value in zip(indexes, values):
            future = futures[index]
            if future is None:
                continue
            futures[index] = None
            new += 1
            if type(value) is Failure:
                future._fail(value.error)
            else:
                future._give(value)
        return new

    def fail(self, error: BaseException) -> int:
        failed = 0
        for index, future in enumerate(self.futures):
            if future is not None:
                self.futures[index] = None
                failed += 1
                future._fail(error)
        return failed


#: Content type, body, and whose call it is. With the content type UNSENDABLE it only keeps its place, and whose it is says why.
Entry = Tuple[int, Body, Any]
UNSENDABLE = -1
