"""
Single bits that flip in the files of a store, and what is asked of it then.

One store of each kind is made (:data:`KINDS`), with a bit of everything in it and with its journal, as a process that was
killed leaves it. Each flip changes one bit of one of its files, in place. Then:

  1. Whatever is asked of the store ends with an answer or with an error of ours.
  2. What a person reads first, before any check, is what was written, or an error in its place (:func:`_read`).
  3. What it shows is what was written, or the scrub, the doctor or an error says that something is damaged.
  4. Another device that syncs with it, also after more was written into it, holds only what was written.

A bit that nothing depends on (a free page, padding) may flip without notice.
"""

from __future__ import annotations

import io
import itertools
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, Final, NamedTuple

from edda_sync.engine import doctor, scrubbing
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import pair, sync
from edda_sync.words import limits
from edda_sync.words.config import DATABASE_FILE, StorageBackend, StorageConfig
from edda_sync.words.errors import EddaError
from edda_sync.words.model import Document, Item, Task, as_json
from edda_sync.words.query import DocumentQuery, TaskQuery
from tests.encrypted import config_of

TABLES: Final = ("tasks", "documents", "task_documents", "tags", "entity_tags")
ENCRYPTED: Final = ("encrypted", "encrypted rocksdb")
KINDS: Final[dict[str, StorageBackend]] = {
    "sqlite": StorageBackend.SQLITE,
    "encrypted": StorageBackend.SQLITE,
    "rocksdb": StorageBackend.ROCKSDB,
    "encrypted rocksdb": StorageBackend.ROCKSDB,
}
"""The kinds of stores. Each is tried with a journal, and ``closed``, without one."""
_DERIVED: Final = frozenset({"updated_at", "version"})
_ADDED: Final = "added"  # to the parent's description
_PRIORITY: Final = 0  # the child's new one
_SKIPPED: Final = ("*-shm", "LOCK", "run")  # what no process finds after a restart
CONTENTS: Final = {
    "noise": random.Random(0).randbytes(3_000),  # is kept as it is
    "words": b"".join(b"line %d of a log\n" % number for number in range(2_000)),  # is kept compressed
    "long": bytes(limits.CHUNK_BYTES) + b"the end",  # is kept in two chunks and their list
    "empty": b"",
}
"""What is attached to a document."""
_FOLDERS: Final = ("home", "state", "other", "other-state")


class End(Enum):
    """How a flip ended."""

    UNNOTICED = "unnoticed"  # and nothing that is shown depends on it
    REFUSED = "refused"  # the store does not open
    FOUND = "found"  # an answer, the scrub or the doctor says so
    FAULT = "fault"


class Flip(NamedTuple):
    """A bit that flips: the name of the file, and the number of the bit in it."""

    file: str
    bit: int


class Verdict(NamedTuple):
    """How a flip ended, and in words what is wrong with that."""

    flip: Flip
    end: End
    faults: tuple[str, ...] = ()


class Master(NamedTuple):
    """
    A store with its journal, the store of another device with the same content, and what both show.

    Attributes:
        folder: Holds ``home`` and ``state`` of the one, ``other`` and ``other-state`` of the other, and ``kept`` with all
            of them as they were made.
        shown: The rows of the tables, and what is attached.
        read: What a person reads: the items of lists, items by id, tags, links and attachments.
        parent, child: Ids of two tasks.
        document: Id of a document, to which :data:`CONTENTS` is attached.
    """

    kind: str
    folder: Path
    shown: dict[str, list[Any]]
    read: dict[str, Any]
    parent: str
    child: str
    document: str


def make(kind: str, folder: Path, *, closed: bool) -> Master:
    """Make the two stores in an empty folder; ``closed`` as a process leaves them that ends well."""
    with _opened(folder / "home", folder / "state", kind, "laptop") as laptop:
        laptop.found()
        parent = laptop.create_task(Task(title="parent", tags={"a", "b"}, description="one two three"))
        child = laptop.create_task(Task(title="child", parent_id=parent, metadata={"k": 1}))
        document = laptop.create_document(Document(title="D", content="some words " * 300))
        with laptop.begin_transaction(agent="claude") as tx:
            tx.link(child, document, "spec")
            for name, content in CONTENTS.items():
                tx.attach(document, io.BytesIO(content), name=name)
        for number in range(20):
            laptop.create_task(Task(title=f"task {number}", description="more words " * 20))
        laptop.delete_task(laptop.create_task(Task(title="gone")))
        with _opened(folder / "other", folder / "other-state", "sqlite", "phone") as phone:
            pair(laptop, phone)
            sync(laptop, phone)
            laptop.edit_text(parent, "description", [(4, 3, "2")])
            phone.edit_text(parent, "description", [(0, 3, "1")])
            sync(laptop, phone)
            shown, read = _shown(laptop), _read(laptop, [parent, child], document, [])
            assert _shown(phone) == shown
            assert _read(phone, [parent, child], document, []) == read
        if not closed:
            _keep(folder)  # as a kill leaves them
    if closed:
        _keep(folder)
    return Master(kind, folder, shown, read, parent, child, document)


def _keep(folder: Path) -> None:
    for name in _FOLDERS:
        shutil.copytree(folder / name, folder / "kept" / name, ignore=shutil.ignore_patterns(*_SKIPPED))


def files_of(master: Master) -> list[Path]:
    """Return the files in which a bit can flip, in order."""
    kept = sorted((master.folder / "kept" / "home").rglob("*"))
    return [path for path in kept if path.is_file() and path.stat().st_size]


def flips(master: Master, seed: int) -> Iterator[Flip]:
    """Yield flips without end: half of them in any file, half of them at any byte of all files."""
    chance, files = random.Random(seed), files_of(master)
    sizes = [path.stat().st_size for path in files]
    while True:
        path = chance.choice(files) if chance.random() < 0.5 else chance.choices(files, sizes)[0]
        name = str(path.relative_to(master.folder / "kept" / "home"))
        yield Flip(name, chance.randrange(path.stat().st_size * 8))


def judge(master: Master, flip: Flip) -> Verdict:
    """Make a store as it was, flip a bit in it, use it, and say how it ended."""
    folder = master.folder
    for name in _FOLDERS:
        _put_back(folder / "kept" / name, folder / name)
    _flip(folder / "home" / flip.file, flip.bit)
    faults: list[str] = []
    try:
        end = _look(master, folder, faults, scrubs_first=flip.bit % 2 == 0)
        if end is not End.REFUSED:
            _use(master, folder, faults)
    except EddaError as error:  # of the other device, whose store is sound
        faults.append(f"the other device: {error}")
        end = End.FAULT
    except KeyboardInterrupt:  # a person ends the campaign
        raise
    except BaseException as error:  # noqa: BLE001 - also panics of native code: each is a fault that is counted
        faults.append(f"{type(error).__name__}: {error}")
        end = End.FAULT
    return Verdict(flip, End.FAULT if faults else end, tuple(faults))


def _look(master: Master, folder: Path, faults: list[str], *, scrubs_first: bool) -> End:
    """Ask a store for everything, before a scrub or after it; return how it ended."""
    found: list[str] = []
    try:
        with _opened(folder / "home", folder / "state", master.kind, None) as store:
            found += store.reading.news()
            faults += [] if found else _misread(store, master, found)
            if scrubs_first:
                _told(lambda: found.extend(_scrubbed(store)), found)
            shown = _told(lambda: _shown(store), found)
            _told(store.conflicts, found)
            _told(lambda: store.trash("task"), found)
            _told(lambda: store.trash("document"), found)
            _told(store.members, found)
            for each in _told(lambda: doctor.check(store), found) or ():
                if not each.sound:
                    found.append(f"{each.check}: {each.detail}")
            faults += _told(lambda: _wrong_contents(store, master, found), found) or ()
            if not scrubs_first:
                _told(lambda: found.extend(_scrubbed(store)), found)
    except EddaError:
        return End.REFUSED
    if shown is not None and shown != master.shown and not found:
        faults.append(f"it shows {_difference(shown, master.shown)}, and finds nothing")
    return End.FOUND if found else End.UNNOTICED


def _misread(store: StorageEngine, master: Master, found: list[str]) -> list[str]:
    """Return what a person reads that was never written, though nothing says so. Errors are added to what was found."""
    read = _read(store, [master.parent, master.child], master.document, found)
    return [
        f"a person reads {name}: {answer!s:.300} for {master.read[name]!s:.300}"
        for name, answer in read.items()
        if answer is not None and answer != master.read[name]
    ]


def _read(store: StorageEngine, tasks: list[str], document: str, found: list[str]) -> dict[str, Any]:
    """
    Return what a person reads; None in place of an error of ours, which is added to what was found.

    Full-text search and what hangs on an index of keys (the trash, conflicts) are left out: an entry that rots in such an
    index hides something, until the doctor compares the index with what it is made of.
    """
    asked: dict[str, Callable[[], Any]] = {
        "tags": store.tags,
        "links": store.links,
        "attachments": lambda: [replace(each, here=True) for each in store.attachments(document)],
        "the document": lambda: _told_of(store.get_document(document)),
        "documents": lambda: [_told_of(each) for each in store.query_documents(DocumentQuery())],
        "tagged tasks": lambda: [_told_of(each) for each in store.query_tasks(TaskQuery(tags="a"))],
    }
    for order in ("urgent", "updated_at", "created_at", "title", "priority"):
        asked[f"tasks by {order}"] = partial(_listed, store, order)
    for task in tasks:
        asked[f"the task {task}"] = partial(_task, store, task)
    for name in TABLES:
        asked[f"table {name}"] = partial(store.table, name)
    return {name: _told(ask, found) for name, ask in asked.items()}


def _listed(store: StorageEngine, order: str) -> list[dict[str, Any]]:
    return [_told_of(each) for each in store.query_tasks(TaskQuery(order=order))]


def _task(store: StorageEngine, task: str) -> dict[str, Any]:
    return _told_of(store.get_task(task))


def _told_of(item: Item | None) -> dict[str, Any]:
    return {} if item is None else as_json(item)


def _use(master: Master, folder: Path, faults: list[str]) -> None:
    """Sync with another device, write, and sync again; the other device must hold only what was written."""
    with _opened(folder / "other", folder / "other-state", "sqlite", None) as phone:
        try:
            with _opened(folder / "home", folder / "state", master.kind, None) as store:
                _told(lambda: sync(store, phone, frames_max=10_000), [])
                _told(lambda: store.update_task(Task(id=master.child, priority=_PRIORITY)), [])
                _told(lambda: store.edit_text(master.parent, "description", [(0, 0, _ADDED)]), [])
                _told(lambda: sync(store, phone, frames_max=10_000), [])
        except EddaError:
            pass  # the store need not open
        other = _shown(phone)
        if different := _difference(_apart_from_use(other, master), _apart_from_use(master.shown, master)):
            faults.append(f"the other device shows {different}")
        faults += _wrong_contents(phone, master, [])
        faults += [f"the other device: {e.check}: {e.detail}" for e in doctor.check(phone) if not e.sound]


def _scrubbed(store: StorageEngine) -> list[str]:
    """Return what a pass of the scrub finds."""
    found: list[str] = []
    following: bytes | None = b""
    while following is not None:
        done = scrubbing.scrub(store, following, 1_000)
        found += [*(each.what for each in done.found), *done.lost]
        following = done.following
    return found


def _wrong_contents(store: StorageEngine, master: Master, found: list[str]) -> list[str]:
    """Return what is attached, can be read, and is nothing that was attached. Errors are added to what was found."""
    wrong = []
    for each in store.attachments(master.document):
        content = _told(lambda each=each: store.open_attachment(master.document, each.id).read(), found)  # type: ignore[misc]
        if content is not None and content not in CONTENTS.values():
            wrong.append(f"{each.name} is shown with other bytes")
    return wrong


def _told(ask: Callable[[], Any], found: list[str]) -> Any:
    """Return an answer; None if there is an error of ours in its place, which is added to what was found."""
    try:
        return ask()
    except EddaError as error:
        found.append(str(error))
    except AssertionError as error:  # two devices that did not become equal
        if "not proved equal" not in str(error) and "still talking" not in str(error):
            raise
        found.append(str(error))
    return None


def _shown(store: StorageEngine) -> dict[str, list[Any]]:
    shown: dict[str, list[Any]] = {name: [list(row) for row in store.table(name)] for name in TABLES}
    attached = [store.attachments(document[0]) for document in shown["documents"]]
    return shown | {"attachments": [[each.name, each.content_type, each.size] for of in attached for each in of]}


def _apart_from_use(shown: dict[str, list[Any]], master: Master) -> dict[str, list[Any]]:
    """Return what is shown, without what :func:`_use` may have written."""
    from edda_sync.words.model import COLUMNS

    told = {name: [list(row) for row in rows] for name, rows in shown.items()}
    columns = COLUMNS["task"]
    for row in told["tasks"]:
        if row[0] == master.child:
            row[columns.index("priority")] = None
        if row[0] == master.parent:
            at = columns.index("description")
            row[at] = row[at].removeprefix(_ADDED)
        row[columns.index("updated_at")] = None
    return told


def _difference(one: dict[str, list[Any]], other: dict[str, list[Any]]) -> str:
    """Return in words what is in the first and not in the second; empty if they are equal."""
    for name in one:
        if one[name] != other[name]:
            rows = [row for row in one[name] if row not in other[name]]
            return f"in {name}, {len(one[name])} rows for {len(other[name])}, among them {rows[:1]!r:.300}"
    return ""


def _put_back(kept: Path, place: Path) -> None:
    """Make a folder as it was, with the same inodes: the store would take other ones for a copy of itself."""
    for path in sorted(place.rglob("*"), reverse=True):
        if not (kept / path.relative_to(place)).exists():
            path.rmdir() if path.is_dir() else path.unlink()
    for path in sorted(kept.rglob("*")):
        target = place / path.relative_to(kept)
        if path.is_dir():
            target.mkdir(exist_ok=True)
        else:
            target.touch(mode=path.stat().st_mode & 0o777)
            target.write_bytes(path.read_bytes())


def _flip(path: Path, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(bit // 8)
        (byte,) = file.read(1)
        file.seek(bit // 8)
        file.write(bytes([byte ^ 1 << bit % 8]))


@contextmanager
def _opened(home: Path, state: Path, kind: str, name: str | None) -> Iterator[StorageEngine]:
    """Open a store, or make one of a kind."""
    store = StorageEngine(home)
    config = StorageConfig(backend=KINDS[kind], state_path=state, name=name)
    if kind in ENCRYPTED and name is not None:
        config = config.changed(encryption_config=config_of(home / DATABASE_FILE))
    try:
        store.open_store(config)
        yield store
    finally:
        store.close()


def run(kind: str, count: int, seed: int, folder: Path, *, closed: bool) -> Iterator[Verdict]:
    """Yield the verdicts about a number of flips of one store, which is made in an empty folder."""
    master = make(kind, folder, closed=closed)
    for flip in itertools.islice(flips(master, seed), count):
        yield judge(master, flip)
