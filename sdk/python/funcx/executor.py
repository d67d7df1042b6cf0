"""A `concurrent.futures.Executor` whose calls run on an endpoint."""
from __future__ import annotations

import concurrent.futures
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, Iterator, List, Optional, Tuple, TypeVar, Union, overload

from . import ids
from .batches import Target
from .client import Client, lane_of
from .errors import NotSerialisable
from .functions import Callee, Function, is_steady
from .futures import TaskFuture
from .lane import Lane
from .mapping import MapRun
from .progress import track
from .registry import Endpoint, task_infos
from .session import Session
from .settings import Settings
from .v1 import tasks_pb2

if TYPE_CHECKING:
    from typing_extensions import ParamSpec
    _P = ParamSpec("_P")
_T = TypeVar("_T")

_MAP_WINDOW = 65_536
_MAP_WINDOW_BYTES = 256 * 1024 * 1024


class Executor(concurrent.futures.Executor):
    """Calls of one endpoint, in one task group: `Executor("laptop")`.

    `submit`, `map`, `shutdown` and the context manager are those of `concurrent.futures`; a call is a task of its own. Settings of every call
    (`walltime=20, retry=2, ...`, see Settings) may be given here, or for some calls by `with_settings`. A client that is not given is made from
    the stored login, and closed with the executor. Safe for any number of threads.

    `endpoint`: its name, its id, or an Endpoint.
    `group`: the name of the task group, 1 to 64 characters, by which `reload` finds the calls again; a new one unless it is named.
    `window`: so many calls may be without a result; then `submit` waits, and a map reads no further.
    `serialiser`: "auto": JSON where that gives back the same value, a pickle elsewhere; "json": an error elsewhere; "pickle": always.
    `strategy`: how functions are registered, see Client.register_function.
    """

    def __init__(self, endpoint: Union[str, Endpoint], *, client: Optional[Client] = None, group: Optional[str] = None, window: Optional[int] = None,
                 serialiser: str = "auto", strategy: str = "auto", **settings: Any) -> None:
        self._settings = Settings().changed(settings)
        self._settings.to_message()
        self._owns_client = client is None
        self._client = client if client is not None else Client()
        self._endpoint = endpoint
        self._serialiser = serialiser
        self._strategy = strategy
        self._window = window
        self._session = self._client.new_session(ids.check_group(group) if group is not None else ids.new_group(), window)
        self._lanes: Dict[Any, Lane] = {}
        self._reloaded: List[Session] = []

    def __repr__(self) -> str:
        return "<funcx.Executor on %s, group %s>" % (self._endpoint if isinstance(self._endpoint, str) else self._endpoint.name, self.group)

    def __reduce__(self) -> Any:
        raise NotSerialisable("an Executor cannot travel: it holds a connection. Make one where it is used.")

    @property
    def client(self) -> Client:
        """Through which the calls go."""
        return self._client

    @property
    def group(self) -> str:
        """The task group: with its name the results can be had again (`reload`), also by another program."""
        return self._session.group

    def with_settings(self, **settings: Any) -> "Executor":
        """The same executor, and the same group, for calls with other settings: executor.with_settings(walltime=60).submit(f, 1).

        What is not named stays as it is. The settings are those of Settings; others are refused with TypeError."""
        view = object.__new__(type(self))
        view.__dict__.update(self.__dict__)
        view._settings = self._settings.changed(settings)
        view._settings.to_message()
        view._owns_client = False
        view._lanes = {}
        return view

    @overload
    def submit(self, fn: Callable[_P, _T], /, *args: _P.args, **kwargs: _P.kwargs) -> TaskFuture[_T]: ...

    @overload
    def submit(self, fn: Union[Function, str], /, *args: Any, **kwargs: Any) -> TaskFuture[Any]: ...

    def submit(self, fn: Callee, /, *args: Any, **kwargs: Any) -> TaskFuture[Any]:
        """One call. A live function is captured when it is first used, as it is then; methods, partials and callable objects at each use. Waits while too
        many calls are on their way."""
        session = self._session
        try:
            lane = self._lanes.get(fn)
        except TypeError:
            lane = None
        if lane is None:
            if session.is_closed:
                raise RuntimeError("cannot schedule new futures after shutdown")
            self._client.check_process("This executor")
            lane = lane_of(self._client, session, fn, self._endpoint, self._settings, self._serialiser, self._strategy)
            self._remember(fn, lane)
        content_type, body = lane.target.codec.encode(args, kwargs)
        return session.submit(lane, content_type, body)

    def is_ready(self, fn: Callee) -> bool:
        """For the SDK itself: whether `submit` would wait for nothing now; the function is registered, and there is room."""
        try:
            return fn in self._lanes and self._session.has_room
        except TypeError:
            return False

    def _remember(self, fn: Callee, lane: Lane) -> None:
        if is_steady(getattr(fn, "__funcx_function__", fn)) and len(self._lanes) < 1_000:
            self._lanes[fn] = lane

    @overload
    def map(self, fn: Callable[..., _T], *iterables: Iterable[Any], timeout: Optional[float] = None, chunksize: int = 1, ordered: bool = True,
            progress: bool = False, window: Optional[int] = None, batch_size: Optional[int] = None) -> Iterator[_T]: ...

    @overload
    def map(self, fn: Union[Function, str], *iterables: Iterable[Any], timeout: Optional[float] = None, chunksize: int = 1, ordered: bool = True,
            progress: bool = False, window: Optional[int] = None, batch_size: Optional[int] = None) -> Iterator[Any]: ...

    def map(self, fn: Callee, *iterables: Iterable[Any], timeout: Optional[float] = None, chunksize: int = 1, ordered: bool = True,
            progress: bool = False, window: Optional[int] = None, batch_size: Optional[int] = None) -> Iterator[Any]:
        """Values of fn for each item, in the order of the items, or as they come (`ordered=False`).

        The items are read by a thread of its own, from now on and as far as `window` reaches beyond what was taken (65,536 calls): a generator of any
        length will do. `chunksize` is as good as 1: each call is a task, and many travel together anyway; `batch_size` limits how many (1 to 10,000).
        `timeout`: seconds from now until TimeoutError. `progress`: shows a bar on standard error. The first call that fails ends it with its exception.
        What was not taken when the iterator is closed, or raises, is cancelled.
        """
        if chunksize < 1:
            raise ValueError("chunksize must be >= 1.")
        run = self.map_run(fn, iterables, ordered, window, batch_size)
        values = run.results(timeout)
        return track(values, _length(iterables), self._name(fn)) if progress else values

    def map_run(self, fn: Callee, iterables: Tuple[Iterable[Any], ...], ordered: bool = True, window: Optional[int] = None, batch_size: Optional[int] = None) -> MapRun:
        """For the SDK itself: a map whose results are taken in another way."""
        self._client.check_process("This executor")
        if batch_size is not None and not 1 <= batch_size <= 10_000:
            raise ValueError("batch_size is %d; it is 1 to 10,000" % batch_size)
        if window is not None and window < 1:
            raise ValueError("window is %d; it is 1 or more" % window)
        if self._session.is_closed:
            raise RuntimeError("cannot schedule new futures after shutdown")
        return MapRun(self._session, self._target(fn), zip(*iterables), window or self._window or _MAP_WINDOW, _MAP_WINDOW_BYTES, batch_size, ordered)

    @overload
    def batch(self, fn: Callable[..., _T], arguments: Iterable[Any]) -> List[TaskFuture[_T]]: ...

    @overload
    def batch(self, fn: Union[Function, str], arguments: Iterable[Any]) -> List[TaskFuture[Any]]: ...

    def batch(self, fn: Callee, arguments: Iterable[Any]) -> List[TaskFuture[Any]]:
        """Futures of many calls, each with a tuple of its arguments; in order."""
        return [self.submit(fn, *args) for args in arguments]

    def reload(self, group: Optional[str] = None) -> List[TaskFuture[Any]]:
        """Futures of all tasks of a group, in the order in which they were submitted: after the program, or a notebook's kernel, was started anew.

        Without a group it is the executor's own, which was given its name. Those that have ended have their results as soon as they are read again.
        """
        self._client.check_process("This executor")
        # A stream of its own, from the beginning: the executor's may be past it.
        session = self._client.new_session(ids.check_group(self.group if group is None else group))
        futures = reload(self._client, session)
        self._reloaded.append(session)
        session.close_when_done()
        return futures

    def status(self) -> Any:
        """Counts of the group's tasks: a Group. Raises NotFound before its first call."""
        return self._client.groups.get(self.group)

    def cancel_all(self) -> int:
        """Cancels whatever of the group has not ended, whoever submitted it; gives how many tasks that were."""
        return self._client.cancel(group=self.group)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """No more calls. Waits until those that were made have ended, unless `wait` is false; `cancel_futures` cancels them, also those that run."""
        self._client.check_process("This executor")
        for session in (*self._reloaded, self._session):
            session.shutdown(wait, cancel_futures)
        if self._owns_client:
            if wait:
                self._client.close()
            else:
                self._session.when_stopped(self._client.close)

    def _repr_html_(self) -> str:
        from .display import executor_html
        return executor_html(self)

    def _target(self, fn: Callee) -> Target:
        client = self._client
        return client.target(client.needing(client.function(fn, self._strategy), self._settings), client.endpoint(self._endpoint), self.group, self._settings, self._serialiser)

    @staticmethod
    def _name(fn: Any) -> str:
        return str(getattr(fn, "__name__", getattr(fn, "name", fn)))


def reload(client: Client, session: Session) -> List[TaskFuture[Any]]:
    """The futures of a session's group; the session must be new."""
    found: Dict[bytes, Dict[int, tasks_pb2.TaskInfo]] = {}
    for info in task_infos(client, session.group):
        batch, index = ids.parse_task(info.task_id)
        found.setdefault(batch, {})[index] = info
    adopted, futures = [], []
    targets: Dict[Tuple[str, str], Target] = {}
    for batch in sorted(found):
        tasks = found[batch]
        info = next(iter(tasks.values()))
        key = (info.function_id, info.endpoint_id)
        if key not in targets:
            targets[key] = client.target_of(info.function_id, info.endpoint_id, session.group)
        slots: List[Optional[TaskFuture[Any]]] = [None] * (max(tasks) + 1)
        for index in sorted(tasks):
            slots[index] = TaskFuture(session, targets[key].name)
            futures.append(slots[index])
        adopted.append((batch, targets[key], slots))
    if adopted:
        session.adopt(adopted)
    return futures  # type: ignore[return-value]


def _length(iterables: Tuple[Iterable[Any], ...]) -> Optional[int]:
    try:
        return min(len(items) for items in iterables)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
