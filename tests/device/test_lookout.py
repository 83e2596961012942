"""The lookout: a timer checks until there is something to notice, and errors are raised where they are handled."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from edda_sync.device.lookout import Lookout
from edda_sync.words import limits
from edda_sync.words.errors import BusyError


class Call:
    """A call that is due after some seconds."""

    def __init__(self, delay_s: float, function: Callable[[], None]) -> None:
        self.delay_s, self.function = delay_s, function
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class Scene:
    """A lookout that has begun, and the result of each check."""

    def __init__(self, *found: bool | Exception) -> None:
        self._found = list(found)
        self.looks = self.noticed = 0
        self._calls: list[Call] = []
        self.lookout = Lookout(self._is_quiet, self._notice, self._call_later)
        self.lookout.begin()

    def _is_quiet(self) -> bool:
        found = self._found[self.looks]
        self.looks += 1
        if isinstance(found, Exception):
            raise found
        return found

    def _notice(self) -> None:
        self.noticed += 1

    def _call_later(self, delay_s: float, function: Callable[[], None]) -> Call:
        self._calls.append(Call(delay_s, function))
        return self._calls[-1]

    @property
    def due(self) -> list[float]:
        """After how many seconds each call is due that was not cancelled."""
        return [call.delay_s for call in self._calls if not call.is_cancelled]

    def pass_time(self) -> None:
        """Run what is due, and what is due after that, until nothing is."""
        while self._calls:
            call = self._calls.pop(0)
            if not call.is_cancelled:
                call.function()


def test_it_looks_again_and_again_while_all_is_quiet_and_then_waits_to_be_told_to() -> None:
    found = Scene(True, True, True, False, True, False)
    assert found.due == [limits.WATCH_INTERVAL_S]
    found.pass_time()
    assert (found.looks, found.noticed) == (4, 1)
    found.lookout.check()
    found.pass_time()
    assert (found.looks, found.noticed) == (4, 1)
    found.lookout.begin()
    found.pass_time()
    assert (found.looks, found.noticed) == (6, 2)


@pytest.mark.parametrize("error", [BusyError("edda.db"), ZeroDivisionError()], ids=["fault", "bug"])
def test_what_went_wrong_in_a_look_is_raised_once_where_it_is_dealt_with(error: Exception) -> None:
    found = Scene(True, error)
    found.pass_time()
    assert (found.looks, found.noticed) == (2, 1)
    with pytest.raises(type(error)):
        found.lookout.check()
    found.lookout.check()


def test_who_begins_twice_has_one_look_at_a_time_and_who_ends_none() -> None:
    found = Scene(False, False)
    found.lookout.begin()
    assert len(found.due) == 1
    found.pass_time()
    assert (found.looks, found.noticed) == (1, 1)
    found.lookout.begin()
    found.lookout.end()
    found.lookout.end()
    assert found.due == []
    found.pass_time()
    assert (found.looks, found.noticed) == (1, 1)
