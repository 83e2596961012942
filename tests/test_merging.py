"""
What becomes of two changes made at once: ``docs/merging.md``, of which each row of the table is a test.

A cell has code spans. ``FIELD=VALUE`` sets a field (content of the document; of the task, all others), ``A: ...`` does so
to another task. What is kept is ``FIELD: VALUE / VALUE``, the latest first; ``FIELD SHOWN: VALUE / VALUE`` is about a place
in a text.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import UUID

import pytest

import edda_sync as edda
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words import values

PAGE: Final = Path(__file__).resolve().parent.parent / "docs" / "merging.md"
START: Final = 1_800_000_000
PAIRS: Final = ((0, 1), (0, 2), (1, 2))  # who meets whom; the third device only watches
WITH_INDEX: Final = "ticket"


class Row(NamedTuple):
    """A row of the table: its code spans. Of what is shown and kept, there may be several, with *or* between them."""

    name: str
    before: list[str]
    one: list[str]
    other: list[str]
    shown: list[list[str]]
    kept: list[list[str]]


def rows() -> list[Row]:
    """Return the rows of the page's table."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")] if line.startswith("| ") else []
        if len(cells) == 7 and cells[0] != "at once":
            assert cells[6], f"the row {cells[0]} says no reason"
            before, one, other = (spans(cell) for cell in cells[1:4])
            shown, kept = ([spans(each) for each in cell.split("` or `")] for cell in cells[4:6])
            found.append(Row(cells[0], before, one, other, shown, kept))
    return found


def spans(cell: str) -> list[str]:
    """Return the code spans of a cell; one that was cut off at an *or* counts."""
    return [each for each in re.split(r"` `|`", cell) if each]


ROWS: Final = rows()


class Place:
    """The items of one row."""

    def __init__(self, number: int, row: Row) -> None:
        self.number, self.row = number, row
        self.ids = {
            name: str(UUID(bytes=blake2b(f"{row.name} {name}".encode(), digest_size=16).digest())) for name in "TABD"
        }

    def make(self, store: StorageEngine) -> None:
        for name in "TAB":
            store.create_task(edda.Task(id=self.ids[name], title=name))
        first = [each.partition("=")[2] for each in self.row.before if each.startswith("content=")]
        store.create_document(edda.Document(id=self.ids["D"], title="D", content=first[0] if first else None))
        for each in self.row.before:
            if not each.startswith("content="):
                self.do(store, each)

    def do(self, store: StorageEngine, operation: str) -> None:
        """Do what a code span says."""
        whose, _, rest = operation.rpartition(": ")
        task = self.ids[whose or "T"]
        name, is_set, value = rest.partition("=")
        words = rest.split(" ")
        if name == "content":
            store.update_document(edda.Document(id=self.ids["D"], content=value or None))
        elif name == "parent":
            store.update_task(edda.Task(id=task, parent_id=self.ids[value]))
        elif name == "ticket":
            store.update_task(edda.Task(id=task, metadata={WITH_INDEX: value}))
        elif name.startswith("metadata."):
            found = store.get_task(task)
            assert found is not None, "it is not in the trash"
            key = name.removeprefix("metadata.")
            found.metadata = {key: value} if value else {}
            store.update_task(found)
        elif is_set:
            fields: dict[str, Any] = {name: int(value) if name == "priority" else value or None}
            store.update_task(edda.Task(id=task, **fields))
        elif rest == "delete":
            store.delete_task(task)
        elif rest == "delete document":
            store.delete_document(self.ids["D"])
        elif words[0] == "type":
            store.edit_text(self.ids["D"], "content", [(int(words[1]), int(words[2]), words[3])])
        else:
            with store.begin_transaction() as tx:
                if words[0] == "tag":
                    tx.add_tag(task, self.tag(words[1]))
                elif words[0] == "untag":
                    tx.remove_tag(task, self.tag(words[1]))
                elif words[0] == "rename":
                    tx.rename_tag(self.tag(words[1]), self.tag(words[3]))
                elif words[:2] == ["delete", "tag"]:
                    tx.delete_tag(self.tag(words[2]))
                elif rest == "unlink":
                    tx.unlink(task, self.ids["D"])
                else:
                    assert words[0] == "link", f"the page has a code span {operation!r} that means nothing"
                    tx.link(task, self.ids["D"], *words[2:])

    def tag(self, name: str) -> str:
        return f"{name} {self.number}"

    def shows(self, store: StorageEngine, expected: str) -> str:
        """Return what a device shows in the place of a code span."""
        whose, _, rest = expected.rpartition(": ")
        task, name = store.get_task(self.ids[whose or "T"]), rest.partition("=")[0]
        if rest == "trash":
            return "trash" if any(each.id == self.ids["T"] for each in store.trash("task")) else "no trash"
        if rest == "clash":
            return "clash" if any(self.ids["T"] in self.of_clash(each) for each in store.indexes.clashes()) else "none"
        if name == "content":
            document = store.get_document(self.ids["D"])
            value: Any = document.content if document is not None else "(deleted)"
        elif task is None:
            value = "(deleted)"
        elif name == "parent":
            value = "".join(key for key, each in self.ids.items() if each == task.parent_id)
        elif name == "tags":
            value = ", ".join(sorted(each.removesuffix(f" {self.number}") for each in task.tags or ()))
        elif name == "links":
            value = len(store.links(task_id=self.ids["T"]))
        elif name == "link":
            (value,) = (each.relationship_type for each in store.links(task_id=self.ids["T"]))
        elif name.startswith("metadata."):
            value = task.metadata.get(name.removeprefix("metadata."), "")
        else:
            value = getattr(task, name)
        return f"{expected.rpartition(': ')[0]}{': ' if whose else ''}{name}={value}"

    @staticmethod
    def of_clash(clash: edda.Clash) -> tuple[str, ...]:
        return clash.shown, *clash.withheld

    def keeps(self, store: StorageEngine) -> list[str]:
        """Return what a device keeps, as the page has it."""
        names = {each: name for name, each in self.ids.items()}
        tags = {values.tag_id(self.tag("work"))}
        return [
            f"{each.field.replace(self.ids['D'], 'D')}{'' if each.position is None else f' {each.shown.value}'}: "
            + " / ".join(
                names.get(kept.value, str(kept.value or "")).removesuffix(f" {self.number}") for kept in each.kept
            )
            for each in store.conflicts()
            if each.id in {*self.ids.values(), *tags}
        ]


PLACES: Final = [Place(number, row) for number, row in enumerate(ROWS, start=1)]


@pytest.fixture(scope="module", params=list(itertools.permutations(PAIRS)), ids=str)
def met(request: pytest.FixtureRequest) -> Iterator[tuple[StorageEngine, ...]]:
    """Three devices: two did what the rows say, and then all met in some order."""
    clock = itertools.count(START)
    with devices(3, backend="memory", now=lambda: float(next(clock))) as three:
        three[0].indexes.create("tickets", [f"metadata.{WITH_INDEX}"], unique=True)
        for place in PLACES:
            place.make(three[0])
        for _ in range(2):
            sync(three[0], three[1])
            sync(three[0], three[2])
        for place in PLACES:
            for store, operations in ((three[0], place.row.one), (three[1], place.row.other)):
                for each in operations:
                    place.do(store, each)
        for first, second in (*request.param, *PAIRS, *PAIRS):
            sync(three[first], three[second])
        yield three


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.row.name)
def test_all_devices_show_what_the_page_says(met: tuple[StorageEngine, ...], place: Place) -> None:
    for store in met:
        assert [place.shows(store, each) for each in place.row.shown[0]] in place.row.shown
        assert place.keeps(store) in place.row.kept


def test_the_devices_hold_the_same_and_list_the_same(met: tuple[StorageEngine, ...]) -> None:
    first, *others = met
    for other in others:
        assert (other.digest(), other.conflicts()) == (first.digest(), first.conflicts())


def test_the_page_has_every_pair_that_people_make() -> None:
    wanted = (
        "set, set", "set, delete", "edit, edit, apart", "edit, edit, beside", "edit, edit, over", "edit, edit, the same",
        "two first texts", "tag, untag", "rename, rename of a tag", "move, move", "link, delete", "complete, reopen",
        "the same unique value",
    )  # fmt: skip
    assert {*wanted} <= {row.name for row in ROWS}
