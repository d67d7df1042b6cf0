"""Tables for notebooks. Everything that comes from elsewhere is escaped."""
from __future__ import annotations

import html
from typing import TYPE_CHECKING, Any, Iterable, List, Mapping, Sequence

if TYPE_CHECKING:
    from .containers import Container
    from .executor import Executor
    from .futures import TaskFuture
    from .registry import Endpoint, Group, TaskStatus


def table(head: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    cells = ["<table><thead><tr>%s</tr></thead><tbody>" % "".join("<th>%s</th>" % html.escape(name) for name in head)]
    for row in rows:
        cells.append("<tr>%s</tr>" % "".join("<td>%s</td>" % html.escape(str(value)) for value in row))
    return "".join(cells) + "</tbody></table>"


def endpoints_html(endpoints: "Iterable[Endpoint]") -> str:
    return table(("endpoint", "state", "workers", "busy", "queued", "running", "note"), (
        (endpoint.name, "online" if endpoint.online else "offline", endpoint.workers, endpoint.workers_busy, endpoint.queued, endpoint.running, endpoint.note)
        for endpoint in endpoints))


def groups_html(groups: "Iterable[Group]") -> str:
    return table(("group", "tasks", "queued", "dispatched", "done", "failed", "labels"), (
        (group.name, group.tasks, group.queued, group.dispatched, group.done, group.failed,
         _pairs(group.labels)) for group in groups))


def containers_html(containers: "Iterable[Container]") -> str:
    return table(("container", "images", "environment", "id"), (
        (container.name, _pairs(container.images), _pairs(container.environment), container.id[:12]) for container in containers))


def status_html(status: "TaskStatus") -> str:
    rows: List[Sequence[Any]] = [("state", status.state), ("outcome", status.outcome or ""), ("group", status.group), ("attempts", status.attempts)]
    times = sorted((time, hop) for hop, time in status.times.items())
    rows += [(hop.replace("_", " "), "+%.3f ms" % (1000 * (time - times[0][0]))) for time, hop in times]
    if status.waiting_reason:
        rows.append(("waits because", status.waiting_reason))
    return table(("task", status.id), rows)


def future_html(future: "TaskFuture[Any]") -> str:
    if not future.done():
        state = "waiting"
    elif future.cancelled():
        state = "cancelled"
    else:
        error = future.exception()
        state = "done" if error is None else "%s: %s" % (type(error).__name__, error)
    return table(("task", "function", "group", "state"), [(future.task_id or "", future.function_name, future.group, state)])


def executor_html(executor: "Executor") -> str:
    return groups_html([executor.status()])


def _pairs(values: Mapping[str, str]) -> str:
    return ", ".join("%s=%s" % pair for pair in sorted(values.items()))


def list_html(items: Sequence[Any]) -> str:
    from .containers import Container
    from .registry import Endpoint, Group
    if items and isinstance(items[0], Endpoint):
        return endpoints_html(items)
    if items and isinstance(items[0], Group):
        return groups_html(items)
    if items and isinstance(items[0], Container):
        return containers_html(items)
    return table(("function", "kind", "id", "description"), ((item.name, item.kind, item.id[:12], item.description) for item in items))
