"""
Joining: how a device finds its inviter, becomes a member of that workspace, and what happens to the store it had.

A store belongs to one workspace for good. A device that joins another workspace, and has a store with content, either sets
that store aside, complete and usable, or also brings its content along, as new changes under the same ids.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from edda_sync.changes import change as changes
from edda_sync.device.peers import Endpoint
from edda_sync.engine import aside as asides
from edda_sync.engine import opening, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.transaction import Transaction
from edda_sync.imports.batches import batches, text_length
from edda_sync.imports.order import parents_first
from edda_sync.store.sqlite.damage import can_be_made_anew
from edda_sync.sync import readmission
from edda_sync.transport import identity as identities
from edda_sync.transport import pairing
from edda_sync.transport.discovery import find_pairing
from edda_sync.transport.interfaces import has_network
from edda_sync.transport.pairing.frames import SENTENCES
from edda_sync.words import limits
from edda_sync.words.config import DATABASE_FILE, StorageConfig, absolute
from edda_sync.words.errors import CorruptError, DamagedStoreError, NotReachableError, PairingError, UsageError, damage
from edda_sync.words.files import disk_error
from edda_sync.words.folders import make_folder, state_folder
from edda_sync.words.listed import Link, Tag
from edda_sync.words.model import Item, Task
from edda_sync.words.query import DocumentQuery, TaskQuery
from edda_sync.workspace import welcome as membership
from edda_sync.workspace.keys import BIRTH_KEY, WORKSPACE_KEY
from edda_sync.workspace.welcome import DeviceCard, Welcome

T = TypeVar("T")

PAIRING_FOLDER: Final = "joining"
"""In a store's folder: the identity of a device that may already be a member, and has no store yet."""
NOBODY = (
    "nobody on this network invites with that code (is `edda invite` still open there? It also shows the HOST:PORT that "
    "--at takes, for a network that does not let devices find each other)"
)

NO_NETWORK = "this machine has no network now"


@dataclass(frozen=True, slots=True)
class Holdings:
    """
    What a store holds that would be separated from this device by joining.

    Attributes:
        workspace: The id of its workspace, 16 bytes.
        device: The id of the device that made it.
        name: The name of that device in the workspace.
        tasks, documents, tags: How many there are.
        trash: How many tasks and documents are in its trash.
        kept: How many values of conflicts it keeps beside those that it shows. They cannot be brought along.
        others: How many other members the workspace has.
        is_shut_out: Whether the change that let it in is missing, or its inviter refuses it: it may have to be let in again.
        is_refused: Whether its inviter has refused it, and not only its first sync was interrupted.
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
    is_refused: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing that anybody would miss."""
        return not (self.tasks or self.documents or self.tags or self.trash or self.others)


@dataclass(frozen=True, slots=True)
class Brought:
    """
    How much was brought along.

    Attributes:
        tasks, documents: How many of those that were shown.
        known: How many items stayed as the workspace has them, because it knew their ids.
        trash: How many tasks and documents of the trash. They are in the trash again.
    """

    tasks: int
    documents: int
    known: int
    trash: int = 0


def holdings(home: Path, config: StorageConfig | None = None) -> Holdings | None:
    """
    Return what the store in a folder holds; None when there is no store, or it belongs to no workspace yet.

    Args:
        home: The store's folder.
        config: How it is kept.

    Raises:
        LostStoreError: A store was there before, and making another one would destroy what is left of it.
        CorruptError: The store's file is damaged.
    """
    home, config = absolute(home), config or StorageConfig()
    database = config.database(home)
    opening.check_not_lost(home, database, state_folder(config), anew=True)
    if not opening.has_store(database):
        return None
    with StorageEngine(home) as engine:
        engine.open_store(config)
        if parts := engine.reading.damaged_parts():  # whoever syncs over it would wait for what it cannot read
            what = damage(str(database), parts)
            raise CorruptError(what) if can_be_made_anew(parts) else DamagedStoreError(str(database), what)
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
        refused = standing.shut_out_by(engine) is not None
        return Holdings(workspace, device, own, *held, others, shut_out, refused)


# --- pairing ----------------------------------------------------------------------------------------------------------


async def find(code: str) -> list[Endpoint]:
    """
    Look on the LAN for the inviter of a code. Pass the result to :func:`pair`.

    Raises:
        InvalidValueError: The code has a wrong form.
        PairingError: No inviter was heard.
    """
    found = await find_pairing(pairing.parse_code(code).nameplate, limits.PAIRING_SEARCH_S)
    if not found:
        raise PairingError(NOBODY if has_network() else NO_NETWORK, nobody_asked=True)
    return found


async def pair(home: Path, code: str, name: str, endpoints: Sequence[Endpoint]) -> tuple[Welcome, Endpoint]:
    """
    Join at one of these addresses; then call :func:`enter` with the welcome.

    A device without an identity gets one. It is saved before pairing, because it must not be lost once the device is a
    member. It is saved apart from the store, because an identity in the store's folder means that there was a store.

    Args:
        home: The store's folder.
        code: The code, as a person typed it.
        name: The name of this device.
        endpoints: Where the inviter may be, best first.

    Returns:
        The welcome, and the address where the inviter listens for members.

    Raises:
        InvalidValueError, PairingError, NotReachableError, RemoteError: See ``pairing.join``; for the last address.
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
            failure = error  # nobody invites there; the address may also be another machine's, as of a bridge
        else:
            return welcome, (host, welcome.port)
    if is_new:  # nobody has heard of it
        identities.discard(home / PAIRING_FOLDER)
    raise failure


def _identity(home: Path) -> identities.Identity:
    """Return the identity of the device in a folder; if there is none, a new one, saved until it has joined."""
    apart = home / PAIRING_FOLDER
    found = identities.load(home) or identities.load(apart)
    if found is None:
        found = identities.Identity.create()
        identities.save(apart, found)
    return found


def stays(home: Path, held: Holdings, welcome: Welcome) -> bool:
    """
    Tell whether a folder's store is kept after pairing: it is this device's, and already belongs to that workspace. Another
    store has to make room in :func:`enter`.
    """
    identity = identities.load(absolute(home))
    return held.workspace == welcome.workspace and identity is not None and identity.device == held.device


def enter(
    home: Path,
    welcome: Welcome,
    name: str,
    aside: Path | None,
    config: StorageConfig | None = None,
    *,
    along: bool = False,
) -> None:
    """
    Make the store in a folder belong to the workspace of a welcome.

    A store that already belongs to it stays, with everything that was written in it. If the change that let it in before is
    lost, it continues from the one that lets it in now.

    Args:
        home: The store's folder.
        welcome: The welcome from :func:`pair`.
        name: The name of this device.
        aside: The folder for a store that makes room; None deletes that store, if it is empty.
        config: How the store is kept.
        along: Whether the content of the store that makes room is to be brought along. It is noted before that store is
            moved; see ``engine.aside``.
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
            raise UsageError("This store has content by now; join again, with --bring or --leave.")
        if aside is not None and along:
            asides.plan(absolute(aside), welcome.workspace)
        _clear(home, config.database(home), held, aside)
    with StorageEngine(home) as store:
        store.open_store(replace(config, name=name), anew=True)
        if not opening.has_identity(home):
            identities.save(home, _identity(home))
        store.adopt(welcome)
    identities.forget(home / PAIRING_FOLDER)


def _clear(home: Path, database: Path, held: Holdings, aside: Path | None) -> None:
    """Remove the database from a store's folder. Set aside, it is a store of its own, with its device's identity."""
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
    Create what one store shows, and what is in its trash, in another one, under the same ids.

    It is written in several transactions (``imports.batches``), parents first, so that no device waits long for any of
    them. Whatever ends it midway, the old store stays as it is, and what is in its trash is not shown in the new one.

    Args:
        old: The store to copy from; it is only read.
        new: The store to copy to. Items that it already has stay as they are, unless they are in the trash there only.
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

    def write(write_one: Callable[[Transaction, T], object], what: Iterable[T], length: Callable[[T], int]) -> None:
        for batch in batches([*what], length):
            new.transact(partial(_each, write_one, batch), reason="brought along")

    write(_create_tag, (tag for tag in old.tags() if tag.id not in tags), lambda _: 0)
    created = _unknown([*tasks, *documents], known)
    write(lambda tx, item: _create(tx, item, item.id in trash), created, text_length)
    for some in _together(doomed):
        if len(some) <= limits.BULK_ITEMS_MAX:
            new.transact(partial(_create_deleted, some), reason="brought along")
        else:  # one task with so many below it: they are shown until the last one is here
            write(lambda tx, item: _create(tx, item, in_trash=False), some, text_length)
            write(_delete, some, lambda _: 0)
    links = (link for link in old.links() if (link.task_id, link.document_id) not in linked)
    write(_link, links, lambda _: 0)
    counts = [sum(1 for _ in _unknown(items, known)) for items in (tasks, documents)]
    return Brought(counts[0], counts[1], len(tasks) + len(documents) - sum(counts), len(doomed))


def _each(write_one: Callable[[Transaction, T], object], batch: Iterable[T], tx: Transaction) -> None:
    for each in batch:
        write_one(tx, each)


def _create_tag(tx: Transaction, tag: Tag) -> None:
    tx.create_tag(tag.name, tag.color, tag.description)


def _create_deleted(items: Sequence[Item], tx: Transaction) -> None:
    for item in items:
        _create(tx, item, in_trash=False)
    for item in items:
        _delete(tx, item)


def _together(items: Sequence[Item]) -> Iterator[list[Item]]:
    """
    Yield items, each task together with all that are below it, because none can be created below a deleted one.

    Args:
        items: The items, each after its parent.
    """
    families: dict[str, list[Item]] = {}  # by item; a task's is that of its parent
    for item in items:
        families[item.id] = family = families.get(item.parent_id or "", []) if isinstance(item, Task) else []
        family.append(item)
    batch: list[Item] = []
    length = 0
    for family in [each for item, each in families.items() if each[0].id == item]:
        more = sum(map(text_length, family))
        if batch and (len(batch) + len(family) > limits.BULK_ITEMS_MAX or length + more > limits.BULK_CODE_POINTS_MAX):
            yield batch
            batch, length = [], 0
        batch += family
        length += more
    if batch:
        yield batch


def _delete(tx: Transaction, item: Item) -> None:
    (tx.delete_task if isinstance(item, Task) else tx.delete_document)(item.id)


def _link(tx: Transaction, link: Link) -> None:
    tx.link(link.task_id, link.document_id, link.relationship_type)


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
    fresh = replace(item, _base=None)  # it was read from another store than the one it goes to
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
