"""Functions as the service knows them, and live ones on their way there."""
from __future__ import annotations

import threading
import weakref
from dataclasses import dataclass, field
from types import BuiltinFunctionType, FunctionType
from typing import Any, Callable, Dict, Mapping, Optional, Tuple, Union

KINDS = {1: "python", 2: "command", 3: "dotnet", 4: "mpi"}


@dataclass(frozen=True)
class Function:
    """A registered function. Pass it, its id or its name wherever a function is due."""

    #: Follows from what was registered: the same code has the same id.
    id: str
    name: str
    #: python, command or dotnet.
    kind: str = "python"
    description: str = ""
    #: What a node must have, as "python>=3.10".
    requires: Tuple[str, ...] = ()
    #: Unix seconds.
    registered_at: float = 0.0
    #: The id of the container that it runs in; empty: on the node itself.
    container: str = ""
    #: It was registered from a live Python object: arguments and results may be anything that can be pickled.
    is_live: bool = False
    #: Classes that its code defines anew on the worker, by their name there.
    classes: Mapping[str, type] = field(default_factory=dict, compare=False, repr=False)
    #: Pickled by value: under which Python, and with what. Empty for one that was registered from its source.
    pickled: str = ""
    #: Classes of exceptions that it may raise, by name, as far as this program knows them.
    errors: Mapping[str, type] = field(default_factory=dict, compare=False, repr=False)

    def _repr_html_(self) -> str:
        from .display import table
        return table(("function", "kind", "id"), [(self.name, self.kind, self.id[:12])])


Callee = Union[Function, str, Callable[..., Any]]


def is_steady(function: Any) -> bool:
    """Whether it stays what it was when it was first used. A method's object and a partial's arguments may change, and are captured at each use."""
    return isinstance(function, (FunctionType, BuiltinFunctionType, type, Function, str)) or getattr(function, "is_steady", False)


class Registered:
    """What a client has registered, by the live object: it is captured once, when it is first used."""

    def __init__(self) -> None:
        self._gate = threading.Lock()
        self._by_object: "weakref.WeakKeyDictionary[Any, Dict[str, Function]]" = weakref.WeakKeyDictionary()

    def find(self, function: Any, strategy: str) -> Optional[Function]:
        with self._gate:
            return self._by_object.get(function, {}).get(strategy)

    def add(self, function: Any, strategy: str, registered: Function) -> None:
        with self._gate:
            self._by_object.setdefault(function, {})[strategy] = registered

    def forget(self, function_id: str) -> None:
        with self._gate:
            for known in self._by_object.values():
                for strategy in [strategy for strategy, registered in known.items() if registered.id == function_id]:
                    del known[strategy]
