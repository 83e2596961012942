"""Keyrings for tests: the real keyring library, with backends of the tests instead of the desktop's."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked


class ShelfKeyring(KeyringBackend):
    """A keyring that keeps what it is given, and fails while it is locked."""

    priority = 5

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}
        self.locked = False

    def get_password(self, service: str, username: str) -> str | None:
        if self.locked:
            raise KeyringLocked("locked")
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        if self.locked:
            raise KeyringLocked("locked")
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.locked:
            raise KeyringLocked("locked")
        del self.entries[service, username]


class DeafKeyring(ShelfKeyring):
    """A keyring that takes everything and keeps nothing."""

    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class PlainKeyring(ShelfKeyring):
    """A keyring that is no better than a file."""

    priority = 0.5  # type: ignore[assignment]


class DrawerKeyring(KeyringBackend):
    """A keyring that several processes share: PYTHON_KEYRING_BACKEND names it, and TEST_DRAWER its file."""

    priority = 5

    def get_password(self, service: str, username: str) -> str | None:
        return self._read().get(f"{service} {username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._drawer.write_text(json.dumps({**self._read(), f"{service} {username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        self._drawer.write_text(json.dumps({k: v for k, v in self._read().items() if k != f"{service} {username}"}))

    @property
    def _drawer(self) -> Path:
        return Path(os.environ["TEST_DRAWER"])

    def _read(self) -> dict[str, str]:
        found: dict[str, str] = json.loads(self._drawer.read_text()) if self._drawer.exists() else {}
        return found


@contextmanager
def using(backend: KeyringBackend) -> Iterator[None]:
    """Let the keyring library use a backend."""
    before = keyring.get_keyring()
    keyring.set_keyring(backend)
    try:
        yield
    finally:
        keyring.set_keyring(before)
