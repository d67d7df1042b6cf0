"""Commands as functions."""
from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union


@dataclass(frozen=True)
class ShellResult:
    """What a command gave; the value of a ShellFunction's call."""

    #: Exit status, or minus the signal that ended it; 124 when its walltime was over.
    returncode: int
    #: What it wrote, up to the endpoint's limit; `more` has `stdout_bytes` when there was more.
    stdout: str
    stderr: str
    #: Its own walltime was over.
    timed_out: bool = False
    #: Contents of the files that `outputs` names: text, or bytes where they are no text.
    files: Mapping[str, Union[str, bytes]] = field(default_factory=dict)
    #: Of `outputs`, what was not there.
    missing: Sequence[str] = ()
    #: Everything else that the worker said, as `left_behind` or `stdout_file`.
    more: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether it ended with exit status 0."""
        return self.returncode == 0

    @classmethod
    def read(cls, value: Any) -> Any:
        """For the SDK itself: from a command's value; other values stay as they are."""
        if not isinstance(value, dict) or "returncode" not in value:
            return value
        rest = dict(value)
        files = {name: base64.b64decode(held["base64"]) if "base64" in held else held["text"] for name, held in rest.pop("files", {}).items()}
        return cls(rest.pop("returncode"), rest.pop("stdout", ""), rest.pop("stderr", ""), rest.pop("timed_out", False), files, tuple(rest.pop("missing", ())), rest)


class ShellFunction:
    """A command with places for arguments: ShellFunction(["wc", "-l", "{file}"]), or one text for /bin/sh with `shell=True`, where parameters are
    variables of the shell. What an argument holds is never parsed. Submit it like a function, with its arguments by position or by name; its value is a
    ShellResult. Every call has a directory of its own.

    `parameters`: names in the order of positional arguments; unless they are named, all places in their order (with `shell=True` there are none).
    `defaults`: values of parameters that a call may leave out.
    `environment`, `inputs` (files that are there before it begins), `stdin`: texts, which may have places too.
    `outputs`: files whose content is in the result.
    `walltime`: seconds; what runs longer is ended, and its return code is 124.
    `check`: a return code that is not 0 is an exception. `keep_output`: all that it wrote stays on the endpoint.
    `requires`: what a node must have.
    """

    def __init__(self, command: Union[str, Sequence[str]], *, name: Optional[str] = None, shell: Optional[bool] = None, parameters: Optional[Sequence[str]] = None,
                 defaults: Optional[Mapping[str, Any]] = None, environment: Optional[Mapping[str, str]] = None, inputs: Optional[Mapping[str, str]] = None,
                 stdin: Optional[str] = None, outputs: Sequence[str] = (), walltime: Optional[float] = None, check: bool = False, keep_output: bool = False,
                 description: str = "", requires: Sequence[str] = ()) -> None:
        self._shell = isinstance(command, str) if shell is None else shell
        if self._shell != isinstance(command, str):
            raise TypeError("with shell=True a command is one text for /bin/sh, else a list of the program and its arguments; seen %r" % (command,))
        if not command:
            raise ValueError("the command is empty")
        words: List[str] = [command] if isinstance(command, str) else [str(word) for word in command]
        self.name = (name or re.sub(r"\W+", "-", words[0].split("/")[-1].split()[0]) or "command")[:128]
        self.description = description
        self.requires = tuple(requires)
        definition: Dict[str, Any] = {"command": command if self._shell else words}
        if self._shell:
            definition["shell"] = True
        # Without parameters they are the places of all texts, in their order: the service finds them.
        more = (("parameters", list(parameters or ())), ("defaults", dict(defaults or {})), ("environment", dict(environment or {})), ("inputs", dict(inputs or {})),
                ("stdin", stdin), ("outputs", list(outputs)), ("walltime", walltime), ("check", check), ("keep_output", keep_output))
        definition.update((key, value) for key, value in more if value)
        self._definition = definition

    #: As `functions.is_steady` asks: it never changes.
    is_steady = True

    @property
    def __name__(self) -> str:
        return self.name

    def definition(self) -> Dict[str, Any]:
        """What is registered, as the service takes it."""
        return dict(self._definition)

    def __repr__(self) -> str:
        return "ShellFunction(%r)" % (self._definition["command"],)

    def __call__(self, *args: Any, **kwargs: Any) -> ShellResult:
        raise TypeError("%r runs on an endpoint: submit it with an Executor, or Client.run" % self)
