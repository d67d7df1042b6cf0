"""Which process this is: threads and connections do not survive a fork."""
import os

from .errors import ForkedProcess

_forks = [0]


def _count() -> None:
    _forks[0] += 1


os.register_at_fork(after_in_child=_count)


class Process:
    """The process that made an object. Asking costs a list access; os.getpid() is a system call."""

    __slots__ = ("_forks", "_pid")

    def __init__(self) -> None:
        self._forks = _forks[0]
        self._pid = os.getpid()

    @property
    def is_other(self) -> bool:
        return self._forks != _forks[0]

    def check(self, what: str) -> None:
        if self._forks != _forks[0]:
            raise ForkedProcess("%s was made in process %d, and this is process %d, forked from it: the connection and its threads stayed behind. "
                                "Make a new Client in the child, or start children with multiprocessing's 'spawn'." % (what, self._pid, os.getpid()))
