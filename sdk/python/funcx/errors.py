"""What goes wrong, by what a program can do about it. The texts are those of the `funcx` command."""
from __future__ import annotations

import concurrent.futures
from typing import Optional


class FuncXError(Exception):
    """Anything this package raises of its own: what failed, on which object, what was seen, what would be right."""


class Unreachable(FuncXError, ConnectionError):
    """The service did not answer within `connect_timeout`, or stayed away for `retry_for` once it had been reached."""


class NotAuthorised(FuncXError, PermissionError):
    """The token is missing, unknown, expired or revoked, or not good for this."""


class NotFound(FuncXError, LookupError):
    """No such function, endpoint, task or group of this user."""


class Refused(FuncXError, ValueError):
    """The service refused the request; the message names the limit or the fault."""


class ForkedProcess(FuncXError, RuntimeError):
    """A client was made before this process was forked: its connection and threads belong to the parent."""


class NotSerialisable(FuncXError, TypeError):
    """A function, an argument or a result cannot travel; the message has the reason of each way that was tried."""


class UntrustedResult(FuncXError):
    """A result is a pickle from an endpoint that is neither the user's own nor named in `trust`: reading it could run anybody's code."""


class TaskError(FuncXError):
    """A task that ended without a value and without an exception of the function."""

    def __init__(self, text: str, *, task_id: str, outcome: str, type: str, message: str, traceback: Optional[str] = None,
                 stdout: str = "", stderr: str = "", code: int = 0) -> None:
        super().__init__(text)
        self.task_id = task_id
        self.outcome = outcome
        #: Class of the remote exception, or what happened in one word (`WorkerLost`).
        self.type = type
        self.message = message
        self.traceback = traceback
        self.stdout = stdout
        self.stderr = stderr
        #: Exit status, or minus the signal, of a worker that died; else 0.
        self.code = code


class TaskTimeout(TaskError, TimeoutError):
    """It ran longer than its walltime."""


class TaskCancelled(TaskError, concurrent.futures.CancelledError):
    """Somebody cancelled it elsewhere: another program, or the endpoint's deletion."""


class TaskLost(TaskError):
    """Too many of its executions were lost with their worker, manager or block."""


class ResultTooLarge(TaskError):
    """The endpoint's `limits.result` is below its result."""


class TaskRejected(TaskError):
    """It cannot run there: no node has the runtime that the function requires, or what it runs after has failed."""


class TaskExpired(TaskError):
    """Its deadline passed before it started."""


class RemoteError(TaskError):
    """The function raised an exception whose class is not known here."""


class RemoteTraceback(Exception):
    """Cause of an exception that a function raised elsewhere: the traceback there, as its worker printed it. Its own `__cause__` is the one that the
    exception had there, as far as that is known here."""

    def __init__(self, text: str, task_id: str = "", stdout: str = "", stderr: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.task_id = task_id
        self.stdout = stdout
        self.stderr = stderr

    def __str__(self) -> str:
        return "task %s\n%s" % (self.task_id, self.text) if self.task_id else self.text
