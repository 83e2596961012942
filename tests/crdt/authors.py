"""Devices as their peers see them: changes that are made by hand, honest or not, and a store that takes them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from edda_sync.changes import change as changes
from edda_sync.changes.change import DEP_HASH_BYTES, NO_HASH, Birth, Change, Dep, Header
from edda_sync.crdt import operation as ops
from edda_sync.crdt.ext import Ext
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.operation import Operation
from edda_sync.fold.texts import Texts
from edda_sync.ledger.admission import Admitted
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import Row, StoreReader, StoreWriter
from edda_sync.transport.identity import Identity
from edda_sync.workspace import members as workspaces
from edda_sync.workspace.keys import WORKSPACE_KEY
from edda_sync.workspace.welcome import DeviceCard

T = TypeVar("T")

IDENTITIES: Final = tuple(Identity.from_private(bytes((number,)) * 32) for number in range(1, 7))
LAPTOP, PHONE, TABLET = IDENTITIES[:3]


class Life:
    """One life of a device that makes its changes by hand, so that a caller can change any part of them."""

    def __init__(
        self, identity: Identity, *, continues: Life | None = None, nonce: bytes = b"nonce of sixteen", **birth: Any
    ) -> None:
        usual: dict[str, Any] = {"public_key": identity.public_key, "nonce": nonce}
        if continues is not None:
            usual |= dict(zip(_PARENT, continues.stands, strict=True))
        self.identity = identity
        self.birth = Birth(**(usual | birth))
        self.actor = changes.actor_of(changes.encode_birth(self.birth))
        self.seq, self.hash = 0, NO_HASH
        self._hashes = [NO_HASH]

    @property
    def stands(self) -> tuple[bytes, int, bytes]:
        """Where its chain stands: actor, seq and hash."""
        return self.actor, self.seq, self.hash

    @property
    def dep(self) -> Dep:
        """The latest change, as a later change names it."""
        return self.dep_at(self.seq)

    def dep_at(self, seq: int) -> Dep:
        """One of its changes, as a later change names it."""
        return self.actor, seq, self._hashes[seq][:DEP_HASH_BYTES]

    def write(
        self, *body: Operation | bytes, deps: Iterable[Dep] = (), ext: Ext = (), wall_ms: int = 1_000, **different: Any
    ) -> Change:
        """Write the next change; ``different`` replaces fields of its header, and ``ext`` adds entries to its ext."""
        encoded = b"".join(each if isinstance(each, bytes) else ops.encode(each) for each in body)
        known = changes.header_ext(wall_ms, birth=self.birth if self.seq == 0 else None)
        usual: dict[str, Any] = {
            "level": changes.LEVEL, "actor": self.actor, "seq": self.seq + 1, "deps": tuple(sorted(deps)),
            "operations": len(body), "body_bytes": len(encoded), "content": changes.hash_part(encoded),
            "previous": self.hash, "ext": tuple(sorted((*known, *ext))),
        }  # fmt: skip
        header = Header(**(usual | different))
        raw = changes.encode_header(header)
        self.seq, self.hash = header.seq, changes.hash_change(self.hash, changes.hash_header(raw))
        self._hashes.append(self.hash)
        return Change(changes.decode_header(raw), raw, encoded)


_PARENT: Final = ("parent", "parent_seq", "parent_hash")


def device(identity: Identity, added_by: Identity, name: str = "device") -> ops.Put:
    """Return the operation that makes a device a member."""
    draft = workspaces.member_draft(DeviceCard(identity.certificate, name), added_by.public_key)
    return ops.Put("device", draft.id, draft.cells)


class Peer:
    """
    A store of a workspace, in memory, that takes changes.

    Args:
        founder: The life that founded the workspace.
    """

    def __init__(self, founder: Life) -> None:
        self.ledger = Ledger(Texts())
        self.store = MemoryStore(self._ended)
        self.workspace = changes.workspace_of(changes.encode_birth(founder.birth))
        self.store.transact(lambda tx: tx.meta.set(WORKSPACE_KEY, self.workspace))

    def _ended(self, committed: bool) -> None:
        if committed:
            self.ledger.texts.committed()
        else:
            self.ledger.texts.rolled_back()

    def admit(self, *some: Change) -> Admitted:
        """Take changes in one transaction; return the outcome of the last one."""

        def work(tx: StoreWriter) -> Admitted:
            fold = self.ledger.fold(tx)
            outcomes = [self.ledger.admit(tx, fold, change) for change in some]
            fold.flush()
            return outcomes[-1]

        return self.store.transact(work)

    def look(self, look: Callable[[StoreReader], T]) -> T:
        """Return what a reader sees."""
        with self.store.read() as reader:
            return look(reader)

    def table(self, name: str) -> list[Row]:
        """Return the rows of one of the specification's tables."""
        return self.look(lambda reader: reader.tables.all(name))

    @property
    def frontier(self) -> Frontier:
        """What it holds."""
        return self.look(lambda reader: {head.actor: head.seq for head in reader.log.heads().values()})

    @property
    def waiting(self) -> int:
        """How many operations wait for a newer version."""
        return self.look(lambda reader: reader.unapplied.waiting())

    @property
    def refused(self) -> int:
        """How many operations are refused for good."""
        return self.look(lambda reader: sum(each.refused for each in reader.unapplied.operations()))

    def view(self) -> dict[str, Any]:
        """Return all states that are folded, and the rows that they show."""
        tables = ("tasks", "documents", "tags", "entity_tags", "task_documents")
        found: dict[str, Any] = {name: self.table(name) for name in tables}
        found["records"] = self.look(lambda reader: list(reader.states.scan()))
        found["digest"] = self.look(lambda reader: reader.index.digest())
        found["conflicted"] = self.look(lambda reader: reader.index.conflicted())
        found["unapplied"] = sorted(
            self.look(lambda reader: [(e.entity, e.refused) for e in reader.unapplied.operations()])
        )
        return found


def founded() -> tuple[Life, Peer]:
    """Return a workspace of one device, the laptop: its life, which has written its own membership, and a peer."""
    laptop = Life(LAPTOP)
    peer = Peer(laptop)
    assert peer.admit(laptop.write(device(LAPTOP, LAPTOP, "laptop"))) is Admitted.APPLIED
    return laptop, peer
