"""What user code may change under the worker's feet, noticed without asking the kernel after every task."""
import os
import sys


class Surroundings:
    """Watches for a changed working directory and for processes forked by user code. Whatever happens puts something into `attention`,
    the one list the loop looks at after each task; the collected output does the same."""

    def __init__(self, attention):
        self._attention = attention
        self._home = os.getcwd()
        self._moved = False
        self._pid = os.getpid()
        self._chdir = os.chdir
        self._in_child = lambda: None

    def watch(self, in_child):
        """`in_child` runs in every process that user code makes with os.fork."""
        self._in_child = in_child
        # Asking for the working directory after each task would cost as much as the task; os, shutil, pathlib and contextlib all move
        # through these two names.
        os.chdir = self._noting(os.chdir)
        os.fchdir = self._noting(os.fchdir)
        os.register_at_fork(after_in_child=self._forked)

    def _noting(self, move):
        def noted(path):
            self._moved = True
            if not self._attention:
                self._attention.append(self)
            return move(path)
        noted.__name__ = noted.__qualname__ = move.__name__
        noted.__module__ = "os"
        noted.__doc__ = move.__doc__
        return noted

    def _forked(self):
        self._attention.append(self)
        self._in_child()

    def settle(self):
        """After a task: back to the worker's directory if the task left it. A directory that is gone stays the next task's problem."""
        if self._moved:
            self._moved = False
            try:
                self._chdir(self._home)
            except OSError as error:
                os.write(2, ("funcx worker: cannot return to %s: %s\n" % (self._home, error)).encode())

    def end_if_forked(self, error=None):
        """A child of user code that came back out of the task must not go on as a second worker: it ends as a script would."""
        if os.getpid() == self._pid:
            return
        code = 0
        if isinstance(error, SystemExit):
            code = error.code
            if code is not None and not isinstance(code, int):
                os.write(2, ("%s\n" % code).encode("utf-8", "backslashreplace"))
                code = 1
        elif error is not None:
            sys.excepthook(type(error), error, error.__traceback__)
            code = 1
        os._exit((code or 0) & 0xFF)
