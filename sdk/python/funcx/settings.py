"""What may be said about calls beyond function, endpoint and arguments."""
from __future__ import annotations

import datetime
import re
from dataclasses import dataclass, field, fields, replace
from typing import Any, List, Mapping, Optional, Sequence, Union

from .containers import Container
from .v1 import tasks_pb2

_MEMORY = re.compile(r"[1-9]\d*(MiB|GiB|TiB)")

Seconds = Union[int, float, datetime.timedelta]


def seconds(value: Seconds, what: str, least: float, most: float) -> float:
    number = value.total_seconds() if isinstance(value, datetime.timedelta) else float(value)
    if not least <= number <= most:
        raise ValueError("%s is %s s; it is %g to %g s" % (what, number, least, most))
    return number


@dataclass(frozen=True)
class Retry:
    """Makes a call again when its function fails: Retry(3, on=[OSError], backoff=2)."""

    #: How often at most, 1 or more.
    times: int
    #: Classes of exceptions, or their names; "*" is any, "TimedOut" a walltime that was too short. Empty: any exception.
    on: Sequence[Union[str, type]] = ()
    #: Before the first time, and twice as long before each further one, up to an hour.
    backoff: Seconds = 0

    def __post_init__(self) -> None:
        if self.times < 1:
            raise ValueError("retry.times is %d; it is 1 or more" % self.times)

    def to_message(self) -> tasks_pb2.RetryOptions:
        """For the SDK itself."""
        return tasks_pb2.RetryOptions(
            times=self.times, on=[name if isinstance(name, str) else name.__name__ for name in self.on],
            backoff_ms=int(1000 * seconds(self.backoff, "retry.backoff", 0, 3600)))


@dataclass(frozen=True)
class Settings:
    """Settings of one call, or of all calls of an executor. What a worker has is its endpoint's business (`workers` in its YAML): `cores`, `memory` and
    `accelerators` say what a call needs of it, and a call that no worker there can serve ends at once as rejected, with what they have. So does one with a
    `container` on an endpoint that runs none."""

    #: Longest run of one attempt in seconds, 1 ms to 49 days; None: the endpoint's limit.
    walltime: Optional[Seconds] = None
    #: When a call must have started: a datetime with its time zone, or Unix seconds. Later it ends as expired.
    deadline: Optional[Union[datetime.datetime, float]] = None
    #: 0 to 255; higher runs first among one user's calls.
    priority: int = 0
    #: A call is lost when so many of its executions were; 0: the service's default (3), 1: at most once.
    max_attempts: int = 0
    #: A Retry, or how often.
    retry: Optional[Union[Retry, int]] = None
    #: Tasks (futures, or ids as text) of the same group, accepted before, that must have ended with a value first.
    after: Sequence[Any] = ()
    #: Labels that the calls bring to their group; up to 32.
    labels: Mapping[str, str] = field(default_factory=dict)
    #: CPUs that its worker must have at least.
    cores: int = 0
    #: Memory that its worker must have at least, as "512MiB" or "8GiB".
    memory: str = ""
    #: Accelerators that its worker must see at least.
    accelerators: int = 0
    #: What it runs in: a Container, or the name or id of a registered one; None: as its function was registered.
    container: Optional[Union[Container, str]] = None

    def changed(self, changes: Mapping[str, Any]) -> "Settings":
        """The same with these changes; TypeError for what is no setting."""
        known = {item.name for item in fields(self)}
        unknown = sorted(set(changes) - known)
        if unknown:
            hint = ". What a call needs of its worker is cores, memory and accelerators" if {"gpus", "resources", "cpus"} & set(unknown) else ""
            raise TypeError("'%s' is no setting of a call; there are %s%s" % ("', '".join(unknown), ", ".join(sorted(known)), hint))
        return replace(self, **changes)

    @property
    def requires(self) -> List[str]:
        """What the workers must have, as `requires` of a function says it."""
        needs = [("cores", self.cores), ("memory", self.memory), ("accelerators", self.accelerators)]
        return ["%s>=%s" % need for need in needs if need[1]]

    def to_message(self) -> tasks_pb2.TaskOptions:
        """For the SDK itself; ValueError for what is out of range."""
        for name in ("cores", "accelerators"):
            number = getattr(self, name)
            if not isinstance(number, int) or number < 0:
                raise ValueError("%s is %r; it is a whole number" % (name, number))
        if not isinstance(self.memory, str) or (self.memory and not _MEMORY.fullmatch(self.memory)):
            raise ValueError("memory is %r; it is a text as '512MiB', '8GiB' or '1TiB'" % (self.memory,))
        if self.container is not None and (not isinstance(self.container, (Container, str)) or not self.container):
            raise ValueError("container is %r; it is a Container, or the name or id of one" % (self.container,))
        if not 0 <= self.priority <= 255:
            raise ValueError("priority is %d; it is 0 to 255" % self.priority)
        if self.max_attempts < 0:
            raise ValueError("max_attempts is %d; it is 0 or more" % self.max_attempts)
        message = tasks_pb2.TaskOptions(priority=self.priority, max_attempts=self.max_attempts)
        if self.walltime is not None:
            message.walltime_ms = int(1000 * seconds(self.walltime, "walltime", 0.001, 4294967.295))
        if self.deadline is not None:
            deadline = self.deadline
            if isinstance(deadline, datetime.datetime):
                if deadline.tzinfo is None:
                    raise ValueError("deadline %s has no time zone" % deadline)
                deadline = deadline.timestamp()
            message.deadline = int(deadline * 1_000_000)
        if self.retry is not None:
            message.retry.CopyFrom((self.retry if isinstance(self.retry, Retry) else Retry(self.retry)).to_message())
        for task in self.after:
            name = task if isinstance(task, str) else task.task_id
            if name is None:
                raise ValueError("a task that others run after was not sent yet; wait until it has a task_id")
            message.after.append(name)
        return message
