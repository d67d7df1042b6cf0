"""Exceptions as a worker held them: reads what `_remote.carry` wrote."""
from __future__ import annotations

import base64
import pickle
from typing import Any, Callable, Dict, List, Mapping, Optional, Set, Tuple, Type

from .values import Codec

#: Makes an exception from its text alone: class, text.
FromText = Callable[[Type[BaseException], str], BaseException]
#: What user code may raise while a value is read, on a thread that must go on; not an interrupt of the main thread.
_ANY = (Exception, SystemExit, GeneratorExit)


class Carried:
    """One exception and those around it. Never read from an endpoint that is not trusted."""

    def __init__(self, text: str, codec: Codec, scope: Mapping[str, Any], message: str, from_text: FromText, unknown: Callable[[str, str], BaseException]) -> None:
        """`text` is what came. `message` is the text of the exception itself; `unknown` makes what stands for one whose class is not known here."""
        self._entries: List[Tuple[Any, ...]] = pickle.loads(base64.b64decode(text))
        self._codec = codec
        self._scope = scope
        self._message = message
        self._from_text = from_text
        self._unknown = unknown
        self._made: Dict[int, BaseException] = {}
        self._in_making: Set[int] = set()
        #: What could not come, in words.
        self.missing: List[str] = []
        self.error = self._at(0)
        #: Whether its class is known here.
        self.is_known = self._class(*self._entries[0][:2]) is not None
        for number in range(len(self._entries)):
            self._at(number)
        for number in range(len(self._entries)):
            self._fill(number)

    @property
    def cause(self) -> Optional[BaseException]:
        return self._known(self._entries[0][6])

    @property
    def context(self) -> Optional[BaseException]:
        return self._known(self._entries[0][7])

    def _known(self, number: Optional[int]) -> Optional[BaseException]:
        return None if number is None else self._made.get(number)

    def _at(self, number: int) -> BaseException:
        found = self._made.get(number)
        if found is None:
            if number in self._in_making:
                raise ValueError("an exception is made of itself")
            self._in_making.add(number)
            found = self._made[number] = self._new(number)
        return found

    def _new(self, number: int) -> BaseException:
        module, name, text, args = self._entries[number][:4]
        text = text if number else self._message
        cls = self._class(module, name)
        if cls is None:
            return self._unknown(name, text)
        if args is not None:
            try:
                return _made_of(cls, self._codec.load_part(args, self._at))
            except _ANY as problem:
                self._miss(number, "args", problem)
        return self._from_text(cls, text)

    def _class(self, module: str, name: str) -> Optional[Type[BaseException]]:
        try:
            found = self._codec.find_class(module, name)
        except _ANY:
            found = self._scope.get(name.rpartition(".")[2])
        return found if isinstance(found, type) and issubclass(found, BaseException) else None

    def _fill(self, number: int) -> None:
        _, _, _, _, state, members, cause, context, is_suppressed, missing = self._entries[number]
        error = self._made[number]
        self.missing += ["%s: %s" % (self._called(number, name), reason) for name, reason in missing.items()]
        for name, data in state.items():
            try:
                vars(error)[name] = self._codec.load_part(data, self._at)
            except _ANY as problem:
                self._miss(number, name, problem)
        for name, data in members.items():
            try:
                BaseException.__setattr__(error, name, self._codec.load_part(data, self._at))
            except _ANY as problem:
                self._miss(number, name, problem)
        for name, value in (("__cause__", self._known(cause)), ("__context__", self._known(context)), ("__suppress_context__", is_suppressed)):
            BaseException.__setattr__(error, name, value)

    def _miss(self, number: int, name: str, problem: BaseException) -> None:
        self.missing.append("%s: not readable here: %s: %s" % (self._called(number, name), type(problem).__name__, problem))

    def _called(self, number: int, name: str) -> str:
        return name if number == 0 else "%s of %s" % (name, self._entries[number][1])


def _made_of(cls: Type[BaseException], args: Tuple[Any, ...]) -> BaseException:
    """Without what the class itself does with its arguments: they are what it has made of them already."""
    base = next(base for base in cls.__mro__ if base.__module__ == "builtins")
    try:
        error: BaseException = base.__new__(cls, *args)
    except TypeError:
        error = cls.__new__(cls, *args)
    try:
        base.__init__(error, *args)  # type: ignore[misc]
    except (TypeError, ValueError):
        # It was changed after it was made.
        error.args = args
    return error
