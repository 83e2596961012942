"""What readers see: whole transactions, only what was really written, and their own writes at once."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from edda_sync.crdt.operation import Operation, Put, Unread, cut, decode
from edda_sync.simulations.book import Fate
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.checkers.meaning import log_of
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.simulator import Simulation
from edda_sync.store.seams import Logged, StoreReader
from edda_sync.words import values

PEEK_PERCENT: Final = 15  # the percentage of transactions during which somebody reads
TITLE: Final = 1  # column of a task's row
TASK_TEXTS: Final = (1, 2)  # title and description
DOCUMENT_TEXTS: Final = (1, 3)  # title and content
WORD: Final = re.compile(r"w[0-9]+")  # as the book creates them
WORDS: Final = re.compile(r"(?:w[0-9]+)+")


def operations_of(entries: Sequence[Logged]) -> Iterator[Operation]:
    """Yield the operations of changes that are not in parts."""
    for entry in entries:
        for encoded in cut([entry.body]):
            operation = decode(encoded)
            if not isinstance(operation, Unread):
                yield operation


def task_puts(entries: Sequence[Logged]) -> Iterator[Put]:
    """Yield the writes into tasks of changes that are not in parts."""
    return (one for one in operations_of(entries) if isinstance(one, Put) and one.kind == "task")


class Atomicity(Checker):
    """Tasks that are always written together show one word, or do not exist: on every device, at any time."""

    number = 4

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._draws = sim.tape.source("peek")

    def booted(self, device: SimulatedDevice) -> None:
        """Also look during transactions, while they run."""
        device.disk.peek = lambda: self._peek(device)
        self.changed(device)

    def changed(self, device: SimulatedDevice) -> None:
        """Look at every set."""
        if self.sim.book.sets and not device.disk.rotten:
            with device.running.store.read() as reader:
                self._look(device, reader)

    def _peek(self, device: SimulatedDevice) -> None:
        if self.sim.book.sets and device.engine is not None and self._draws.chance("peek", PEEK_PERCENT):
            self.changed(device)

    def _look(self, device: SimulatedDevice, reader: StoreReader) -> None:
        for tasks in self.sim.book.sets:
            rows = [reader.tables.row("task", task) for task in tasks]
            words = {None if row is None else row[TITLE] for row in rows}
            if len(words) > 1:
                self.fail(device, f"shows {sorted(map(str, words))} where one word was written together")


_WRITTEN: Final = (Fate.ACKNOWLEDGED, Fate.DOUBTFUL)


def words_of(text: str) -> list[str]:
    """Return the words of a text. Two words may touch if one was inserted beside another that was removed with its space."""
    found = [word for word in text.split() if not word.isdecimal()]
    return [each for word in found for each in (WORD.findall(word) if WORDS.fullmatch(word) else [word])]


class NoPhantom(Checker):
    """Every word that is shown was written by somebody whose call was not refused; no other cells are written with it."""

    number = 6

    def acknowledged(self, device: SimulatedDevice, own: Sequence[Logged]) -> None:
        """Compare the written cells with those that somebody meant to write."""
        meant = self.sim.book.meant
        for put in task_puts(own) if meant else ():
            if not put.cells.keys() <= meant:
                self.fail(device, f"wrote {sorted(put.cells.keys() - meant)}, which nobody meant to")

    def ended(self) -> None:
        """Look at every word."""
        lied = any(not device.honest for device in self.sim.devices)
        unnamed = {values.TITLE_DEFAULT} if self.sim.book.fell else set()  # of a task whose title is lost
        for device in self.sim.honest():
            with device.running.store.read() as reader:
                rows = [row[at] for row in reader.tables.all("tasks") for at in TASK_TEXTS]
                rows += [row[at] for row in reader.tables.all("documents") for at in DOCUMENT_TEXTS]
            logged = task_puts([entry for entry, _ in log_of(device)])  # also what is kept and not shown
            rows += [put.cells.get("title") for put in logged]
            tokens = {token for text in rows for token in str(text or "").split()}
            for word in {word for token in tokens if not self._is_put_together(token) for word in words_of(token)}:
                fate = self.sim.book.words.get(word)
                if fate is Fate.REFUSED or (fate is None and not lied and word not in unnamed):
                    said = "nobody wrote" if fate is None else "was refused"
                    self.fail(device, f"shows {word!r}, which {said}")

    def _is_put_together(self, token: str) -> bool:
        """Tell whether a token without spaces consists of words and digits that somebody wrote."""
        words = self.sim.book.words
        ends = {0}
        for at in range(len(token)):
            if at in ends:
                until = range(at + 1, len(token) + 1)
                ends.update(e for e in until if words.get(token[at:e]) in _WRITTEN or token[at:e].isdecimal())
        return len(token) in ends


class ReadYourWrites(Checker):
    """A device shows what it has just acknowledged."""

    number = 7

    def acknowledged(self, device: SimulatedDevice, own: Sequence[Logged]) -> None:
        """Compare the written titles with the shown ones."""
        written: dict[bytes, str] = {}
        for put in task_puts(own):
            if "title" in put.cells:
                written[put.id] = put.cells["title"]
        if not written or device.disk.rotten:
            return
        with device.running.store.read() as reader:
            for name, title in written.items():
                row = reader.tables.row("task", values.id_text(name))
                if row is not None and row[TITLE] != title:
                    self.fail(device, f"shows {row[TITLE]!r} right after {title!r} was acknowledged")
