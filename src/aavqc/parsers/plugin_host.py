"""A process of its own for what plug-ins do while files are listed: one that dies costs one answer.

The parent sends a plug-in's entry point, the function's name and its arguments, pickled; the child
answers with the value, or with what was raised.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any


class HostDied(Exception):
    """The process ended before it had answered."""


class PluginHost:
    """The process, begun when it is first asked and again after a death."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def call(self, entry: str, function: str, *args: Any) -> Any:
        """Call a function of the format that an entry point (``module:NAME``) names.

        Raises
        ------
        HostDied
        Exception
            What the function raised.
        """
        if self._child is None:
            command = [sys.executable, "-c", "from aavqc.parsers.plugin_host import serve; serve()"]
            self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        asked, answers = self._child.stdin, self._child.stdout
        try:
            if asked is None or answers is None:
                raise EOFError
            pickle.dump((entry, function, args), asked)
            asked.flush()
            raised, value = pickle.load(answers)  # of our own child  # noqa: S301
        except (EOFError, OSError, pickle.UnpicklingError) as error:
            self.end()
            raise HostDied(f"its process died in {function}") from error
        if raised:
            raise value
        return value

    def end(self) -> None:
        """End the process."""
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None


def serve() -> None:
    """Answer until the parent is gone; what plug-ins print goes to stderr."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    loaded: dict[str, Any] = {}
    while True:
        try:
            entry, function, args = pickle.load(sys.stdin.buffer)  # of our own parent  # noqa: S301
        except EOFError:
            return
        try:
            if entry not in loaded:
                loaded[entry] = EntryPoint("", entry, "").load()
            data = pickle.dumps((False, getattr(loaded[entry], function)(*args)))
        except (Exception, SystemExit) as error:  # it is raised in the parent  # noqa: BLE001
            data = pickle.dumps((True, RuntimeError(f"{type(error).__name__}: {error}")))
        answers.write(data)
        answers.flush()
