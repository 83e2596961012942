"""Questions that an index answers, each with SQL that finds the same by a scan, and the tasks that they are asked about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import edda_sync as edda
from benchmarks.measure import Source
from edda_sync.words import values

PAGE: Final = 50
PARENTS: Final = 20
_DUE_DAYS: Final = 28
PLACE: Final = (47.05, 8.3)
_LAT: Final = "json_extract(metadata, '$.location.lat')"
_LON: Final = "json_extract(metadata, '$.location.lon')"
_DISTANCE: Final = f"abs({_LAT} - {PLACE[0]}) + abs({_LON} - {PLACE[1]})"  # near enough, for a scan
_ORDER: Final = "priority, due_date IS NULL, due_date, created_at, id"
_ACTIVE: Final = "status IN ('open', 'in_progress')"


class Question(NamedTuple):
    """
    One question.

    Attributes:
        name: What is asked for.
        query: How edda-sync is asked.
        where: The condition in SQL; ``{}`` is where a scan says that it uses no index.
        parameters: Its parameters.
        order: The order in SQL.
        has_raw_index: Whether one of the specification's indexes answers it.
        own_index: The index that is made for it, which only this store has: its name, column, and the name of its type.
    """

    name: str
    query: edda.TaskQuery
    where: str
    parameters: Sequence[Any] = ()
    order: str = _ORDER
    has_raw_index: bool = True
    own_index: tuple[str, str, str] | None = None

    def sql(self, *, scan: bool) -> str:
        """Return a statement for raw SQLite, which uses the indexes that are there, or none."""
        hint = " NOT INDEXED" if scan else ""
        return f"SELECT * FROM tasks{hint} WHERE {self.where.format(hint)} ORDER BY {self.order} LIMIT {PAGE}"


def questions(parent: str, word: str, raw: bool) -> list[Question]:
    """
    Return the questions for a store.

    Args:
        parent: The id of a parent there.
        word: A word that some texts there have.
        raw: Whether it is a raw store, where a tag's id is its name.
    """
    asked: Any = edda.TaskQuery
    rare = "rare"
    tag = rare if raw else values.tag_id(rare)
    tagged = "id IN (SELECT entity_id FROM entity_tags{} WHERE entity_type = 'task' AND tag_id = ?)"
    date = due(_DUE_DAYS // 2)
    found = [
        Question(f"the {PAGE} most urgent", edda.MOST_URGENT, _ACTIVE),
        Question(f"{PAGE} done", asked(status="done", limit=PAGE), "status = 'done'"),
        Question(f"the {PAGE} changed last", asked(order="updated_at", descending=True, limit=PAGE), "1", (),
                 "updated_at DESC, id DESC"),
        Question(f"the {PAGE} due from a day on", asked(due_from=date, order="due_date", limit=PAGE), "due_date >= ?",
                 (date,), "due_date, id"),
        Question("the subtasks of a parent", asked(parent=parent, limit=PAGE), "parent_id = ?", (parent,)),
        Question("those with a rare tag", asked(tags=rare, limit=PAGE), tagged, (tag,)),
        Question("those with a word", asked(text=word, limit=PAGE), "(title LIKE ?1 OR description LIKE ?1)",
                 (f"%{word}%",), has_raw_index=False),
    ]  # fmt: skip
    if hasattr(edda, "IndexType"):  # so that this also runs beside a tree that cannot make indexes
        note = note_of(7)
        effort, same = ("effort", "metadata.effort", "BTREE"), ("note", "metadata.note", "HASH")
        found += [
            Question("those of least effort", asked(where=[("metadata.effort", "<", 3)], limit=PAGE),
                     "json_extract(metadata, '$.effort') < 3", (), _ORDER, False, effort),
            Question("the one with a long note", asked(where=[("metadata.note", "=", note)], limit=PAGE),
                     "json_extract(metadata, '$.note') = ?", (note,), _ORDER, False, same),
            Question(f"the {PAGE} nearest to a place", asked(near=PLACE, within=20_000_000, limit=PAGE),
                     f"{_LAT} IS NOT NULL", (), _DISTANCE, False, ("places", "metadata.location", "SPATIAL")),
        ]  # fmt: skip
    return found


def note_of(number: int) -> str:
    """Return a long text that only one task has."""
    return f"{'as long as what people write into such fields, and a little longer; ' * 3}number {number}"


def dataset(count: int) -> list[edda.Task]:
    """
    Return tasks: a third done, a fifth due within four weeks, one in 500 with a rare tag. One in ten says its effort, has a
    note, and a place.
    """
    tasks = Source().tasks(count)
    for number, task in enumerate(tasks):
        task.status = "done" if number % 3 == 0 else "open"
        if number % 5 == 0:
            task.due_date = due(number % _DUE_DAYS)
        if number % 10 == 7:
            place = {"lat": PLACE[0] + number % 97 / 97, "lon": PLACE[1] + number % 89 / 89}
            task.metadata = {"effort": number % 1_000 / 10, "note": note_of(number), "location": place}
        if number % 500 == 0:
            assert isinstance(task.tags, set)
            task.tags.add("rare")
    return tasks


def due(day: int) -> str:
    """Return a day of four weeks."""
    return values.time("due_date", f"2026-04-{day + 1:02}")
