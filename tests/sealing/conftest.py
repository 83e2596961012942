from __future__ import annotations

from collections.abc import Iterator

import pytest

from edda_sync.sealing import datakeys, passphrase, wrapping
from edda_sync.words import asking
from tests.keyrings import ShelfKeyring, using


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShelfKeyring]:
    """A keyring that keeps what it is given."""
    monkeypatch.delenv("EDDA_KEYRING", raising=False)
    backend = ShelfKeyring()
    with using(backend):
        yield backend


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing is unlocked, nobody can be asked, and no variable is set."""
    for variable in (passphrase.VARIABLE, wrapping.VARIABLE):
        monkeypatch.delenv(variable, raising=False)
    datakeys.forget_unlocked()
    yield
    datakeys.forget_unlocked()
    asking.ask_with(None)
