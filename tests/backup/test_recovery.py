from __future__ import annotations

import pytest

from edda_sync.backup import recovery
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import LimitError
from tests.backup.shelf import CODE, OTHER


def test_a_code_is_known_once_it_was_made_and_until_it_is_replaced_current() -> None:
    with devices(1) as (laptop,):
        assert recovery.known(laptop, CODE) is None
        recovery.make(laptop, CODE)
        recovery.make(laptop, OTHER)
        found, replaced = recovery.known(laptop, OTHER), recovery.known(laptop, CODE)
        assert found is not None
        assert replaced is not None
        assert (found.is_replaced, replaced.is_replaced) == (False, True)


def test_nothing_of_the_words_is_kept() -> None:
    with devices(1) as (laptop,):
        assert laptop.database is not None
        recovery.make(laptop, CODE)
        files = [path for path in laptop.home.parent.rglob("*") if path.is_file()]
        assert len(files) > 2
        for path in files:
            data = path.read_bytes()
            assert CODE.secret not in data
            assert CODE.identity.private_bytes() not in data
            assert CODE.words[2].encode() + b" " not in data


def test_a_code_counts_as_a_device_where_devices_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    with devices(1) as (laptop,):
        monkeypatch.setattr(limits, "MEMBERS_MAX", 1)
        with pytest.raises(LimitError):
            recovery.make(laptop, CODE)
        assert recovery.known(laptop, CODE) is None


def test_those_who_listen_hear_that_a_code_was_made() -> None:
    with devices(1) as (laptop,):
        heard: list[None] = []
        laptop.writing.on_commit(lambda: heard.append(None))
        recovery.make(laptop, CODE)
        assert heard == [None]
