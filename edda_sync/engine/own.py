"""The device that an engine's store belongs to: its name and its identity."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edda_sync.engine import opening
from edda_sync.engine.opened import Opened
from edda_sync.words.errors import LostIdentityError, UsageError
from edda_sync.words.folders import SEPARATING_FOLDER
from edda_sync.workspace.keys import BIRTH_KEY, WORKSPACE_KEY

if TYPE_CHECKING:
    from edda_sync.transport.identity import Identity  # this imports cryptography, which takes 40 ms


class OwnDevice:
    """
    This device.

    Args:
        opened: The store of this device.
    """

    def __init__(self, opened: Opened) -> None:
        self._opened = opened
        self._identity: Identity | None = None

    @property
    def name(self) -> str:
        """What people call this device."""
        from edda_sync.words.hostname import host_name  # only for what has no name yet

        return self._opened.config.name or host_name()

    @property
    def workspace(self) -> bytes:
        """
        The id of the workspace that this device belongs to: 16 bytes.

        Raises:
            UsageError: It belongs to no workspace yet.
        """
        with self._opened.store.read() as reader:
            found = reader.meta.get(WORKSPACE_KEY)
        if found is None:
            raise self.has_none()
        return found

    def has_none(self) -> UsageError:
        """Return the error for a device that belongs to no workspace."""
        return UsageError(f"{self._opened.home} belongs to no workspace yet; run `edda init` or `edda join`.")

    @property
    def identity(self) -> Identity:
        """
        This device's identity.

        Raises:
            LostIdentityError: The store had an identity, but it is not in the folder.
            StorageError: The identity is damaged or locked.
        """
        if self._identity is None:
            from edda_sync.transport import identity

            self._finish_separation()
            found = identity.load(self._opened.home)
            if found is None:
                self.check_identity()
                raise UsageError(f"{self._opened.home} has no device yet; run `edda init`.")
            self._identity = found
        return self._identity

    def go_on_as(self, identity: Identity) -> None:
        """Go on as another device, with which the store goes on already (``separating``)."""
        from edda_sync.transport import identity as identities

        if self._opened.config.backend != "memory":
            identities.save(self._opened.home, identity)
            identities.forget(self._opened.home / SEPARATING_FOLDER)
        self._identity = identity

    def _finish_separation(self) -> None:
        """Finish what makes a copy a device of its own, if it was interrupted; undo it, if the store goes on as before."""
        from edda_sync.changes.change import decode_birth
        from edda_sync.transport import identity as identities

        folder = self._opened.home / SEPARATING_FOLDER
        new = identities.load(folder) if folder.exists() else None
        if new is None:
            return
        with self._opened.store.read() as reader:
            birth = reader.meta.get(BIRTH_KEY)
        if birth is not None and decode_birth(birth).public_key == new.public_key:
            self.go_on_as(new)
        else:
            identities.discard(folder)

    @property
    def has_identity(self) -> bool:
        """Whether this device has, or had, an identity."""
        return self._identity is not None or opening.has_identity(self._opened.home)

    def use(self, identity: Identity) -> None:
        """Use an identity that somebody else keeps."""
        self._identity = identity

    def check_identity(self) -> None:
        """
        Check that a store that belongs to a workspace still has the identity of its device.

        Raises:
            LostIdentityError: The identity is missing.
        """
        opened = self._opened
        if opened.config.backend == "memory" or self._identity is not None or opening.has_identity(opened.home):
            return
        with opened.store.read() as reader:
            founded = reader.meta.get(WORKSPACE_KEY) is not None
        if founded:
            raise LostIdentityError(str(opened.home))

    def make_identity(self) -> Identity:
        """Return this device's identity. If there is none, make one and keep it."""
        from edda_sync.transport import identity

        home, kept = self._opened.home, self._opened.config.backend != "memory"
        found = identity.load(home) if self._identity is None and kept else self._identity
        if found is None:
            found = identity.Identity.create()
            if kept:
                identity.save(home, found)
        self._identity = found
        return found
