"""The same for asyncio: nothing here blocks the event loop."""
from __future__ import annotations

import asyncio
import functools
from typing import Any, AsyncIterator, Callable, Iterable, List, Mapping, Optional, Sequence, TypeVar, Union, overload

from .batches import Failure
from .client import Client
from .executor import Executor
from .functions import Callee, Function
from .futures import TaskFuture
from .registry import Endpoint, Group, TaskStatus
from .settings import Settings

_T = TypeVar("_T")


async def _aside(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return await asyncio.get_running_loop().run_in_executor(None, functools.partial(call, *args, **kwargs))


class AsyncClient:
    """`Client` for asyncio: the same options, and its methods awaited. A `client` that is given is used, and not closed with this one.

    `submit` and `batch` give asyncio futures; cancelling one cancels its call.
    """

    def __init__(self, service: Optional[str] = None, *, client: Optional[Client] = None, **options: Any) -> None:
        if client is not None and (service is not None or options):
            raise TypeError("client is given: its service and options are its own")
        self._owns = client is None
        #: The Client below.
        self.client = client if client is not None else Client(service, **options)

    @property
    def group(self) -> str:
        """The task group of its calls."""
        return self.client.group

    async def register_function(self, function: Callable[..., Any], **options: Any) -> Function:
        """As Client.register_function."""
        return await _aside(self.client.register_function, function, **options)

    async def run(self, function: Callee, endpoint: Union[str, Endpoint], *args: Any, **kwargs: Any) -> Any:
        """One call, and its value. Cancelling the asyncio task cancels it."""
        return await (await self.submit(function, endpoint, args, kwargs))

    async def submit(self, function: Callee, endpoint: Union[str, Endpoint], args: Sequence[Any] = (), kwargs: Optional[Mapping[str, Any]] = None,
                     settings: Optional[Settings] = None) -> "asyncio.Future[Any]":
        """One call. Awaited, it is on its way; its future, awaited, is its value."""
        return asyncio.wrap_future(await _aside(self.client.submit, function, endpoint, args, kwargs, settings))

    async def batch(self, function: Callee, endpoint: Union[str, Endpoint], arguments: Iterable[Sequence[Any]],
                    settings: Optional[Settings] = None) -> "List[asyncio.Future[Any]]":
        """Many calls of one function, each with a tuple of its arguments; their futures in order."""
        futures = await _aside(self.client.batch, function, endpoint, arguments, settings)
        return [asyncio.wrap_future(future) for future in futures]

    async def result(self, task: Union[str, TaskFuture[Any]], timeout: Optional[float] = None) -> Any:
        """A task's value, as Client.result."""
        return await _aside(self.client.result, task, timeout)

    async def status(self, task: Union[str, TaskFuture[Any]]) -> TaskStatus:
        """What the service knows of a task."""
        return await _aside(self.client.status, task)

    async def cancel(self, tasks: Any = None, *, group: Optional[str] = None) -> int:
        """Cancels tasks, or a group; gives how many were still alive."""
        return await _aside(self.client.cancel, tasks, group=group)

    async def endpoints(self) -> List[Endpoint]:
        """Your endpoints, as they are now."""
        return await _aside(self.client.endpoints.list)

    async def functions(self, limit: int = 100) -> List[Function]:
        """The functions that you have registered, the newest first."""
        return await _aside(self.client.functions.list, limit)

    async def groups(self, limit: int = 20) -> List[Group]:
        """Your task groups that were active last."""
        return await _aside(self.client.groups.recent, limit)

    async def close(self) -> None:
        """As Client.close."""
        if self._owns:
            await _aside(self.client.close)

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.close()


class AsyncExecutor:
    """`Executor` for asyncio: `await executor.submit(f, 1)` gives an asyncio future, `async for value in executor.map(f, items)` the values.

    The options are those of Executor. Nothing blocks the event loop; at the end of `async with` it waits for the calls that were made.
    """

    def __init__(self, endpoint: Union[str, Endpoint], *, client: Union[Client, AsyncClient, None] = None, **options: Any) -> None:
        #: The Executor below.
        self.executor = Executor(endpoint, client=client.client if isinstance(client, AsyncClient) else client, **options)

    @property
    def group(self) -> str:
        """The task group of its calls."""
        return self.executor.group

    @overload
    async def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> "asyncio.Future[_T]": ...

    @overload
    async def submit(self, fn: Union[Function, str], /, *args: Any, **kwargs: Any) -> "asyncio.Future[Any]": ...

    async def submit(self, fn: Callee, /, *args: Any, **kwargs: Any) -> "asyncio.Future[Any]":
        """Awaited, the call is on its way; its future, awaited, is its value. Cancelling the future cancels the call."""
        if self.executor.is_ready(fn):
            return asyncio.wrap_future(self.executor.submit(fn, *args, **kwargs))
        return asyncio.wrap_future(await _aside(self.executor.submit, fn, *args, **kwargs))

    @overload
    async def run(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> _T: ...

    @overload
    async def run(self, fn: Union[Function, str], /, *args: Any, **kwargs: Any) -> Any: ...

    async def run(self, fn: Callee, /, *args: Any, **kwargs: Any) -> Any:
        """One call, and its value. Cancelling the asyncio task cancels it."""
        return await (await self.submit(fn, *args, **kwargs))

    @overload
    def map(self, fn: Callable[..., _T], *iterables: Iterable[Any], ordered: bool = True, window: Optional[int] = None) -> AsyncIterator[_T]: ...

    @overload
    def map(self, fn: Union[Function, str], *iterables: Iterable[Any], ordered: bool = True, window: Optional[int] = None) -> AsyncIterator[Any]: ...

    async def map(self, fn: Callee, *iterables: Iterable[Any], ordered: bool = True, window: Optional[int] = None) -> AsyncIterator[Any]:
        """Values as `Executor.map` gives them. The items are read by a thread of its own."""
        run = await _aside(self.executor.map_run, fn, iterables, ordered, window)
        try:
            while True:
                values = await _aside(run.next_run)
                if values is None:
                    return
                for value in values:
                    if type(value) is Failure:
                        raise value.error
                    yield value
        finally:
            run.stop()

    async def as_completed(self, futures: "Iterable[asyncio.Future[Any]]") -> "AsyncIterator[asyncio.Future[Any]]":
        """The futures in the order in which they end."""
        ended: "asyncio.Queue[asyncio.Future[Any]]" = asyncio.Queue()
        count = 0
        for future in futures:
            count += 1
            future.add_done_callback(ended.put_nowait)
        for _ in range(count):
            yield await ended.get()

    async def reload(self, group: Optional[str] = None) -> "List[asyncio.Future[Any]]":
        """Futures of all tasks of a group, as Executor.reload."""
        return [asyncio.wrap_future(future) for future in await _aside(self.executor.reload, group)]

    async def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As Executor.shutdown."""
        await _aside(self.executor.shutdown, wait, cancel_futures=cancel_futures)

    async def __aenter__(self) -> "AsyncExecutor":
        return self

    async def __aexit__(self, *_: Any) -> None:
        await self.shutdown()
