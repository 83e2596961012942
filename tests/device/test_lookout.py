"""The lookout: a timer looks until there is something to notice, and what went wrong is raised where that is dealt with."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from edda_sync.device.lookout import Lookout
from edda_sync.words import limits
from edda_sync.words.errors import BusyError

PATIENCE_S = 30.0


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WATCH_INTERVAL_S", 0.001)


class Scene:
    """A lookout, and what it finds at each look; the last time it notices."""

    def __init__(self, *found: bool | Exception) -> None:
        self._found = list(found)
        self.looks = 0
        self.noticed = asyncio.Event()
        self.lookout = Lookout(self._is_quiet, self.noticed.set)

    def _is_quiet(self) -> bool:
        found = self._found[self.looks]
        self.looks += 1
        if isinstance(found, Exception):
            raise found
        return found

    async def until_noticed(self) -> None:
        async with asyncio.timeout(PATIENCE_S):
            await self.noticed.wait()


@contextmanager
def scene(*found: bool | Exception) -> Iterator[Scene]:
    made = Scene(*found)
    made.lookout.begin()
    yield made
    made.lookout.end()


async def test_it_looks_again_and_again_while_all_is_quiet_and_then_waits_to_be_told_to() -> None:
    with scene(True, True, True, False, True, False) as found:
        await found.until_noticed()
        assert found.looks == 4
        found.lookout.check()
        found.noticed.clear()
        await asyncio.sleep(0.01)
        assert found.looks == 4
        found.lookout.begin()
        await found.until_noticed()
        assert found.looks == 6


@pytest.mark.parametrize("error", [BusyError("edda.db"), ZeroDivisionError()], ids=["fault", "bug"])
async def test_what_went_wrong_in_a_look_is_raised_once_where_it_is_dealt_with(error: Exception) -> None:
    with scene(True, error) as found:
        await found.until_noticed()
        with pytest.raises(type(error)):
            found.lookout.check()
        found.lookout.check()


async def test_who_begins_twice_has_one_look_at_a_time_and_who_ends_none() -> None:
    with scene(False, False) as found:
        found.lookout.begin()
        await found.until_noticed()
        await asyncio.sleep(0.01)
        assert found.looks == 1
        found.lookout.begin()
        found.lookout.end()
        await asyncio.sleep(0.01)
        assert found.looks == 1
