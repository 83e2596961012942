"""Membership: how this device founds a workspace, joins one, and lets other devices in."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edda_sync.changes.change import Birth
from edda_sync.crdt import ext as exts
from edda_sync.crdt import records
from edda_sync.engine.opened import Opened
from edda_sync.engine.own import OwnDevice
from edda_sync.engine.writing import Writing
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.seams import StoreReader, StoreWriter
from edda_sync.sync import readmission, shut_out
from edda_sync.words import values
from edda_sync.words.errors import NotFoundError
from edda_sync.workspace import authority
from edda_sync.workspace import members as workspaces

if TYPE_CHECKING:
    from edda_sync.workspace.welcome import Admission, DeviceCard, Offer, Welcome


class Membership:
    """
    This device in its workspace.

    Args:
        opened: The store.
        own: This device.
        writing: Writes into the store.
        ledger: Appends to the log and folds it.
    """

    def __init__(self, opened: Opened, own: OwnDevice, writing: Writing, ledger: Ledger) -> None:
        self._opened, self._own, self._writing, self._ledger = opened, own, writing, ledger

    @property
    def workspace_key(self) -> bytes:
        """The workspace key under which new data is written: 32 bytes that only members know."""
        with self._opened.store.read() as reader:
            ring = workspaces.ring(reader)
        if not ring:
            raise self._own.has_none()
        return ring[-1][1]

    def found(self) -> None:
        """Found a workspace with this device as its first member."""
        from edda_sync.workspace.welcome import DeviceCard

        identity, random = self._own.make_identity(), self._writing.random
        birth = Birth(identity.public_key, random(16))

        def work(tx: StoreWriter) -> None:
            epoch = workspaces.found(tx, birth, random(32))
            if epoch is not None:
                card = DeviceCard(identity.certificate, self._own.name, identity.sealing_keys)
                drafts = [workspaces.member_draft(card, identity.public_key), epoch]
                self._writing.write(tx, drafts, "founded")  # under the actor that the workspace is named after

        self._opened.store.transact(work)
        self._writing.announce()

    def adopt(self, welcome: Welcome) -> None:
        """Become a member of the workspace that a welcome describes, also if the store belongs to it already."""
        public_key = self._own.make_identity().public_key

        def work(tx: StoreWriter) -> None:
            workspaces.adopt(tx, welcome, public_key, self._writing.random(16))
            shut_out.forget(tx)

        self._opened.store.transact(work)

    def readmit(self) -> bool:
        """
        Go on with the changes that let this device in again (``sync.readmission``), if these are here; tell whether it did.

        Call this before the device connects to others. From then on its sessions do it.
        """
        with self._opened.store.read() as reader:
            if not readmission.is_due(reader):
                return False
        return self._opened.store.transact(lambda tx: readmission.readmit(tx, self._ledger, self._writing.random))

    def offer(self, card: DeviceCard, port: int) -> Offer:
        """
        Return what to tell a device before it is let in. Nothing is written.

        Args:
            card: The device's certificate, name and sealing keys.
            port: The port on which this device listens.

        Raises:
            LimitError: The workspace has as many devices as it may have.
            UsageError: The log behind this device's segment is not proved yet.
            InvalidValueError: The card is none that a device may have.
        """
        from edda_sync.workspace.welcome import INVITER, DeviceCard, Offer, fitting

        identity = self._own.identity
        new = records.device_id(records.certificate_key(card.certificate))
        with self._opened.store.read() as reader:
            self._check(reader, card)
            listed = workspaces.cards(reader)
            if not workspaces.is_member(reader, card.certificate):  # a member keeps the name that it has
                listed[new] = DeviceCard(card.certificate, card.name)
        told = fitting(sorted(listed.items(), key=lambda each: (each[0] != identity.device, each[0] != new)))
        return Offer(self._own.workspace, told, port, exts.of({INVITER: identity.device.encode()}))

    def admit(self, card: DeviceCard) -> Admission:
        """
        Make a device a member of the workspace, durably; return what to tell it then.

        Args:
            card: As for :meth:`offer`, which raises the same errors.
        """
        from edda_sync.workspace.welcome import Admission

        identity = self._own.identity

        def work(tx: StoreWriter) -> tuple[workspaces.Ring, tuple[bytes, int, bytes]]:
            if not workspaces.is_member(tx, card.certificate):
                self._check(tx, card)
                self._writing.commit(tx, [workspaces.member_draft(card, identity.public_key)], "paired")
            added = authority.added_by(tx, records.certificate_key(card.certificate))
            assert added is not None, "it was committed just now, or is in the log"
            return workspaces.ring(tx), added

        admission = Admission(*self._opened.store.transact(work))
        self._writing.announce()
        return admission

    def welcome(self, card: DeviceCard, port: int) -> Welcome:
        """Make a device a member of the workspace, durably; return all that it is told (:meth:`offer`, :meth:`admit`)."""
        from edda_sync.workspace.welcome import Welcome

        return Welcome.of(self.offer(card, port), self.admit(card))

    def _check(self, reader: StoreReader, card: DeviceCard) -> None:
        """Check that a device may be let in."""
        if not workspaces.is_member(reader, card.certificate):
            workspaces.member_draft(card, self._own.identity.public_key)
            workspaces.check_room(reader)
            workspaces.check_proved(reader)

    def rename(self, device: str, name: str) -> None:
        """
        Give a member another name, on all devices.

        Args:
            device: The id of its device.
            name: One line of text.

        Raises:
            NotFoundError: There is no such member.
        """
        from edda_sync.changes.drafts import Put

        def work(tx: StoreWriter) -> None:
            certificate = next((each.certificate for each in workspaces.members(tx) if each.device == device), None)
            if certificate is None:
                raise NotFoundError("device", device)
            entity = records.device_entity(records.certificate_key(certificate))
            self._writing.commit(tx, [Put.of("device", entity, {"name": values.line("name", name)})], "renamed")

        self._opened.store.transact(work)
        self._writing.announce()

    def check_can_invite(self) -> None:
        """
        Check that :meth:`welcome` would let a device in.

        Raises:
            UsageError: The log behind this device's segment is not proved yet.
        """
        with self._opened.store.read() as reader:
            workspaces.check_proved(reader)
