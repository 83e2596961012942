"""A running device replaces the data key of its encrypted store when the configured policy says so."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from edda_sync.words import limits
from edda_sync.words.errors import EddaError

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine

Run = Callable[[Callable[["StorageEngine"], bool]], Awaitable[Any]]
"""Runs a function with the store on another thread, and returns its result."""


async def rotate_when_due(
    run: Run, tell: Callable[[str], object], sleep: Callable[[float], Awaitable[Any]] = asyncio.sleep
) -> None:
    """
    Look again and again, without end, whether the data key is to be replaced, and replace it.

    Args:
        run: Runs a function with the store.
        tell: Called with what hinders it now, in words. It is tried again.
        sleep: Waits for so many seconds.
    """
    while True:
        try:
            await run(_rotate)
        except EddaError as error:
            tell(f"The data key is due to be replaced, and could not be: {error}")
        await sleep(limits.KEY_LOOKED_AT_EVERY_S)


def has_policy(store: StorageEngine) -> bool:
    """Tell whether a store is encrypted, and its configuration says when its data key is to be replaced."""
    wanted = store.config.encryption_config
    return wanted is not None and (wanted.key_rotation.max_age, wanted.key_rotation.max_bytes) != (None, None)


def _rotate(store: StorageEngine) -> bool:
    from edda_sync.engine.encryption import EncryptionManager  # only for encrypted stores

    return EncryptionManager(store).rotate_if_due()
