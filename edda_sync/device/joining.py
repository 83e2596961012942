"""
Joining: how a device finds its inviter, becomes a member of that workspace, and what happens to the store it had.

A store belongs to one workspace for good. A device that joins another workspace, and has a store with content, either sets
that store aside, complete and usable, or also brings its content along, as new changes under the same ids.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from edda_sync.changes import change as changes
from edda_sync.device.peers import Endpoint
from edda_sync.engine import aside as asides
from edda_sync.engine import backend, opening, standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sealing import keyfile
from edda_sync.store.sqlite.damage import can_be_made_anew
from edda_sync.sync import readmission
from edda_sync.transport import identity as identities
from edda_sync.transport import pairing
from edda_sync.transport.discovery import find_pairing
from edda_sync.transport.interfaces import has_network, hosts_of, interfaces
from edda_sync.transport.pairing.frames import SENTENCES
from edda_sync.words import limits
from edda_sync.words.addresses import host_port
from edda_sync.words.config import DATABASE_FILE, StorageBackend, StorageConfig, absolute
from edda_sync.words.configured import configured
from edda_sync.words.errors import (
    CorruptError,
    DamagedStoreError,
    NotReachableError,
    PairingError,
    RemoteError,
    UsageError,
    damage,
)
from edda_sync.words.errors.root import bare
from edda_sync.words.files import disk_error, move_file
from edda_sync.words.folders import make_folder, state_folder
from edda_sync.words.listed import DELETED, RENAMED
from edda_sync.workspace import welcome as membership
from edda_sync.workspace.keys import BIRTH_KEY, WORKSPACE_KEY
from edda_sync.workspace.welcome import DeviceCard, Welcome

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
        backend: What keeps its states.
        states: The folders in which they are kept beside its file.
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
    backend: StorageBackend = StorageBackend.SQLITE
    states: tuple[Path, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether it holds nothing that anybody would miss."""
        return not (self.tasks or self.documents or self.tags or self.trash or self.others)


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
    home = absolute(home)
    config = configured(home, config)
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
        kept = sum(len(each.kept) for each in engine.conflicts() if each.field not in (DELETED, RENAMED))
        held = counts["tasks"], counts["documents"], counts["tags"], trash, kept
        refused = standing.shut_out_by(engine) is not None
        kind, states = StorageBackend(backend.name(engine.store)), tuple(backend.folders(engine.store))
        return Holdings(workspace, device, own, *held, others, shut_out, refused, kind, states)


# --- pairing ----------------------------------------------------------------------------------------------------------


async def search(
    home: Path, code: str, name: str, found: Callable[[], object] = lambda: None
) -> tuple[Welcome, Endpoint]:
    """
    Join at an invitation that is announced on the LAN; then call :func:`enter` with the welcome.

    Anybody can announce one with the nameplate of a code. So up to ``INVITATIONS_TRIED_MAX`` of them are tried, until one
    proves that it knows the code.

    Args:
        home, code, name: See :func:`pair`, which also says what is returned.
        found: Called when an invitation was found.

    Raises:
        InvalidValueError: The code has a wrong form.
        PairingError: No invitation was heard, or none could be joined: it says how each one failed.
        NotReachableError, RemoteError: See ``pairing.join``; if only one was heard.
    """
    failures: list[tuple[Endpoint, RemoteError | PairingError]] = []
    async with aclosing(find_pairing(pairing.parse_code(code).nameplate, limits.PAIRING_SEARCH_S)) as announced:
        async for endpoints in announced:
            found()
            try:
                return await pair(home, code, name, endpoints)
            except (RemoteError, PairingError) as error:
                failures.append((endpoints[0], error))
    if not failures:
        raise PairingError(NOBODY if has_network() else NO_NETWORK, nobody_asked=True)
    if len(failures) == 1:
        raise failures[0][1]
    told = "; ".join(f"at {host_port(*at)}, {_reason(error)}" for at, error in failures)
    raise PairingError(f"{len(failures)} devices announce an invitation with this code's first two digits: {told}")


def _reason(error: RemoteError | PairingError) -> str:
    return error.reason if isinstance(error, PairingError) else bare(str(error))


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
    present = interfaces()
    for host, port in [(host, port) for named, port in endpoints for host in hosts_of(named, present)]:
        try:
            welcome = membership.decode_told(*await pairing.join(code, record, host, port))
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
    home = absolute(home)
    config = configured(home, config)
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
        if aside is not None:  # first: without its states, a store has to make them anew
            _copy_states(held.states, StorageConfig().rocksdb(absolute(aside)))
        _clear(home, config.database(home), held, aside)
        for folder in held.states:
            shutil.rmtree(folder, ignore_errors=True)
        if "backend" not in config.given:
            config = config.changed(backend=held.backend)
        if aside is not None:
            _move_files(config.files(home), StorageConfig().files(absolute(aside)))
    with StorageEngine(home) as store:
        store.open_store(config.changed(name=name), anew=True)
        if not opening.has_identity(home):
            identities.save(home, _identity(home))
        store.adopt(welcome)
    identities.forget(home / PAIRING_FOLDER)


def make_room(home: Path, config: StorageConfig | None = None) -> None:
    """
    Remove the store of a folder, if it holds nothing that anybody would miss.

    Raises:
        UsageError: It holds something.
    """
    home = absolute(home)
    config = configured(home, config)
    held = holdings(home, config)
    if held is None:
        return
    if not held.is_empty:
        raise UsageError(f"There is a store in {home} already, and nothing was changed: restore into it, or elsewhere.")
    _clear(home, config.database(home), held, None)
    for folder in held.states:
        shutil.rmtree(folder, ignore_errors=True)


def _clear(home: Path, database: Path, held: Holdings, aside: Path | None) -> None:
    """Remove the database from a store's folder. Set aside, it is a store of its own, with its device's identity."""
    if aside is not None:
        aside = absolute(aside)
        make_folder(aside)
        identity = identities.load(home)
        if identity is not None and identity.device == held.device:
            identities.save(aside, identity)
        keyfile.copy(database, aside / DATABASE_FILE)  # first: both stores are encrypted, or none
    for suffix in ("", "-wal", "-shm"):
        path = Path(f"{database}{suffix}")
        try:
            if path.exists():
                path.unlink() if aside is None else move_file(path, aside / f"{DATABASE_FILE}{suffix}")
        except OSError as error:
            raise disk_error(path, error) from None


def _copy_states(folders: Sequence[Path], target: Path) -> None:
    """Copy the folders of states that go along with a store."""
    for folder in folders:
        try:
            make_folder(target)
            shutil.copytree(folder, target / folder.name, dirs_exist_ok=True)
        except OSError as error:
            raise disk_error(folder, error) from None


def _move_files(files: Path, target: Path) -> None:
    """Move what is attached along with its store, to another disk chunk by chunk."""
    try:
        if files.is_dir():
            shutil.move(files, target)
    except OSError as error:
        raise disk_error(files, error) from None
