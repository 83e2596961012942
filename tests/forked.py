"""Forked processes for tests: a child runs step by step, and reports each step."""

from __future__ import annotations

import contextlib
import os
import signal
import warnings
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Self

PATIENCE_S: Final = 90


def fork() -> int:
    """Fork without the warning of newer Pythons about threads, since these tests try exactly that."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return os.fork()


class Child:
    """
    A fork of this process that goes on step by step. Use it in a ``with`` block, which ends it.

    Args:
        steps: Yields once for each :meth:`step`, in the child; an error is its last report.
    """

    def __init__(self, steps: Callable[[], Iterator[object]]) -> None:
        told, self._telling = os.pipe()
        saying, said = os.pipe()
        self.pid = fork()
        if self.pid == 0:
            os.close(self._telling)
            os.close(saying)
            _live(steps, told, said)
        os.close(told)
        os.close(said)
        self._said = os.fdopen(saying)

    def step(self) -> str:
        """Let it do its next step; return what it yielded, or its error, as text."""
        os.write(self._telling, b".")
        return self._said.readline().rstrip("\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self._telling)
        self._said.close()


def in_child(work: Callable[[], object]) -> str:
    """Run ``work`` in a fork of this process; return what it returns or raises."""
    with Child(lambda: iter([work()])) as child:
        return child.step()


def _live(steps: Callable[[], Iterator[object]], told: int, said: int) -> None:
    """Run the steps in the child, and never return to the test, which is running in both processes."""
    signal.alarm(PATIENCE_S)  # a child that waits for ever would keep the test that waits for it
    with contextlib.suppress(BaseException):
        following: Iterator[object] | None = None
        while os.read(told, 1):
            try:
                following = following or steps()
                answer = str(next(following, "the end"))
            except BaseException as error:  # noqa: BLE001 - it is the answer
                answer = f"{type(error).__name__}: {error}"
            os.write(said, answer.encode() + b"\n")
    os._exit(0)
