"""
Joining: how a device finds who invites it, becomes a member of that workspace, and what becomes of the store it had.

A store belongs to one workspace for good. Who joins another one with a store that holds something either leaves that
store aside, whole and usable, or also brings its content along, as new changes under the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from edda_sync import limits
from edda_sync.config import StorageConfig
from edda_sync.engine import StorageEngine
from edda_sync.errors import NotReachableError, PairingError, UsageError
from edda_sync.folders import make_folder
from edda_sync.model import Item, Task
from edda_sync.peers import Endpoint
from edda_sync.query import DocumentQuery, TaskQuery
from edda_sync.store.sqlite import FILE_NAME
from edda_sync.transaction import Transaction
from edda_sync.transport import identity as identities
from edda_sync.transport import membership, pairing
from edda_sync.transport.discovery import find_pairing
from edda_sync.transport.handshake import SENTENCES
from edda_sync.transport.membership import DeviceRecord, Welcome

NOBODY = (
    "nobody on this network invites with that code (is `edda invite` still open there? It also shows the HOST:PORT that "
    "--at takes, for a network that does not let devices find each other)"
)


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a store has that joining would part it from: its workspace, what is in it, and who else is a member."""

    workspace: bytes
    name: str
    tasks: int
    documents: int
    tags: int
    others: int

    @property
    def is_empty(self) -> bool:
        """Whether nobody would miss it."""
        return not (self.tasks or self.documents or self.tags or self.others)


@dataclass(frozen=True, slots=True)
class Brought:
    """How much was brought along, and how many items stay as the workspace has them, since it knew their ids."""

    tasks: int
    documents: int
    known: int


def holdings(home: Path) -> Holdings | None:
    """Return what the store in a folder holds; None when there is none, or it belongs to no workspace yet."""
    if not (home / FILE_NAME).exists():
        return None
    with StorageEngine(home) as store:
        store.open_store()
        try:
            workspace = store.workspace
        except UsageError:
            return None
        counts, members = store.counts(), store.members()
        own = next((each.name for each in members if each.device == store.identity.device), store.name)
        others = max(0, len(members) - 1)
        return Holdings(workspace, own, counts["tasks"], counts["documents"], counts["tags"], others)


# --- pairing ----------------------------------------------------------------------------------------------------------


async def find(code: str) -> list[Endpoint]:
    """
    Look on the LAN for who invites with a code; pass what it returns to :func:`pair`.

    Raises:
        InvalidValueError: That cannot be a code.
        PairingError: Nobody was heard.
    """
    found = await find_pairing(pairing.parse_code(code).nameplate, limits.PAIRING_SEARCH_S)
    if not found:
        raise PairingError(NOBODY)
    return found


async def pair(home: Path, code: str, name: str, endpoints: Sequence[Endpoint]) -> tuple[Welcome, Endpoint]:
    """
    Be let in by whoever invites at one of these addresses; then :func:`enter` with the welcome.

    The device's identity is made and kept first, if need be: it must not be lost once it is a member.

    Args:
        home: The store's folder.
        code: What a person typed.
        name: What to call this device.
        endpoints: Where the inviter may be, best first.

    Returns:
        The welcome, and where the inviter listens for members.

    Raises:
        InvalidValueError, PairingError, NotReachableError, RemoteError: As ``pairing.join`` says, of the last address.
    """
    pairing.parse_code(code)
    make_folder(home)
    identity = identities.load(home)
    if identity is None:
        identity = identities.Identity.create()
        identities.save(home, identity)
    record = membership.encode(DeviceRecord(identity.certificate, name))
    failure: PairingError | NotReachableError = PairingError(NOBODY)
    for host, port in endpoints:
        try:
            welcome = membership.decode_welcome(await pairing.join(code, record, host, port))
        except NotReachableError as error:
            failure = error
        except PairingError as error:
            if error.reason != SENTENCES["closed"]:
                raise
            failure = error  # nobody invites there, but that address may be another machine's here, such as a bridge's
        else:
            return welcome, (host, welcome.port)
    raise failure


def enter(home: Path, welcome: Welcome, name: str, aside: Path | None) -> None:
    """
    Make the store in a folder belong to the workspace that a welcome describes; one that does so already stays.

    Args:
        home: The store's folder.
        welcome: What :func:`pair` returned.
        name: What to call this device.
        aside: Where a store that belongs to another workspace goes; None deletes it, and is for an empty one.
    """
    held = holdings(home)
    if held is not None:
        if held.workspace == welcome.workspace:
            return
        if aside is None and not held.is_empty:
            raise UsageError("This store has got content meanwhile; join again, with --bring or --leave.")
        _clear(home, aside)
    with StorageEngine(home) as store:
        store.open_store(StorageConfig(name=name))
        store.adopt(welcome)


def _clear(home: Path, aside: Path | None) -> None:
    """Take the database out of a store's folder; set aside it is a store of its own, with this device's key."""
    if aside is not None:
        make_folder(aside)
        identity = identities.load(home)
        assert identity is not None, "a device has paired under it a moment ago"
        identities.save(aside, identity)
    for suffix in ("", "-wal", "-shm"):
        path = home / (FILE_NAME + suffix)
        if path.exists():
            path.unlink() if aside is None else path.rename(aside / path.name)


# --- bringing along ---------------------------------------------------------------------------------------------------


def bring(old: StorageEngine, new: StorageEngine) -> Brought:
    """
    Create what one store shows in another, under the same ids, in one change.

    Args:
        old: The store that was left; it is only read.
        new: Where to. What it has under the same id stays as it is there, unless it is in the trash.
    """
    tasks: list[Item] = [*_parents_first(old.query_tasks(TaskQuery()))]
    documents: list[Item] = [*old.query_documents(DocumentQuery())]
    known = {task.id for task in new.query_tasks(TaskQuery())}
    known |= {document.id for document in new.query_documents(DocumentQuery())}
    trash = {item.id for kind in ("task", "document") for item in new.trash(kind)}
    tags = {tag.id for tag in new.tags()}
    linked = {(link.task_id, link.document_id) for link in new.links()}

    def work(tx: Transaction) -> Brought:
        for tag in old.tags():
            if tag.id not in tags:
                tx.create_tag(tag.name, tag.color, tag.description)
        for item in _unknown([*tasks, *documents], known):
            _create(tx, item, item.id in trash)
        for link in old.links():
            if (link.task_id, link.document_id) not in linked:
                tx.link(link.task_id, link.document_id, link.relationship_type)
        counts = [sum(1 for _ in _unknown(items, known)) for items in (tasks, documents)]
        return Brought(counts[0], counts[1], len(tasks) + len(documents) - sum(counts))

    return new.transact(work, reason="brought along")


def _unknown(items: Iterable[Item], known: set[str]) -> Iterator[Item]:
    return (item for item in items if item.id not in known)


def _create(tx: Transaction, item: Item, in_trash: bool) -> None:
    fresh = replace(item, _base=None)  # it was not read from the store that it goes to
    if isinstance(fresh, Task):
        if in_trash:
            tx.restore_task(fresh.id)
            tx.update_task(fresh)
        else:
            tx.create_task(fresh)
    elif in_trash:
        tx.restore_document(fresh.id)
        tx.update_document(fresh)
    else:
        tx.create_document(fresh)


def _parents_first(tasks: list[Task]) -> list[Task]:
    """Return tasks in an order in which each comes after its parent; the tables show no ring."""
    children: dict[str | None, list[Task]] = {}
    for task in tasks:
        children.setdefault(task.parent_id, []).append(task)
    ordered: list[Task] = []
    todo = children.get(None, [])
    while todo:
        ordered += todo
        todo = [child for task in todo for child in children.get(task.id, [])]
    return ordered
