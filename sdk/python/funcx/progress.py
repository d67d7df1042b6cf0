"""A progress bar: tqdm's when it is installed, a line of text otherwise."""
from __future__ import annotations

import sys
import time
from typing import Any, Generator, Iterator, Optional, TextIO


class PlainBar:
    """One line on standard error; rewritten twice a second on a terminal, written once at the end elsewhere."""

    _WIDTH = 30

    def __init__(self, total: Optional[int], name: str, output: Optional[TextIO] = None) -> None:
        self._total = total
        self._name = name
        self._output = output if output is not None else sys.stderr
        self._is_terminal = self._output.isatty()
        self._begun = self._shown = time.monotonic()
        self._done = 0

    def update(self) -> None:
        self._done += 1
        if self._is_terminal and not self._done & 15 and time.monotonic() - self._shown >= 0.5:
            self._show("\r")

    def close(self) -> None:
        self._show("\r" if self._is_terminal else "")
        self._output.write("\n")
        self._output.flush()

    def _show(self, before: str) -> None:
        self._shown = time.monotonic()
        rate = self._done / max(1e-6, self._shown - self._begun)
        if self._total:
            filled = self._WIDTH * min(self._done, self._total) // self._total
            text = "%s [%s%s] %d of %d, %.0f/s" % (self._name, "#" * filled, "." * (self._WIDTH - filled), self._done, self._total, rate)
        else:
            text = "%s %d, %.0f/s" % (self._name, self._done, rate)
        self._output.write(before + text)
        self._output.flush()


def bar(total: Optional[int], name: str) -> Any:
    try:
        from tqdm.auto import tqdm
    except ImportError:
        return PlainBar(total, name)
    return tqdm(total=total, desc=name)


def track(values: Iterator[Any], total: Optional[int], name: str) -> Generator[Any, None, None]:
    """The values, counted as they are taken; begun already, so that whoever drops it closes them."""
    counted = _track(values, bar(total, name))
    next(counted)
    return counted


def _track(values: Iterator[Any], shown: Any) -> Generator[Any, None, None]:
    try:
        yield None
        for value in values:
            shown.update()
            yield value
    finally:
        shown.close()
        values.close()  # type: ignore[attr-defined]
