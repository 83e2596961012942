"""No call of a target waits for ever, and Ctrl-C ends every wait."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping

import pytest

from edda_sync.backup.target import Listed
from edda_sync.backup.targets.timed import TimedTarget, within
from edda_sync.words.errors import NoObjectError, TargetError


class Stuck:
    """A target on a share whose server is gone; it goes on when ``gone`` is set."""

    name = "share"

    def __init__(self) -> None:
        self.gone = threading.Event()

    def put(self, key: str, data: bytes) -> None:
        self.gone.wait(30)

    def get(self, key: str) -> bytes:
        raise AssertionError("a timed target reads pieces")

    def pieces(self, key: str) -> Iterator[bytes]:
        yield b"first "
        self.gone.wait(30)
        yield b"second"

    def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
        self.gone.wait(30)
        yield Listed(f"{prefix}a", 1, 0.0)

    def delete(self, key: str) -> None:
        self.gone.wait(30)
        raise NoObjectError(self.name, key)

    def keeps(self, key: str) -> Mapping[str, bool]:
        self.gone.wait(30)
        return {}


CALLS: list[Callable[[TimedTarget], object]] = [
    lambda target: target.put("a", b"x"),
    lambda target: target.get("a"),
    lambda target: list(target.list("a/")),
    lambda target: target.delete("a"),
    lambda target: target.keeps("a"),
]


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    made = Stuck()
    yield made
    made.gone.set()
    for thread in threading.enumerate():
        if thread.name == "edda target share":
            thread.join()


@pytest.mark.parametrize("call", CALLS, ids=["put", "get", "list", "delete", "keeps"])
def test_a_call_that_is_stuck_is_given_up(stuck: Stuck, call: Callable[[TimedTarget], object]) -> None:
    with pytest.raises(TargetError, match=r"'share' cannot be used .it does not answer."):
        call(TimedTarget(stuck, answer_s=0.02, bytes_s_min=2.0**40))


def test_a_large_object_has_more_time(stuck: Stuck) -> None:
    stuck.gone.set()
    TimedTarget(stuck, answer_s=0.0, bytes_s_min=1_000.0).put("a", bytes(30_000))


def test_what_is_done_in_time_is_passed_on(stuck: Stuck) -> None:
    stuck.gone.set()
    timed = TimedTarget(stuck)
    assert timed.get("a") == b"first second"
    assert [each.key for each in timed.list("b/")] == ["b/a"]
    with pytest.raises(NoObjectError):
        timed.delete("a")


def test_a_target_that_stays_stuck_gathers_no_threads_and_is_called_again_when_it_goes_on(stuck: Stuck) -> None:
    timed = TimedTarget(stuck, answer_s=0.01)
    for _ in range(20):
        with pytest.raises(TargetError):
            timed.list("a/").__next__()
    assert len([each for each in threading.enumerate() if each.name == "edda target share"]) <= 5
    stuck.gone.set()
    for thread in threading.enumerate():
        if thread.name == "edda target share":
            thread.join()
    assert [each.key for each in TimedTarget(stuck).list("b/")] == ["b/a"]


def test_ctrl_c_ends_a_wait_at_once(stuck: Stuck) -> None:
    main = threading.main_thread().ident
    assert main is not None
    threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        TimedTarget(stuck).put("a", b"x")
    assert not stuck.gone.is_set(), "it is stuck still"


def test_the_thread_does_not_keep_the_process_alive(stuck: Stuck) -> None:
    with pytest.raises(TargetError):
        within(0.0, "share", lambda: stuck.put("a", b""))
    named = [each for each in threading.enumerate() if each.name == "edda target share"]
    assert named
    assert all(each.daemon for each in named)
