"""The names of the small values that a store keeps about itself (``store.seams.meta``)."""

from __future__ import annotations

from typing import Final

from edda_sync.store.seams.meta import WORKSPACE_KEY as WORKSPACE_KEY  # the workspace to which it belongs

ACTOR_KEY: Final = "actor"  # the actor under which it writes
BIRTH_KEY: Final = "birth"  # the birth of that actor
