"""
The system's keyring: where secrets are kept that other programs and people with a copy of the disk must not read.

Each entry is one line of text, under the service ``edda-sync`` and a name. Some backends of the ``keyring`` library keep
nothing (``null``), fail (``fail``), or write plain text into a file (``keyrings.alt``). They are not used, and what was
written is read back before it is trusted.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Final

from edda_sync.words.errors import KeyringError

if TYPE_CHECKING:
    from keyring.backend import KeyringBackend

SERVICE: Final = "edda-sync"
_PRIORITY_MIN: Final = 1  # the library recommends backends of at least this priority
_UNSAFE: Final = ("keyring.backends.null", "keyring.backends.fail", "keyrings.alt")
_UNREACHABLE: Final = "cannot be reached here: start edda in a desktop session, and without EDDA_KEYRING=off"


def is_there() -> bool:
    """Tell whether this machine has a keyring that keeps secrets. It is not asked whether it is unlocked."""
    return _backend() is not None


def put(name: str, secret: str) -> bool:
    """
    Keep a secret; :func:`get` returns it.

    Returns:
        Whether it is in the keyring. If not, because there is no safe keyring or it failed, keep the secret elsewhere.
    """
    backend = _backend()
    if backend is None:
        return False
    try:
        backend.set_password(SERVICE, name, secret)
        return backend.get_password(SERVICE, name) == secret
    except Exception:  # noqa: BLE001  each keyring fails in its own way; the caller is told that the secret is not there
        return False


def get(name: str, what: str) -> str | None:
    """
    Return a secret that :func:`put` kept; None if the keyring has none of this name.

    Args:
        name: Its name.
        what: What it is, as the beginning of a sentence, for errors.

    Raises:
        KeyringError: The keyring cannot be reached, or failed; the text says what to do.
    """
    backend = _backend()
    if backend is None:
        raise KeyringError(what, SERVICE, name, _UNREACHABLE)
    try:
        return backend.get_password(SERVICE, name)
    except Exception as error:
        raise KeyringError(what, SERVICE, name, "failed: unlock it and try again") from error


def remove(name: str) -> None:
    """Remove a secret, if the keyring can be reached. What stays there is in nobody's way."""
    backend = _backend()
    if backend is not None:
        with contextlib.suppress(Exception):  # each keyring fails in its own way
            backend.delete_password(SERVICE, name)


def _backend() -> KeyringBackend | None:
    """Return the system's keyring; None if there is no safe one, or if it is switched off."""
    if os.environ.get("EDDA_KEYRING", "").lower() == "off":
        return None
    try:
        import keyring  # here, because it takes 100 ms

        found = keyring.get_keyring()
        inner = getattr(found, "backends", None)  # of several keyrings in one, of which some may be unsafe
        candidates = [found] if inner is None else list(inner)
        return next((each for each in candidates if _is_safe(each)), None)
    except Exception:  # noqa: BLE001  a backend may raise anything; without a keyring, the caller uses another place
        return None


def _is_safe(backend: KeyringBackend) -> bool:
    module = type(backend).__module__
    return backend.priority >= _PRIORITY_MIN and not f"{module}.".startswith(tuple(f"{each}." for each in _UNSAFE))
