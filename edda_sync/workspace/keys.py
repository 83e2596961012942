"""The names under which a store keeps what it knows of itself, in its small values (``store.seams.meta``)."""

from __future__ import annotations

from typing import Final

ACTOR_KEY: Final = "actor"  # under which it writes
BIRTH_KEY: Final = "birth"  # how that began
WORKSPACE_KEY: Final = "workspace"  # to which it belongs
