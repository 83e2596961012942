"""
Power loss: the images that a disk may hold afterwards, made from a trace of a process's file operations.

The disk, at any moment of the trace:
  1. Writes to a file before the last sync of that file that returned are on the disk. Syncs of other files do not count.
  2. Of later writes, any sector may be there or not. A sector, of 512 or 4,096 bytes, shows a state that it had
     since the sync. So all may be lost (``DROP``) or there (``KEEP``); the first of them may be there, in the order in
     which they were written (``TEAR``), with the next one noise where it was being written (``GARBLE``); or any of them
     may be there, at any age (``REORDER``). Bytes beside those that were written stay what they were: SQLite's "power-safe
     overwrite". A gap before what is there reads as zeros.
  3. A change of a file's size that was not synced may have happened or not, by itself.
  4. A new, renamed or removed name is on disk once its folder was synced. Before, it may be there or not, by itself, the
     same five ways; a rename happens as a whole. The folder itself is there.
  5. The index in shared memory (``-shm``) is never in an image: SQLite makes it anew from the journal at every first open.
  6. The sidecar (``edda_sync/engine/life.py``) is synced when a store is closed. It is missing, or says so, or stands where
     it stood some writes ago and says that the store was open, or is a file of zeros.

Power fails before each write, sync and change of a name, and after the last one.
:class:`~tests.e2e.power_judge.Judge` says what a store must show then.
"""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Final, NamedTuple

from tests.e2e.power_work import MARKS

ROOT: Final = Path(__file__).parents[2]
RECORDER: Final = Path(__file__).parent / "power" / "recorder.c"
SECTORS: Final = (512, 4096)  # bytes
_HEADER: Final = struct.Struct("<cHHIQQ")  # kind; bytes of path, other path and data; inode; offset or size
_MAPPED: Final = "-shm"


# --- the trace --------------------------------------------------------------------------------------------------------


class Event(NamedTuple):
    """
    One operation on a file or its name.

    Attributes:
        kind: ``C`` created, ``W`` written, ``T`` truncated, ``S`` synced, ``R`` renamed, ``U`` removed; ``!`` a mark.
        name: Name of the file; empty for the folder.
        inode: Which file it is, for as long as it exists.
        offset: The offset of a write; the new size of a truncation.
        data: The bytes that were written, or the text of the mark.
        other: The new name.
    """

    kind: str
    name: str
    inode: int = 0
    offset: int = 0
    data: bytes = b""
    other: str = ""


def read_trace(path: Path) -> list[Event]:
    """
    Read what the recorder wrote.

    Raises:
        ValueError: A file was written through mapped memory, or is in a subfolder or outside.
    """
    raw, at, events = memoryview(path.read_bytes()), 0, []
    while at < len(raw):
        kind, path_bytes, other_bytes, data_bytes, inode, offset = _HEADER.unpack_from(raw, at)
        texts = at + _HEADER.size
        data = texts + path_bytes + other_bytes
        at = data + data_bytes
        name = os.fsdecode(bytes(raw[texts : texts + path_bytes])).removesuffix(" (deleted)")
        other = os.fsdecode(bytes(raw[texts + path_bytes : data]))
        event = Event(kind.decode(), name, inode, offset, bytes(raw[data:at]), other)
        if event.name == MARKS:
            if event.kind == "W":
                events.append(event._replace(kind="!"))
        elif not event.name.endswith(_MAPPED):
            if event.kind == "M" or "/" in event.name + event.other:
                raise ValueError(f"the trace does not tell what becomes of {event.name}")
            events.append(event)
    return events


def scratch() -> Path:
    """Make a folder for images, in memory if possible, since they need no disk."""
    memory = Path("/dev/shm")
    return Path(tempfile.mkdtemp(prefix="edda-power-", dir=memory if os.access(memory, os.W_OK) else None))


def compile_recorder(folder: Path) -> Path:
    """Compile the recorder with ``cc``; return the library."""
    library = folder / "recorder.so"
    subprocess.run(
        ["cc", "-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o", library, RECORDER, "-ldl", "-lpthread"],
        check=True,
    )
    return library


def record(recorder: Path, folder: Path, trace: Path, command: Sequence[str | Path]) -> list[Event]:
    """Run Python with a command line under the recorder; return what it did to the files of a folder."""
    told = {"LD_PRELOAD": str(recorder), "POWER_FOLDER": str(folder), "POWER_TRACE": str(trace), "EDDA_KEYRING": "off"}
    subprocess.run([sys.executable, *command], env=os.environ | told, check=True, cwd=ROOT)
    return read_trace(trace)


# --- the disk ---------------------------------------------------------------------------------------------------------


class Loss(Enum):
    """What happens to writes that were not synced."""

    DROP = "drop"
    KEEP = "keep"
    TEAR = "tear"
    GARBLE = "garble"
    REORDER = "reorder"


class _Change(NamedTuple):
    offset: int
    data: bytes | None  # None: the file's size becomes the offset


@dataclass(slots=True)
class _File:
    synced: bytearray = field(default_factory=bytearray)
    pending: list[_Change] = field(default_factory=list)


class _Naming(NamedTuple):
    old: str  # this name goes, if it is one
    new: str  # and this one comes
    file: _File | None


Image = dict[str, bytes]


class Disk:
    """A folder as it may be after a power loss. :meth:`apply` the trace event by event; then draw an :meth:`image`."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}
        self._namings: list[_Naming] = []
        self._seen: dict[str, _File] = {}  # names as the process sees them
        self._files: dict[int, _File] = {}

    def apply(self, event: Event) -> None:
        """Take the next event."""
        match event.kind:
            case "C":
                self._files[event.inode] = created = _File()
                self._rename("", event.name, created)
            case "W":
                self._files[event.inode].pending.append(_Change(event.offset, event.data))
            case "T":
                self._files[event.inode].pending.append(_Change(event.offset, None))
            case "R":
                self._rename(event.name, event.other, self._seen[event.name])
            case "U":
                self._rename(event.name, "", None)
            case "S" if not event.name:
                for naming in self._namings:
                    _name_in(self._names, naming)
                self._namings.clear()
            case "S":
                file = self._files[event.inode]
                for change in file.pending:
                    _write_in(file.synced, change)
                file.pending.clear()
            case _:
                raise ValueError(f"no disk can do {event}")

    def _rename(self, old: str, new: str, file: _File | None) -> None:
        naming = _Naming(old, new, file)
        self._namings.append(naming)
        _name_in(self._seen, naming)

    def image(self, loss: Loss, rng: random.Random) -> Image:
        """
        Draw what the folder may hold if power fails now.

        Args:
            loss: What happens to writes that were not synced, and, half of the time, to names.
            rng: Source of the other random choices.
        """
        names = dict(self._names)
        if self._namings:
            of_names = loss if rng.random() < 0.5 else rng.choice(list(Loss))
            for naming in _surviving_names(self._namings, of_names, rng):
                _name_in(names, naming)
        sector_bytes = rng.choice(SECTORS)
        found: Image = {}
        for name, file in names.items():
            content = bytearray(file.synced)
            for change in _survivors(file.pending, sector_bytes, loss, rng):
                _write_in(content, change)
            found[name] = bytes(content)
        return found


def _name_in(names: dict[str, _File], naming: _Naming) -> None:
    names.pop(naming.old, None)
    if naming.file is not None:
        names[naming.new] = naming.file


def _write_in(content: bytearray, change: _Change) -> None:
    if len(content) < change.offset:
        content.extend(bytes(change.offset - len(content)))
    if change.data is None:
        del content[change.offset :]
    else:
        content[change.offset : change.offset + len(change.data)] = change.data


def _surviving_names(namings: list[_Naming], loss: Loss, rng: random.Random) -> list[_Naming]:
    match loss:
        case Loss.DROP:
            return []
        case Loss.KEEP:
            return namings
        case Loss.TEAR | Loss.GARBLE:
            return namings[: rng.randint(0, len(namings))]
    return [naming for naming in namings if rng.random() < 0.5]


def _survivors(pending: list[_Change], sector_bytes: int, loss: Loss, rng: random.Random) -> Iterable[_Change]:
    """Return which of a file's unsynced writes have reached the disk, in order."""
    if loss is Loss.DROP or not pending:
        return ()
    if loss is Loss.KEEP:
        return pending
    pieces = [piece for change in pending for piece in _pieces(change, sector_bytes)]
    if loss is Loss.REORDER:
        return _any_age(pieces, sector_bytes, rng)
    torn = rng.randint(0, len(pieces))
    survivors = pieces[:torn]
    if loss is Loss.GARBLE and torn < len(pieces):
        offset, data = pieces[torn]
        if data is not None:
            survivors.append(_Change(offset, rng.randbytes(len(data))))
    return survivors


def _pieces(change: _Change, sector_bytes: int) -> Iterator[_Change]:
    """Split a write into what it puts into each sector."""
    offset, data = change
    if data is None:
        yield change
        return
    first = sector_bytes - offset % sector_bytes
    for start, end in pairwise((0, *range(first, len(data), sector_bytes), len(data))):
        yield _Change(offset + start, data[start:end])


def _any_age(pieces: list[_Change], sector_bytes: int, rng: random.Random) -> Iterator[_Change]:
    """Yield, for each sector, the writes into it up to a random moment: the sector may reach the disk at any of them."""
    sectors = [-1 if data is None else offset // sector_bytes for offset, data in pieces]
    share = rng.choice((0.1, 0.5, 0.9))  # share of sectors that keep their last state
    left = {
        sector: count if rng.random() < share else rng.randrange(count) for sector, count in Counter(sectors).items()
    }
    for sector, piece in zip(sectors, pieces, strict=True):
        if left[sector] > 0:
            left[sector] -= 1
            yield piece
