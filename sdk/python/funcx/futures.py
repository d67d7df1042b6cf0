"""The future of a call."""
from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any, Optional, TypeVar

from . import ids
from .errors import NotSerialisable

if TYPE_CHECKING:
    from .batches import FutureBatch
    from .session import Session


_T = TypeVar("_T")


class TaskFuture(concurrent.futures.Future[_T]):
    """A `concurrent.futures.Future` of a task. It never says `running()`: which of its calls run is the endpoint's business (`Client.status`).

    `cancel()` takes effect here at once and travels on to the service: what has not started does not start, what runs is ended.
    """

    def __init__(self, session: "Session", name: str = "") -> None:
        super().__init__()
        self._session = session
        self._name = name
        self._batch: Optional["FutureBatch"] = None
        self._index = 0
        self._ended = False

    def __reduce__(self) -> Any:
        raise NotSerialisable("a future cannot travel: pass its result(), or have the call run after it (after=[future])")

    @property
    def task_id(self) -> Optional[str]:
        """BATCH-INDEX; None until it is on its way."""
        return None if self._batch is None else ids.format_task(self._batch.id, self._index)

    @property
    def group(self) -> str:
        """Its task group."""
        return self._session.group

    @property
    def function_name(self) -> str:
        """Of what is called."""
        return self._name

    def result(self, timeout: Optional[float] = None) -> _T:
        """Its value; waits for it, `timeout` seconds at most. Raises what the function raised, a TaskError, or CancelledError."""
        if self._session.connection.process.is_other and not self.done():
            self._session.connection.process.check("This future")
        return super().result(timeout)

    def exception(self, timeout: Optional[float] = None) -> Optional[BaseException]:
        """What `result` would raise, or None; waits for it, `timeout` seconds at most."""
        if not self.done():
            self._session.connection.process.check("This future")
        return super().exception(timeout)

    def cancel(self) -> bool:
        """Cancels it here and there, also when it runs; False when it has ended."""
        if not self.done():
            self._session.connection.process.check("This future")
        if not super().cancel():
            return False
        self._session.abandon(self)
        return True

    def _place(self, batch: "FutureBatch", index: int) -> None:
        self._batch, self._index = batch, index

    def _give(self, value: Any) -> None:
        try:
            self.set_result(value)
        except concurrent.futures.InvalidStateError:
            # It was cancelled in the meantime.
            pass

    def _fail(self, error: BaseException) -> None:
        try:
            self.set_exception(error)
        except concurrent.futures.InvalidStateError:
            pass

    def _repr_html_(self) -> str:
        from .display import future_html
        return future_html(self)
