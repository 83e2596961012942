"""
Joining: how a device finds who invites it, becomes a member of that workspace, and what becomes of the store it had.

A store belongs to one workspace for good. Who joins another one with a store that holds something either leaves that
store aside, whole and usable, or also brings its content along, as new changes under the same ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from edda_sync.changes import change as changes
from edda_sync.device.peers import Endpoint
from edda_sync.engine import opening, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.transaction import Transaction
from edda_sync.imports.order import parents_first
from edda_sync.sync import readmission
from edda_sync.transport import identity as identities
from edda_sync.transport import pairing
from edda_sync.transport.discovery import find_pairing
from edda_sync.transport.interfaces import has_network
from edda_sync.transport.pairing.frames import SENTENCES
from edda_sync.words import limits
from edda_sync.words.config import DATABASE_FILE, StorageConfig, absolute
from edda_sync.words.errors import DamagedStoreError, NotReachableError, PairingError, UsageError, damage
from edda_sync.words.files import disk_error
from edda_sync.words.folders import make_folder, state_folder
from edda_sync.words.model import Item, Task
from edda_sync.words.query import DocumentQuery, TaskQuery
from edda_sync.workspace import welcome as membership
from edda_sync.workspace.keys import BIRTH_KEY, WORKSPACE_KEY
from edda_sync.workspace.welcome import DeviceCard, Welcome

PAIRING_FOLDER: Final = "joining"
"""In a store's folder: the identity of a device that may be a member already, and has no store yet."""
NOBODY = (
    "nobody on this network invites with that code (is `edda invite` still open there? It also shows the HOST:PORT that "
    "--at takes, for a network that does not let devices find each other)"
)

NO_NETWORK = "this machine has no network now"


@dataclass(frozen=True, slots=True)
class Holdings:
    """
    What a store has that joining would part it from.

    Attributes:
        workspace: Whose it is, 16 bytes.
        device: The device that it was made by.
        name: What the workspace calls that device.
        tasks, documents, tags: How many are in it.
        trash: How many tasks and documents are in its trash.
        kept: How many values of conflicts it keeps beside those that it shows, which cannot be brought along.
        others: How many other members its workspace has.
        is_shut_out: Whether what let it in is not here, or not known there any more: it may have to be let in again.
    """

    workspace: bytes
    device: str
    name: str
    tasks: int
    documents: int
    tags: int
    trash: int
    kept: int
    others: int
    is_shut_out: bool

    @property
    def is_empty(self) -> bool:
        """Whether nobody would miss it."""
        return not (self.tasks or self.documents or self.tags or self.trash or self.others)


@dataclass(frozen=True, slots=True)
class Brought:
    """
    How much was brought along.

    Attributes:
        tasks, documents: How many of those that were shown.
        known: How many items stay as the workspace has them, since it knew their ids.
        trash: How many tasks and documents of the trash, where they are again.
    """

    tasks: int
    documents: int
    known: int
    trash: int = 0


def holdings(home: Path, config: StorageConfig | None = None) -> Holdings | None:
    """
    Return what the store in a folder holds; None when there is none, or it belongs to no workspace yet.

    Args:
        home: The store's folder.
        config: How it is kept.

    Raises:
        LostStoreError: There was one, and the last of it would be lost if another was made in its place.
        DamagedStoreError: Its file is not what was written.
    """
    home, config = absolute(home), config or StorageConfig()
    database = config.database(home)
    opening.check_not_lost(home, database, state_folder(config), anew=True)
    if not opening.has_store(database):
        return None
    with StorageEngine(home) as engine:
        engine.open_store(config)
        if parts := engine.reading.damaged_parts():  # whoever syncs over it would wait for what it cannot read
            raise DamagedStoreError(str(database), damage(str(database), parts))
        with engine.store.read() as reader:
            workspace, birth = reader.meta.get(WORKSPACE_KEY), reader.meta.get(BIRTH_KEY)
            shut_out = birth is not None and readmission.is_shut_out(reader)
        if workspace is None or birth is None:
            return None
        counts, members = engine.counts(), engine.members()
        device = identities.device_of(changes.decode_birth(birth).public_key)
        own = standing.names(engine).get(device, engine.name)
        others = max(0, len(members) - 1)
        trash = sum(len(engine.trash(kind)) for kind in ("task", "document"))
        kept = sum(len(each.kept) for each in engine.conflicts())
        held = counts["tasks"], counts["documents"], counts["tags"], trash, kept
        return Holdings(workspace, device, own, *held, others, shut_out)


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
        raise PairingError(NOBODY if has_network() else NO_NETWORK, nobody_asked=True)
    return found


async def pair(home: Path, code: str, name: str, endpoints: Sequence[Endpoint]) -> tuple[Welcome, Endpoint]:
    """
    Be let in by whoever invites at one of these addresses; then :func:`enter` with the welcome.

    A device that has no identity gets one, which is kept first, since it must not be lost once it is a member; apart from
    the store's own, since an identity in the folder says that there was a store.

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
    home = absolute(home)
    is_new = not (opening.has_identity(home) or opening.has_identity(home / PAIRING_FOLDER))
    identity = _identity(home)
    record = membership.encode(DeviceCard(identity.certificate, name, identity.sealing_keys))
    failure: PairingError | NotReachableError = PairingError(NOBODY, nobody_asked=True)
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
    if is_new:  # nobody has heard of it
        identities.discard(home / PAIRING_FOLDER)
    raise failure


def _identity(home: Path) -> identities.Identity:
    """Return the identity of the device in a folder; a new one, kept for when it has joined, if there is none."""
    apart = home / PAIRING_FOLDER
    found = identities.load(home) or identities.load(apart)
    if found is None:
        found = identities.Identity.create()
        identities.save(apart, found)
    return found


def stays(home: Path, held: Holdings, welcome: Welcome) -> bool:
    """
    Tell whether the store that a folder holds is the one to go on with after pairing: it is this device's, and belongs to
    that workspace already. Another one makes room in :func:`enter`.
    """
    identity = identities.load(absolute(home))
    return held.workspace == welcome.workspace and identity is not None and identity.device == held.device


def enter(home: Path, welcome: Welcome, name: str, aside: Path | None, config: StorageConfig | None = None) -> None:
    """
    Make the store in a folder belong to the workspace that a welcome describes; one that does so already stays, with all
    that was written in it, and goes on behind what lets it in again if that before is lost.

    Args:
        home: The store's folder.
        welcome: What :func:`pair` returned.
        name: What to call this device.
        aside: Where a store that makes room goes; None deletes it, and is for an empty one.
        config: How the store is kept.
    """
    home, config = absolute(home), config or StorageConfig()
    held = holdings(home, config)
    if held is not None:
        if stays(home, held, welcome):
            with StorageEngine(home) as store:
                store.open_store(config)
                store.adopt(welcome)
                store.membership.readmit()
            return
        if aside is None and not held.is_empty:
            raise UsageError("This store has got content meanwhile; join again, with --bring or --leave.")
        _clear(home, config.database(home), held, aside)
    with StorageEngine(home) as store:
        store.open_store(replace(config, name=name), anew=True)
        if not opening.has_identity(home):
            identities.save(home, _identity(home))
        store.adopt(welcome)
    identities.forget(home / PAIRING_FOLDER)


def _clear(home: Path, database: Path, held: Holdings, aside: Path | None) -> None:
    """Take the database out of a store's folder; set aside it is a store of its own, with the key of its device."""
    if aside is not None:
        aside = absolute(aside)
        make_folder(aside)
        identity = identities.load(home)
        if identity is not None and identity.device == held.device:
            identities.save(aside, identity)
    for suffix in ("", "-wal", "-shm"):
        path = Path(f"{database}{suffix}")
        try:
            if path.exists():
                path.unlink() if aside is None else path.rename(aside / f"{DATABASE_FILE}{suffix}")
        except OSError as error:
            raise disk_error(path, error) from None


# --- bringing along ---------------------------------------------------------------------------------------------------


def bring(old: StorageEngine, new: StorageEngine) -> Brought:
    """
    Create what one store shows, and what is in its trash, in another, under the same ids, in one change.

    Args:
        old: The store that was left; it is only read.
        new: Where to. What it has under the same id stays as it is there, unless it is in the trash there and here not.
    """
    tasks: list[Item] = [*parents_first(old.query_tasks(TaskQuery()), lambda task: task)]
    documents: list[Item] = [*old.query_documents(DocumentQuery())]
    known = {task.id for task in new.query_tasks(TaskQuery())}
    known |= {document.id for document in new.query_documents(DocumentQuery())}
    trash = {item.id for kind in ("task", "document") for item in new.trash(kind)}
    tags = {tag.id for tag in new.tags()}
    overfull = {entity_id for _, entity_id in new.reading.overfull()}  # nothing can be written into these
    shown, known, tags = known - overfull, known | overfull, tags | overfull
    doomed = _deleted(old, known | trash, shown | {item.id for item in (*tasks, *documents)})
    linked = {(link.task_id, link.document_id) for link in new.links()}

    def work(tx: Transaction) -> Brought:
        for tag in old.tags():
            if tag.id not in tags:
                tx.create_tag(tag.name, tag.color, tag.description)
        for item in _unknown([*tasks, *documents, *doomed], known):
            _create(tx, item, item.id in trash)
        for item in doomed:
            (tx.delete_task if isinstance(item, Task) else tx.delete_document)(item.id)
        for link in old.links():
            if (link.task_id, link.document_id) not in linked:
                tx.link(link.task_id, link.document_id, link.relationship_type)
        counts = [sum(1 for _ in _unknown(items, known)) for items in (tasks, documents)]
        return Brought(counts[0], counts[1], len(tasks) + len(documents) - sum(counts), len(doomed))

    return new.transact(work, reason="brought along")


def _deleted(old: StorageEngine, known: set[str], shown: set[str]) -> list[Item]:
    """
    Return what is in a store's trash and is not known, each after its parent; one whose parent will not be there has none.

    Args:
        old: The store.
        known: Ids that are left out.
        shown: Ids of what will be shown where they go.
    """
    tasks = [item for item in old.trash("task") if isinstance(item, Task) and item.id not in known]
    there = shown | {task.id for task in tasks}
    for task in tasks:
        if task.parent_id not in there:
            task.parent_id = None
    documents = [item for item in old.trash("document") if item.id not in known]
    return [*parents_first(tasks, lambda task: task), *documents]


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
