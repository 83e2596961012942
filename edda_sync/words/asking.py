"""
Who asks a person for a secret in this process. A process has one terminal, so this is set once, by the command.

Nothing else is here, so that a command that needs no secret does not load what uses one (``sealing.passphrase``).
"""

from __future__ import annotations

from collections.abc import Callable

Ask = Callable[[str, bool], str | None]
"""
Asks a person with a prompt. If it is a new secret, it asks a second time, to see that both are the same. It returns None if
nobody can be asked.
"""

_ask: Ask | None = None


def ask_with(ask: Ask | None) -> None:
    """Set who asks; None for nobody."""
    global _ask
    _ask = ask


def asker() -> Ask | None:
    """Return who asks; None if nobody can be asked."""
    return _ask
