"""The names of the small values that a store keeps about itself (``store.seams.meta``)."""

from __future__ import annotations

from typing import Final

ACTOR_KEY: Final = "actor"  # the actor under which it writes
BIRTH_KEY: Final = "birth"  # the birth of that actor
WORKSPACE_KEY: Final = "workspace"  # the workspace to which it belongs
