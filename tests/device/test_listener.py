from __future__ import annotations

import asyncio

import pytest

from edda_sync.device.listener import Happening, Listener
from edda_sync.words.errors import CallbackError

HAPPENING = Happening("connected", "peer")


class Panic(BaseException):
    """What native code raises that has a bug: no ``Exception``."""


class Program:
    """A program's own function, that raises when it is told so."""

    def __init__(self, raised: BaseException | None = None) -> None:
        self.told: list[Happening] = []
        self.broken: list[CallbackError] = []
        self._raised = raised
        self.listener = Listener(self._tell, self.broken.append)

    def _tell(self, happening: Happening) -> None:
        self.told.append(happening)
        if self._raised is not None:
            raise self._raised


def test_a_function_is_told_each_time() -> None:
    program = Program()
    program.listener(HAPPENING)
    program.listener(HAPPENING)
    assert program.told == [HAPPENING] * 2
    assert program.broken == []


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError("a bug"), BrokenPipeError(), RecursionError(), Panic("at x.rs:1")]
)
def test_a_function_that_raised_is_told_nothing_more_and_that_is_said_once(raised: BaseException) -> None:
    program = Program(raised)
    for _ in range(3):
        program.listener(HAPPENING)
    assert program.told == [HAPPENING]
    (said,) = program.broken
    assert said.raised is raised
    assert type(raised).__name__ in str(said)


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_is_meant_for_the_whole_program_goes_on_its_way(kind: type[BaseException]) -> None:
    program = Program(kind())
    with pytest.raises(kind):
        program.listener(HAPPENING)
    assert program.broken == []


def test_what_says_that_it_is_broken_may_tell_it_and_there_is_no_end_to_end_in() -> None:
    told: list[Happening] = []

    def tell(happening: Happening) -> None:
        told.append(happening)
        raise ZeroDivisionError

    listener = Listener(tell, lambda error: listener(Happening("trouble", text=str(error))))
    listener(HAPPENING)
    assert told == [HAPPENING]
