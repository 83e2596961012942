"""Small named values."""

from __future__ import annotations

from typing import Final, Protocol

WORKSPACE_KEY: Final = "workspace"
"""The name of the workspace to which a store belongs; ``workspace.keys`` has the others."""


class MetaReader(Protocol):
    """Small named values."""

    def get(self, key: str) -> bytes | None:
        """Return a small named value; None if no value has that name."""
        ...

    def read(self, *keys: str) -> list[bytes | None]:
        """Return several small named values at once, each None if no value has that name."""
        ...


class MetaWriter(MetaReader, Protocol):
    """Keeps small named values."""

    def set(self, key: str, value: bytes) -> None:
        """Keep a small named value."""
        ...

    def drop(self, key: str) -> None:
        """Forget a small named value."""
        ...
