"""Functions, endpoints and groups of a user at the service."""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Dict, Iterator, List, Mapping, Optional, Sequence

from .capture import ENTRY
from .failures import OUTCOMES
from .functions import KINDS, Function
from .v1 import endpoints_pb2, functions_pb2, tasks_pb2

if TYPE_CHECKING:
    from .client import Client

STATES = {tasks_pb2.TASK_STATE_QUEUED: "queued", tasks_pb2.TASK_STATE_DISPATCHED: "dispatched", tasks_pb2.TASK_STATE_DONE: "done"}
_HOPS = [field.name for field in tasks_pb2.HopTimes.DESCRIPTOR.fields]


@dataclass(frozen=True)
class Endpoint:
    """A machine or cluster that executes, as it was when it was asked for. A notebook shows it as a table."""

    id: str
    name: str
    description: str = ""
    #: Its process is connected to the service.
    online: bool = False
    #: Unix seconds.
    last_seen: float = 0.0
    version: str = ""
    #: Workers that it has now, and of them those at work.
    workers: int = 0
    workers_busy: int = 0
    #: Processes that keep workers: one a node, as a rule.
    managers: int = 0
    #: Tasks that wait, at the service and there.
    queued: int = 0
    running: int = 0
    #: Why it runs nothing, when it does not.
    note: str = ""
    #: Whether it belongs to the caller: its pickled results are read.
    is_own: bool = False

    def _repr_html_(self) -> str:
        from .display import endpoints_html
        return endpoints_html([self])


@dataclass(frozen=True)
class Group:
    """Counts of the tasks of a group, as they were when they were asked for. A notebook shows them as a table."""

    name: str
    tasks: int = 0
    #: At the service.
    queued: int = 0
    #: At the endpoint, waiting or running.
    dispatched: int = 0
    #: Ended, with a value or without; `failed` are those without.
    done: int = 0
    failed: int = 0
    #: Of the queued, those that run after others.
    waiting: int = 0
    labels: Mapping[str, str] = field(default_factory=dict)
    #: Unix seconds.
    last_active: float = 0.0

    def _repr_html_(self) -> str:
        from .display import groups_html
        return groups_html([self])


@dataclass(frozen=True)
class TaskStatus:
    """A task as the service knew it when it was asked for."""

    id: str
    function_id: str
    endpoint_id: str
    group: str
    #: queued, dispatched or done.
    state: str
    #: value, exception, timed out, cancelled, lost, too large, rejected or expired; None until it is done.
    outcome: Optional[str]
    #: How often it was begun, and how many of these were lost with a worker, manager or block.
    attempts: int
    losses: int
    #: Unix seconds of each hop that is known.
    times: Mapping[str, float]
    stdout: str = ""
    stderr: str = ""
    #: Exit status, or minus the signal, of a worker that died; else 0.
    code: int = 0
    waiting_reason: str = ""

    @property
    def is_done(self) -> bool:
        """Whether it has its outcome."""
        return self.state == "done"

    def _repr_html_(self) -> str:
        from .display import status_html
        return status_html(self)


class Tabled(List[Any]):
    """A list that a notebook shows as a table."""

    def _repr_html_(self) -> str:
        from .display import list_html
        return list_html(self)


class Functions:
    """The functions that a user has registered: `client.functions`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def get(self, function: str) -> Function:
        """By id, by the first 8 or more digits of its id, or by name (the newest of that name)."""
        connection = self._client.connection
        return function_of(connection.call(connection.functions.Get, functions_pb2.GetFunctionRequest(function=function), "Function '%s'" % function))

    def code(self, function: str) -> bytes:
        """What was registered: a module's text, a command's definition, a package."""
        connection = self._client.connection
        return bytes(connection.call(connection.functions.Get, functions_pb2.GetFunctionRequest(function=function, include_code=True),
                                     "Function '%s'" % function).code)

    def list(self, limit: int = 100) -> List[Function]:
        """The newest first; at most 1,000."""
        connection = self._client.connection
        reply = connection.call(connection.functions.List, functions_pb2.ListFunctionsRequest(limit=limit), "Listing functions")
        return Tabled(function_of(info) for info in reply.functions)

    def delete(self, function: "str | Function") -> None:
        """Deletes a registration. Calls already accepted still run."""
        connection = self._client.connection
        identity = function.id if isinstance(function, Function) else function
        connection.call(connection.functions.Delete, functions_pb2.DeleteFunctionRequest(function_id=identity), "Deleting function %s" % identity)
        self._client.forget(identity)


class Endpoints:
    """A user's endpoints: `client.endpoints`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def get(self, endpoint: str) -> Endpoint:
        """By name or id, as it is now."""
        connection = self._client.connection
        info = connection.call(connection.endpoints.Get, endpoints_pb2.GetEndpointRequest(endpoint=endpoint), "Endpoint '%s'" % endpoint)
        # The service lists the caller's own and no others.
        own = any(found.id == info.endpoint_id for found in self.list())
        return endpoint_of(info, own)

    def list(self) -> List[Endpoint]:
        """The caller's own."""
        connection = self._client.connection
        reply = connection.call(connection.endpoints.List, endpoints_pb2.ListEndpointsRequest(), "Listing endpoints")
        return Tabled(endpoint_of(info, True) for info in reply.endpoints)

    def delete(self, endpoint: "str | Endpoint") -> None:
        """Deletes it: its link is ended, and every task that it has not finished ends as cancelled."""
        connection = self._client.connection
        identity = endpoint.id if isinstance(endpoint, Endpoint) else self.get(endpoint).id
        connection.call(connection.endpoints.Delete, endpoints_pb2.DeleteEndpointRequest(endpoint_id=identity), "Deleting endpoint '%s'" % identity)


class Groups:
    """A user's task groups: `client.groups`."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def get(self, group: str) -> Group:
        """By name, as it is now."""
        connection = self._client.connection
        return group_of(connection.call(connection.tasks.GetGroup, tasks_pb2.GetGroupRequest(group=group), "Group %s" % group))

    def list(self, labels: Sequence[str] = (), prefix: str = "", unfinished: bool = False) -> Iterator[Group]:
        """All, in the order of their names; or those that have all of the labels (KEY or KEY=VALUE), begin with `prefix`, or have unfinished tasks."""
        connection = self._client.connection
        request = tasks_pb2.ListGroupsRequest(labels=labels, prefix=prefix, unfinished=unfinished, limit=1_000)
        while True:
            reply = connection.call(connection.tasks.ListGroups, request, "Listing groups")
            yield from map(group_of, reply.groups)
            if not reply.next:
                return
            request.after = reply.next

    def recent(self, limit: int = 20, unfinished: bool = False) -> List[Group]:
        """Those that were active last, the last first."""
        connection = self._client.connection
        reply = connection.call(connection.tasks.ListGroups, tasks_pb2.ListGroupsRequest(recent=True, limit=limit, unfinished=unfinished), "Listing groups")
        return Tabled(map(group_of, reply.groups))

    def label(self, group: str, labels: Mapping[str, str], remove: Sequence[str] = ()) -> Group:
        """Sets labels, and removes those of these keys."""
        connection = self._client.connection
        request = tasks_pb2.SetGroupLabelsRequest(group=group, remove=remove)
        request.set.update(labels)
        return group_of(connection.call(connection.tasks.SetGroupLabels, request, "Labelling group %s" % group))

    def tasks(self, group: str, state: Optional[str] = None) -> Iterator[TaskStatus]:
        """All tasks of a group, or those that are queued, dispatched or done; without their output."""
        return map(status_of, task_infos(self._client, group, state))


def task_infos(client: "Client", group: str, state: Optional[str] = None) -> Iterator[tasks_pb2.TaskInfo]:
    numbers = {name: number for number, name in STATES.items()}
    if state is not None and state not in numbers:
        raise ValueError("state '%s' is none; there are %s" % (state, ", ".join(numbers)))
    connection = client.connection
    request = tasks_pb2.ListTasksRequest(group=group, limit=10_000, state=numbers[state] if state else tasks_pb2.TASK_STATE_UNSPECIFIED)
    while True:
        reply = connection.call(connection.tasks.List, request, "Listing the tasks of group %s" % group)
        yield from reply.tasks
        if not reply.next:
            return
        request.after = reply.next


def function_of(info: functions_pb2.FunctionInfo) -> Function:
    return Function(info.function_id, info.name, KINDS.get(info.kind, str(info.kind)), info.description, tuple(info.requires), info.registered_at / 1e6, info.container_id,
                    is_live=info.kind == functions_pb2.FUNCTION_KIND_PYTHON and info.entry == ENTRY)


def endpoint_of(info: endpoints_pb2.EndpointInfo, is_own: bool) -> Endpoint:
    status = info.status
    return Endpoint(info.endpoint_id, info.name, info.description, info.online, info.last_seen / 1e6, info.version, status.workers, status.workers_busy,
                    status.managers, info.queued + status.queued, status.running, status.note, is_own)


def group_of(info: tasks_pb2.GroupInfo) -> Group:
    return Group(info.group, info.tasks, info.queued, info.dispatched, info.done, info.failed, info.waiting, dict(info.labels), info.last_active / 1e6)


def status_of(info: tasks_pb2.TaskInfo) -> TaskStatus:
    times: Dict[str, float] = {name: getattr(info.times, name) / 1e6 for name in _HOPS if getattr(info.times, name)}
    return TaskStatus(info.task_id, info.function_id, info.endpoint_id, info.group, STATES.get(info.state, "unknown"),
                      OUTCOMES.get(info.outcome) if info.state == tasks_pb2.TASK_STATE_DONE else None, info.attempts, info.losses, times,
                      info.stdout.decode(errors="replace"), info.stderr.decode(errors="replace"), info.code, info.waiting_reason)
