"""A user's connection to a service."""
from __future__ import annotations

import atexit
import dataclasses
import json
import os
import pathlib
import threading
import time
from typing import TYPE_CHECKING, Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union, overload

from . import credentials, ids, session as sessions
from .batches import Target
from .capture import ENTRY, Captured, capture, name_of
from .connection import Connection
from .containers import Container, Containers
from .errors import FuncXError, NotFound, NotSerialisable
from .failures import VALUE, scope_of
from .functions import Callee, Function, Registered, is_steady
from .futures import TaskFuture
from .lane import Lane
from .registry import Endpoint, Endpoints, Functions, Groups, TaskStatus, function_of, status_of
from .session import Session, read_value
from .settings import Settings
from .shell import ShellFunction, ShellResult
from .v1 import functions_pb2, tasks_pb2
from .values import Codec

if TYPE_CHECKING:
    from typing_extensions import ParamSpec
    _P = ParamSpec("_P")
_T = TypeVar("_T")

_DEFAULT_WINDOW = 200_000
_DEFAULT_WINDOW_BYTES = 64 * 1024 * 1024
_NAME_LENGTH = 128


class Client:
    """Registers functions, calls them on endpoints, and brings the results back. Safe for any number of threads; make one and keep it.

    Service and token are those of `funcx login` unless they are named: `service` is an address, `token` the token or `token_file` a file with it.
    It reconnects by itself: a call that the service has accepted is not lost by a restart, and none is made twice.

    `group`: the task group of `run`, `submit` and `batch`; a new one unless it is named.
    `trust`: endpoints, by name or id, that are not your own and whose pickled results you will read.
    `connect_timeout`: seconds until a service that never answered is Unreachable.
    `retry_for`: seconds for which a service that answered before may be away, 2.5 at least; None: for ever.
    `batch_size`: the most calls of one message, 1 to 10,000.
    `window`: so many calls may be without a result, and `window_bytes` of arguments without an acknowledgement; then submitting waits.
    """

    def __init__(self, service: Optional[str] = None, *, token: Optional[str] = None, token_file: Optional[str] = None, group: Optional[str] = None,
                 trust: Iterable[str] = (), connect_timeout: float = 10.0, retry_for: Optional[float] = 300.0, batch_size: int = 1_000,
                 window: int = _DEFAULT_WINDOW, window_bytes: int = _DEFAULT_WINDOW_BYTES) -> None:
        if not 1 <= batch_size <= 10_000:
            raise ValueError("batch_size is %d; it is 1 to 10,000" % batch_size)
        if window < 1 or window_bytes < 1:
            raise ValueError("window and window_bytes are 1 or more")
        if isinstance(trust, str):
            raise TypeError("trust is a list of endpoints: trust=['%s']" % trust)
        address, found = credentials.find(service, token, token_file)
        self._connection = Connection(address, found, connect_timeout, retry_for)
        self._trust = frozenset(trust)
        self._group = ids.check_group(group) if group is not None else ids.new_group()
        self._limits = (window, window_bytes, batch_size)
        self._gate = threading.Lock()
        self._session: Optional[Session] = None
        self._sessions: List[Session] = []
        self._registered = Registered()
        # By (id,), and by (name, source) of captured ones.
        self._known: Dict[Tuple[str, ...], Function] = {}
        self._resolved: Dict[str, Endpoint] = {}
        self._containers: Dict[Tuple[object, ...], Container] = {}
        #: The functions that you have registered: see Functions.
        self.functions = Functions(self)
        #: The containers that you have registered: see Containers.
        self.containers = Containers(self)
        #: Your endpoints: see Endpoints.
        self.endpoints = Endpoints(self)
        #: Your task groups: see Groups.
        self.groups = Groups(self)

    def __repr__(self) -> str:
        return "<funcx.Client of %s, group %s>" % (self.address, self._group)

    def __reduce__(self) -> Any:
        raise NotSerialisable("a Client cannot travel: it holds a connection and a token. Make one where it is used.")

    @property
    def address(self) -> str:
        """The address of its service."""
        return self._connection.address

    @property
    def group(self) -> str:
        """The task group of the calls that are made with the client itself; an Executor has its own."""
        return self._group

    # -- functions

    def register_function(self, function: Callable[..., Any], *, name: Optional[str] = None, description: str = "", requires: Sequence[str] = (),
                          strategy: str = "auto", container: Optional[Union[Container, str]] = None) -> Function:
        """Registers a live function, lambda, closure, method or other callable, as it is now.

        Its source travels with all that it refers to; where that cannot be had, a pickle by cloudpickle or dill: `strategy` is "auto", or "source" or
        "pickle" for one of the two. `requires` says what a node must have, as "python>=3.10"; `container` what it runs in. Raises NotSerialisable, with the reason of each way
        that was tried. The same code is the same function, with the name and description that it was registered with last.
        """
        if isinstance(function, ShellFunction):
            return self.register_shell(function, container=container)
        live = getattr(function, "__funcx_function__", function)
        captured = capture(live, strategy)
        return self._register_captured(captured, live, name or _printable(name_of(live)), description, requires, container)

    def _register_captured(self, captured: Captured, live: Callable[..., Any], name: str, description: str = "", requires: Sequence[str] = (),
                           container: Optional[Union[Container, str]] = None) -> Function:
        registered = self._register(functions_pb2.RegisterFunctionRequest(
            kind=functions_pb2.FUNCTION_KIND_PYTHON, name=name, entry=ENTRY, code=captured.source.encode(), description=description,
            requires=sorted({*requires, *captured.requires}), container=self._container_id(container)))
        return dataclasses.replace(registered, is_live=True, classes=captured.classes, pickled=captured.pickled, errors=scope_of(live))

    def register_source(self, source: str, entry: str, *, name: Optional[str] = None, description: str = "", requires: Sequence[str] = (),
                        container: Optional[Union[Container, str]] = None) -> Function:
        """Registers a module's text and the name in it that is called. Arguments and values are JSON, as for the `funcx` command."""
        return self._register(functions_pb2.RegisterFunctionRequest(
            kind=functions_pb2.FUNCTION_KIND_PYTHON, name=name or entry, entry=entry, code=source.encode(), description=description, requires=requires,
            container=self._container_id(container)))

    def register_shell(self, function: ShellFunction, *, container: Optional[Union[Container, str]] = None) -> Function:
        """Registers a command."""
        return self._register(functions_pb2.RegisterFunctionRequest(
            kind=functions_pb2.FUNCTION_KIND_COMMAND, name=function.name, code=json.dumps(function.definition(), sort_keys=True).encode(),
            description=function.description, requires=function.requires, container=self._container_id(container)))

    def register_dotnet(self, package: Union[str, "os.PathLike[str]", bytes], entry: str, *, name: Optional[str] = None, description: str = "",
                        requires: Sequence[str] = (), container: Optional[Union[Container, str]] = None) -> Function:
        """Registers a .NET method: `package` is an assembly or a zip archive (its path or its bytes), `entry` is Assembly::Namespace.Type::Method."""
        code = package if isinstance(package, bytes) else pathlib.Path(package).read_bytes()
        return self._register(functions_pb2.RegisterFunctionRequest(
            kind=functions_pb2.FUNCTION_KIND_DOTNET, name=name or entry.rpartition(":")[2], entry=entry, code=code, description=description, requires=requires,
            container=self._container_id(container)))

    def register_container(self, container: Container) -> Container:
        """Registers an image that functions run in; the same images and environment are the same container, with the name and description that it was
        registered with last. Functions stay with the container that their `container` named when they were registered."""
        return self.containers.register(container)

    def _container_id(self, container: Optional[Union[Container, str]]) -> str:
        """As the service takes it; one that was not registered is, when it is first used."""
        if container is None or isinstance(container, str):
            return container or ""
        if container.id:
            return container.id
        key = container.identity
        found = self._containers.get(key)
        if found is None:
            found = self._containers[key] = self.register_container(container)
        return found.id

    def needing(self, function: Function, settings: Settings) -> Function:
        """For the SDK itself: the same function for calls that need more of their workers, or another container."""
        if not (settings.cores or settings.memory or settings.accelerators or settings.container):
            return function
        requires = settings.requires
        container = self._container_id(settings.container)
        key = ("needing", function.id, container, *requires)
        found = self._known.get(key)
        if found is None:
            connection = self._connection
            info = connection.call(connection.functions.Get, functions_pb2.GetFunctionRequest(function=function.id, include_code=True), "Function '%s'" % function.name)
            # By its own name it is found as it was registered, whatever single calls need.
            name = "%s [%s]" % (info.name[:80], ", ".join([*requires, *(["container " + _name(settings.container)] if settings.container else [])]))
            made = self._register(functions_pb2.RegisterFunctionRequest(
                kind=info.kind, name=name[:_NAME_LENGTH], entry=info.entry, code=info.code, description=info.description, requires=sorted({*info.requires, *requires}),
                container=container or info.container_id))
            found = self._known[key] = dataclasses.replace(function, id=made.id, requires=made.requires, container=made.container)
        return found

    def _register(self, request: functions_pb2.RegisterFunctionRequest) -> Function:
        return function_of(self._connection.call(self._connection.functions.Register, request, "Registering function '%s'" % request.name))

    def forget(self, function_id: str) -> None:
        """For the SDK itself: a function was deleted, and a live one is registered again when it is used again."""
        self._registered.forget(function_id)
        for key in [key for key, known in list(self._known.items()) if known.id == function_id or key[:2] == ("needing", function_id)]:
            del self._known[key]

    def forget_container(self, container_id: str) -> None:
        """For the SDK itself: a container was deleted, and one that is given whole is registered again when it is used again."""
        for key in [key for key, known in list(self._containers.items()) if known.id == container_id]:
            del self._containers[key]
        self.forget_container_names()

    def forget_container_names(self) -> None:
        """For the SDK itself: what a name of a container means may have changed."""
        for key in [key for key in list(self._known) if key[0] == "needing" and key[2]]:
            del self._known[key]

    def function(self, function: Callee, strategy: str = "auto") -> Function:
        """The registered function that is meant: a live one is registered when it is first used."""
        if isinstance(function, Function):
            return function
        if isinstance(function, str):
            found = self._known.get((function,))
            return found if found is not None else self.functions.get(function)
        live = getattr(function, "__funcx_function__", function)
        if not is_steady(live):
            return self._capture_once(live, strategy)
        known = self._registered.find(live, strategy)
        if known is None:
            known = self.register_shell(live) if isinstance(live, ShellFunction) else self._capture_once(live, strategy)
            self._registered.add(live, strategy, known)
        return known

    def _capture_once(self, live: Callable[..., Any], strategy: str) -> Function:
        """A lambda in a loop is a new object each time, and mostly the same function."""
        captured, name = capture(live, strategy), _printable(name_of(live))
        key = (name, captured.source)
        known = self._known.get(key)
        if known is None:
            known = self._register_captured(captured, live, name)
            if len(self._known) >= 1_000:
                self._known.clear()
            self._known[key] = self._known[(known.id,)] = known
        return known

    def endpoint(self, endpoint: Union[str, Endpoint]) -> Endpoint:
        """An endpoint by name or id; asked for once."""
        if isinstance(endpoint, Endpoint):
            return endpoint
        found = self._resolved.get(endpoint)
        if found is None:
            found = self._resolved[endpoint] = self.endpoints.get(endpoint)
        return found

    # -- calls

    @overload
    def run(self, function: Callable[_P, _T], endpoint: Union[str, Endpoint], *args: _P.args, **kwargs: _P.kwargs) -> _T: ...

    @overload
    def run(self, function: Union[Function, str], endpoint: Union[str, Endpoint], *args: Any, **kwargs: Any) -> Any: ...

    def run(self, function: Callee, endpoint: Union[str, Endpoint], *args: Any, **kwargs: Any) -> Any:
        """One call, and its value: waits for it. An interrupt (Ctrl-C) cancels it."""
        future = self.submit(function, endpoint, args, kwargs)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    @overload
    def submit(self, function: Callable[..., _T], endpoint: Union[str, Endpoint], args: Sequence[Any] = (), kwargs: Optional[Mapping[str, Any]] = None,
               settings: Optional[Settings] = None) -> TaskFuture[_T]: ...

    @overload
    def submit(self, function: Union[Function, str], endpoint: Union[str, Endpoint], args: Sequence[Any] = (), kwargs: Optional[Mapping[str, Any]] = None,
               settings: Optional[Settings] = None) -> TaskFuture[Any]: ...

    def submit(self, function: Callee, endpoint: Union[str, Endpoint], args: Sequence[Any] = (), kwargs: Optional[Mapping[str, Any]] = None,
               settings: Optional[Settings] = None) -> TaskFuture[Any]:
        """One call with positional and keyword arguments, and its future. Waits while too many calls are on their way."""
        own = self._own_session()
        lane = lane_of(self, own, function, endpoint, settings or _DEFAULT_SETTINGS)
        return own.submit(lane, *lane.target.codec.encode(args, kwargs))

    @overload
    def batch(self, function: Callable[..., _T], endpoint: Union[str, Endpoint], arguments: Iterable[Sequence[Any]],
              settings: Optional[Settings] = None) -> List[TaskFuture[_T]]: ...

    @overload
    def batch(self, function: Union[Function, str], endpoint: Union[str, Endpoint], arguments: Iterable[Sequence[Any]],
              settings: Optional[Settings] = None) -> List[TaskFuture[Any]]: ...

    def batch(self, function: Callee, endpoint: Union[str, Endpoint], arguments: Iterable[Sequence[Any]], settings: Optional[Settings] = None) -> List[TaskFuture[Any]]:
        """Many calls of one function, each with a tuple of its arguments; their futures in order."""
        own = self._own_session()
        lane = lane_of(self, own, function, endpoint, settings or _DEFAULT_SETTINGS)
        return [own.submit(lane, *lane.target.codec.encode(_tuple(args))) for args in arguments]

    def status(self, task: Union[str, TaskFuture[Any]]) -> TaskStatus:
        """What the service knows of a task, with the time of each hop. Raises NotFound for another user's, and for one that is no longer kept."""
        return status_of(self._get(_task_id(task)))

    @overload
    def result(self, task: TaskFuture[_T], timeout: Optional[float] = None) -> _T: ...

    @overload
    def result(self, task: str, timeout: Optional[float] = None) -> Any: ...

    def result(self, task: Union[str, TaskFuture[Any]], timeout: Optional[float] = None) -> Any:
        """A task's value, whoever submitted it: waits for it. Raises as its future does."""
        if isinstance(task, TaskFuture):
            return task.result(timeout)
        end = None if timeout is None else time.monotonic() + timeout
        delay = 0.02
        while True:
            info = self._get(task)
            if info.state == tasks_pb2.TASK_STATE_DONE:
                return self._value(info)
            left = delay if end is None else min(delay, end - time.monotonic())
            if left <= 0:
                raise TimeoutError("task %s has not ended within %s s" % (task, timeout))
            time.sleep(left)
            delay = min(1.0, 2 * delay)

    def cancel(self, tasks: Union[str, TaskFuture[Any], Iterable[Union[str, TaskFuture[Any]]], None] = None, *, group: Optional[str] = None) -> int:
        """Cancels tasks (futures, or ids as text), or all of a group, that have not ended, also those that run; gives how many were still alive."""
        if (tasks is None) == (group is None):
            raise ValueError("either tasks or a group are to be cancelled")
        if group is not None:
            requests = [tasks_pb2.CancelRequest(group=group)]
        else:
            named = [_task_id(task) for task in ([tasks] if isinstance(tasks, (str, TaskFuture)) else tasks or ())]
            requests = [tasks_pb2.CancelRequest(task_ids=named[start:start + 5_000]) for start in range(0, len(named), 5_000)]
        return sum(self._connection.call(self._connection.tasks.Cancel, request, "Cancelling tasks").cancelled for request in requests)

    def _get(self, task: str) -> tasks_pb2.TaskInfo:
        ids.parse_task(task)
        return self._connection.call(self._connection.tasks.Get, tasks_pb2.GetTaskRequest(task_id=task), "Task %s" % task)

    def _value(self, info: tasks_pb2.TaskInfo) -> Any:
        body = info.value
        if not body and info.value_bytes:
            body = read_value(self._connection, info.task_id)
        target = self.target_of(info.function_id, info.endpoint_id, self._group)
        if info.outcome == VALUE:
            return target.codec.decode(info.content_type, body)
        raise target.failure(info.task_id, info.outcome, body, info.stdout, info.stderr, info.code)

    # -- what calls are made of

    def codec(self, function: Function, endpoint: Endpoint, serialiser: str) -> Codec:
        """For the SDK itself: how values of these calls travel."""
        trusted = endpoint.is_own or endpoint.name in self._trust or endpoint.id in self._trust
        return Codec(function.id, function.is_live, trusted, endpoint.name, function.classes, serialiser,
                     ShellResult.read if function.kind == "command" else None)

    def target(self, function: Function, endpoint: Endpoint, group: str, settings: Settings, serialiser: str = "auto") -> Target:
        """For the SDK itself: what all of these calls have in common."""
        return Target(self.codec(function, endpoint, serialiser), endpoint.id, group, settings.to_message(), dict(settings.labels), function)

    def target_of(self, function_id: str, endpoint_id: str, group: str) -> Target:
        """For the SDK itself: of tasks that were submitted before; their function or endpoint may be gone from the registry."""
        try:
            function = self.function(function_id)
        except NotFound:
            function = Function(function_id, function_id[:12], is_live=True)
        try:
            endpoint = self.endpoint(endpoint_id)
        except NotFound:
            endpoint = Endpoint(endpoint_id, endpoint_id)
        return self.target(function, endpoint, group, _DEFAULT_SETTINGS)

    def new_session(self, group: str, window: Optional[int] = None) -> Session:
        """For the SDK itself: the calls of a group."""
        limit, window_bytes, batch_size = self._limits
        made = Session(self._connection, group, window or limit, window_bytes, batch_size)
        with self._gate:
            if self._connection.closed.is_set():
                raise FuncXError("the client was closed")
            self._sessions = [session for session in self._sessions if not session.is_closed] + [made]
        return made

    def _own_session(self) -> Session:
        self._connection.process.check("This client")
        found = self._session
        if found is None:
            made = self.new_session(self._group)
            with self._gate:
                found = self._session = self._session or made
        return found

    def check_process(self, what: str) -> None:
        """For the SDK itself: raises ForkedProcess in a child of the process that made the client."""
        self._connection.process.check(what)

    @property
    def connection(self) -> Connection:
        """For the SDK itself."""
        return self._connection

    # -- the end

    def close(self) -> None:
        """Ends the connection. Calls that the service has accepted go on there; whatever in this program waits for them fails with FuncXError."""
        if self._connection.closed.is_set():
            return
        for session in list(self._sessions):
            if not self._connection.process.is_other:
                session.end(FuncXError("The client was closed before all results had come."))
        self._connection.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()


def lane_of(client: Client, session: Session, function: Callee, endpoint: Union[str, Endpoint], settings: Settings, serialiser: str = "auto",
            strategy: str = "auto") -> Lane:
    registered = client.needing(client.function(function, strategy), settings)
    where = client.endpoint(endpoint)
    return session.lane((registered.id, where.id, _key(settings), serialiser), lambda: client.target(registered, where, session.group, settings, serialiser))


def _key(settings: Settings) -> Any:
    return _DEFAULT if settings == _DEFAULT_SETTINGS else (settings.to_message().SerializeToString(deterministic=True), tuple(sorted(settings.labels.items())))


_DEFAULT = ()
_DEFAULT_SETTINGS = Settings()


def _tuple(args: Any) -> Sequence[Any]:
    if not isinstance(args, (tuple, list)):
        raise TypeError("each entry of a batch is a tuple of the call's arguments; seen %r of type %s" % (args, type(args).__name__))
    return args


def _task_id(task: Union[str, TaskFuture[Any]]) -> str:
    if isinstance(task, str):
        return task
    if task.task_id is None:
        raise FuncXError("this call was not sent yet; it has no id")
    return task.task_id


def _name(container: Union[Container, str]) -> str:
    return container if isinstance(container, str) else container.name


def _printable(name: str) -> str:
    return name if name != "<lambda>" else "lambda"


def _at_exit() -> None:
    """What was submitted shall reach the service; streams that are open while the interpreter ends would hold it up."""
    for session in list(sessions.live):
        if not session.connection.process.is_other and not session.connection.closed.is_set():
            session.flush(within=10.0)


atexit.register(_at_exit)
