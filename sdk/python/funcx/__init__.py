"""FuncX: call Python functions, commands and .NET methods on laptops, clusters and supercomputers.

    with funcx.Executor("laptop") as executor:
        print(executor.submit(pow, 2, 10).result())
        print(sum(executor.map(lambda x: x * x, range(10_000))))
"""
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, as_completed, wait

from .aio import AsyncClient, AsyncExecutor
from .client import Client
from .containers import Container
from .decorators import RemoteFunction, default_client, function
from .errors import (ForkedProcess, FuncXError, NotAuthorised, NotFound, NotSerialisable, Refused, RemoteError, RemoteTraceback, ResultTooLarge,
                     TaskCancelled, TaskError, TaskExpired, TaskLost, TaskRejected, TaskTimeout, Unreachable, UntrustedResult)
from .executor import Executor
from .functions import Function
from .futures import TaskFuture
from .registry import Endpoint, Group, TaskStatus
from .settings import Retry, Settings
from .shell import ShellFunction, ShellResult

__version__ = "0.1.0"

__all__ = [
    "ALL_COMPLETED", "AsyncClient", "AsyncExecutor", "Client", "Container", "Endpoint", "Executor", "FIRST_COMPLETED", "FIRST_EXCEPTION", "ForkedProcess", "FuncXError",
    "Function", "Group", "NotAuthorised", "NotFound", "NotSerialisable", "Refused", "RemoteError", "RemoteFunction", "RemoteTraceback", "ResultTooLarge", "Retry",
    "Settings", "ShellFunction", "ShellResult", "TaskCancelled", "TaskError", "TaskExpired", "TaskFuture", "TaskLost", "TaskRejected", "TaskStatus", "TaskTimeout",
    "Unreachable", "UntrustedResult", "as_completed", "default_client", "function", "wait",
]
