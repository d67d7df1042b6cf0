"""Functions that know where they run."""
from __future__ import annotations

import functools
import threading
from typing import Any, Callable, Generic, Iterable, Iterator, Optional, TypeVar, Union, overload

from .client import Client
from .containers import Container
from .executor import Executor
from .futures import TaskFuture
from .registry import Endpoint
from .settings import Settings

_T = TypeVar("_T")

_gate = threading.Lock()
_executors = threading.Lock()
_default: Optional[Client] = None


def default_client() -> Client:
    """The program's client for decorated functions, from the stored login; made when it is first needed, and anew after a fork."""
    global _default
    with _gate:
        if _default is None or _default.connection.closed.is_set() or _default.connection.process.is_other:
            _default = Client()
        return _default


class RemoteFunction(Generic[_T]):
    """A decorated function, as `function` makes it: called, it runs here; `submit`, `run` and `map` run it on its endpoint."""

    def __init__(self, function: Callable[..., _T], endpoint: Union[str, Endpoint], client: Optional[Client], strategy: str, settings: Settings) -> None:
        functools.update_wrapper(self, function)
        self.__funcx_function__ = function
        self._endpoint = endpoint
        self._client = client
        self._strategy = strategy
        self._settings = settings
        self._executor: Optional[Executor] = None

    def __call__(self, *args: Any, **kwargs: Any) -> _T:
        return self.__funcx_function__(*args, **kwargs)

    def __reduce__(self) -> Any:
        return _same, (self.__funcx_function__,)

    def submit(self, *args: Any, **kwargs: Any) -> TaskFuture[_T]:
        """One call on the endpoint, and its future."""
        return self.executor.submit(self.__funcx_function__, *args, **kwargs)

    def run(self, *args: Any, **kwargs: Any) -> _T:
        """One call on the endpoint, and its value: waits for it. An interrupt (Ctrl-C) cancels it."""
        future = self.submit(*args, **kwargs)
        try:
            return future.result()
        except KeyboardInterrupt:
            future.cancel()
            raise

    def map(self, *iterables: Iterable[Any], **options: Any) -> Iterator[_T]:
        """Values of the function for each item, with the options of Executor.map."""
        return self.executor.map(self.__funcx_function__, *iterables, **options)

    def on(self, endpoint: Union[str, Endpoint], **settings: Any) -> "RemoteFunction[_T]":
        """The same function elsewhere, or with other settings."""
        return RemoteFunction(self.__funcx_function__, endpoint, self._client, self._strategy, self._settings.changed(settings))

    @property
    def executor(self) -> Executor:
        """Its calls go through this one; made when it is first needed."""
        with _executors:
            found = self._executor
            if found is None or found.client.connection.closed.is_set() or found.client.connection.process.is_other:
                client = self._client if self._client is not None else default_client()
                found = self._executor = Executor(self._endpoint, client=client, strategy=self._strategy, **vars(self._settings))
            return found


def _same(function: Callable[..., Any]) -> Callable[..., Any]:
    return function


@overload
def function(function: Callable[..., _T], *, endpoint: Union[str, Endpoint], container: Optional[Union[Container, str]] = None, client: Optional[Client] = None,
             strategy: str = "auto", **settings: Any) -> RemoteFunction[_T]: ...


@overload
def function(function: None = None, *, endpoint: Union[str, Endpoint], container: Optional[Union[Container, str]] = None, client: Optional[Client] = None,
             strategy: str = "auto", **settings: Any) -> Callable[[Callable[..., _T]], RemoteFunction[_T]]: ...


def function(function: Optional[Callable[..., Any]] = None, *, endpoint: Union[str, Endpoint], container: Optional[Union[Container, str]] = None, client: Optional[Client] = None,
             strategy: str = "auto", **settings: Any) -> Union[RemoteFunction[Any], Callable[[Callable[..., Any]], RemoteFunction[Any]]]:
    """Decorator: @funcx.function(endpoint="laptop", walltime=60) makes a RemoteFunction. The settings are those of Settings.

    Nothing is sent before the first call; without a `client` it goes through default_client(). `container`: a Container, or the name or id of a
    registered one, that it runs in.
    """
    chosen = Settings(container=container).changed(settings)
    chosen.to_message()
    if function is not None:
        return RemoteFunction(function, endpoint, client, strategy, chosen)
    return lambda decorated: RemoteFunction(decorated, endpoint, client, strategy, chosen)
