from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator

import pytest

from edda_sync.words.callbacks import Callback, log, log_broken
from edda_sync.words.errors import CallbackError


class Panic(BaseException):
    """What native code with a bug raises: not an ``Exception``."""


class Program:
    """A program's own function, which raises on request."""

    def __init__(self, raised: BaseException | None = None) -> None:
        self.told: list[str] = []
        self.broken: list[CallbackError] = []
        self._raised = raised
        self.passing: BaseException | None = None
        self.callback = Callback(self._tell, "What happens", self.broken.append, passes=self._passes)

    def _passes(self, raised: BaseException) -> bool:
        return raised is self.passing

    def _tell(self, what: str) -> None:
        self.told.append(what)
        if self._raised is not None:
            raise self._raised


def test_a_function_is_called_each_time() -> None:
    program = Program()
    program.callback("connected")
    program.callback("lost")
    assert program.told == ["connected", "lost"]
    assert program.broken == []


@pytest.mark.parametrize(
    "raised",
    [
        ZeroDivisionError("a bug"),
        BrokenPipeError(),
        RecursionError(),
        Panic("at x.rs:1"),
        GeneratorExit(),
        asyncio.CancelledError(),
    ],
)
def test_a_function_that_raised_is_not_called_again_and_that_is_reported_once(raised: BaseException) -> None:
    program = Program(raised)
    for _ in range(3):
        program.callback("connected")
    assert program.told == ["connected"]
    (said,) = program.broken
    assert said.raised is raised
    assert str(said).startswith("What happens is not told any more")
    assert f"raised {type(raised).__name__}" in str(said)


def test_an_error_that_the_caller_lets_pass_comes_out() -> None:
    program = Program(asyncio.CancelledError())
    program.passing = program._raised
    with pytest.raises(asyncio.CancelledError):
        program.callback("connected")
    assert program.broken == []


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit])
def test_an_exception_for_the_whole_program_comes_out(kind: type[BaseException]) -> None:
    program = Program(kind())
    with pytest.raises(kind):
        program.callback("connected")
    assert program.broken == []


def test_reporting_a_broken_function_may_call_it_without_endless_recursion() -> None:
    told: list[str] = []

    def tell(what: str) -> None:
        told.append(what)
        raise ZeroDivisionError

    callback = Callback(tell, "What happens", lambda error: callback(str(error)))
    callback("connected")
    assert told == ["connected"]


def test_a_function_that_raises_in_two_threads_at_once_is_reported_once() -> None:
    both = threading.Barrier(2)
    broken: list[CallbackError] = []

    def tell() -> None:
        both.wait()
        raise ZeroDivisionError

    callback = Callback(tell, "What happens", broken.append)
    threads = [threading.Thread(target=callback) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(broken) == 1


# --- the log ----------------------------------------------------------------------------------------------------------


class Handler(logging.Handler):
    """A program's own handler, which raises."""

    def __init__(self, raised: BaseException) -> None:
        super().__init__()
        self._raised = raised

    def emit(self, _: logging.LogRecord) -> None:
        raise self._raised


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    found = logging.getLogger("edda_sync")
    before = list(found.handlers)
    yield found
    found.handlers = before


def test_without_a_listener_an_error_goes_to_the_log_with_its_traceback(
    caplog: pytest.LogCaptureFixture,
) -> None:
    Callback(lambda: 1 / 0, "What happens")()
    assert "What happens is not told any more" in caplog.text
    assert "ZeroDivisionError: division by zero" in caplog.text


@pytest.mark.parametrize("raised", [ZeroDivisionError("a bug"), Panic("at x.rs:1"), GeneratorExit("a generator's")])
def test_an_error_that_a_log_handler_cannot_take_is_printed_on_standard_error(
    logger: logging.Logger, capsys: pytest.CaptureFixture[str], raised: BaseException
) -> None:
    logger.addHandler(Handler(raised))
    log_broken(CallbackError("What happens", OSError("no space")))
    said = capsys.readouterr().err
    assert "What happens is not told any more" in said
    assert "OSError: no space" in said
    assert f"A handler of the log raised {type(raised).__name__}: {raised}" in said


def test_ctrl_c_inside_a_handler_of_the_log_comes_out(logger: logging.Logger) -> None:
    logger.addHandler(Handler(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        log(logger, logging.ERROR, "A fault.")
