from __future__ import annotations

from collections.abc import Iterator

import keyring.backends.chainer
import keyring.backends.fail
import keyring.backends.null
import pytest
from keyring.backend import KeyringBackend

from edda_sync.sealing import vault
from edda_sync.words.errors import KeyringError
from tests.keyrings import DeafKeyring, PlainKeyring, ShelfKeyring, using


class Chain(KeyringBackend):
    """A keyring of several keyrings, like the library's own."""

    priority = 10

    def __init__(self, *backends: KeyringBackend) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.backends = list(backends)

    def get_password(self, service: str, username: str) -> str | None:
        raise AssertionError("the safe one of its keyrings is used by itself")

    set_password = delete_password = get_password  # type: ignore[assignment]


class AltKeyring(ShelfKeyring):
    """A keyring of the package that writes files, which gives itself a high priority."""

    priority = 9


AltKeyring.__module__ = "keyrings.alt.file"


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> Iterator[ShelfKeyring]:
    monkeypatch.delenv("EDDA_KEYRING", raising=False)
    backend = ShelfKeyring()
    with using(backend):
        yield backend


def test_a_secret_is_kept_read_back_and_removed(shelf: ShelfKeyring) -> None:
    assert vault.is_there()
    assert vault.get("a name", "The key") is None
    assert vault.put("a name", "a secret")
    assert shelf.entries == {("edda-sync", "a name"): "a secret"}
    assert vault.get("a name", "The key") == "a secret"
    vault.remove("a name")
    vault.remove("a name")  # what is not there needs no removal
    assert shelf.entries == {}


@pytest.mark.parametrize(
    "backend",
    [
        keyring.backends.null.Keyring,
        keyring.backends.fail.Keyring,
        PlainKeyring,
        AltKeyring,
        lambda: Chain(PlainKeyring()),
    ],
    ids=["null", "fail", "low priority", "keyrings.alt", "chain"],
)
def test_an_unsafe_keyring_is_not_used(shelf: ShelfKeyring, backend: type[KeyringBackend]) -> None:
    with using(backend()):
        assert not vault.is_there()
        assert not vault.put("a name", "a secret")
        with pytest.raises(KeyringError, match="desktop session"):
            vault.get("a name", "The key")
    assert shelf.entries == {}


def test_of_a_chain_of_keyrings_the_safe_one_is_used(shelf: ShelfKeyring) -> None:
    with using(Chain(keyring.backends.null.Keyring(), AltKeyring(), shelf)):  # type: ignore[no-untyped-call]
        assert vault.put("a name", "a secret")
    assert shelf.entries == {("edda-sync", "a name"): "a secret"}


def test_a_keyring_that_keeps_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EDDA_KEYRING", raising=False)
    with using(DeafKeyring()):
        assert not vault.put("a name", "a secret")


def test_a_locked_keyring_keeps_nothing_and_says_what_to_do(shelf: ShelfKeyring) -> None:
    shelf.locked = True
    assert not vault.put("a name", "a secret")
    vault.remove("a name")
    with pytest.raises(KeyringError, match=r"The key is in .*keyring .* unlock it") as raised:
        vault.get("a name", "The key")
    assert (raised.value.service, raised.value.name) == ("edda-sync", "a name")


def test_edda_keyring_off_switches_it_off(shelf: ShelfKeyring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    assert not vault.is_there()
    assert not vault.put("a name", "a secret")
    assert shelf.entries == {}
