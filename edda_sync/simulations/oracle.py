"""
The oracle: what a log means, computed in the slowest and simplest way from the definitions of the data types alone.

It shares no code with the product's fold; ``oracle_log`` reads what the log says of each thing. A write of a cell counts
unless another write of that cell has it in its past. Of those that count, the one with the greatest stamp is visible. A tag
or link exists if any of them adds it. An entity is hidden if a deletion has seen every operation on it. Of each ring of
parents, the edge with the greatest stamp and id is left out; so is an edge to a hidden or missing entity. An edit of a text
is a write of its cell, and replaces writes of the same text and of an empty one. A text reads as Yjs shows it after its
edits (``oracle_texts``). A value that another item shows under a unique index is left out (``oracle_uniques``).

A task and a document with one id are two things. The oracle is told which edits their texts refused, because the order
within texts has tests of its own. It says nothing about a text that a forked chain wrote into.

Source: Shapiro et al. 2011, "A comprehensive study of convergent and commutative replicated data types": multi-value
register, add-wins set, and their concurrent semantics.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import Any, Final

from edda_sync.simulations import oracle_places, oracle_texts, oracle_uniques
from edda_sync.simulations.oracle_log import TEXTS, OracleLog, Place, Stamp, Thing, Write, value_of
from edda_sync.simulations.oracle_places import Edited
from edda_sync.simulations.oracle_uniques import Clashing, Definition
from edda_sync.store.seams import Logged
from edda_sync.words import values

Shown = dict[str, Any]

UNTOLD: Final = object()
"""Stands for a text about which the oracle says nothing."""

OWN_SIBLINGS: Final = ("tag.", "file.", "created_at", "record")  # several values of these are no conflict
DEFAULTS: Final[Shown] = {
    "title": values.TITLE_DEFAULT,
    "status": values.STATUS_DEFAULT,
    "priority": values.PRIORITY_DEFAULT,
}


class Oracle:
    """
    Computes what a log means.

    Args:
        log: Changes with their bodies, in any causal order.
        untaken: Edits that their texts refused.
        workspace: The id of the workspace whose settings count; by default, none do.

    Attributes:
        unfolded: The operations without effect, or with unknown cells; for each, whether that is final.
        uniques: The unique indexes that count, by name.
        clashes: Where several items claim the same under them.
    """

    def __init__(
        self, log: Iterable[tuple[Logged, bytes]], untaken: Collection[Place] = (), workspace: bytes = b""
    ) -> None:
        self._log = OracleLog(log, untaken)
        self.unfolded = self._log.unfolded
        self.uniques: dict[str, Definition] = {}
        settings = self._log.things.get(("workspace", workspace))
        if settings is not None:
            self.uniques = oracle_uniques.in_effect({cell: self.visible(settings, cell) for cell in settings.writes})
        self.clashes: list[Clashing] = oracle_uniques.clashes(self.uniques, self._items()) if self.uniques else []
        self._withheld = oracle_uniques.withheld(self.uniques, self.clashes)

    def visible(self, thing: Thing, cell: str, default: Any = None) -> Any:
        """Return the visible value of a cell."""
        siblings = self._log.siblings(thing, cell)
        return max(siblings, key=lambda write: write.stamp).value if siblings else default

    def conflicts(self) -> set[tuple[str, str]]:
        """
        Return the cells of visible things that have several different values, as id and cell; and the things that were
        deleted though they are shown, and the tags that were renamed twice at once, as id and ``deleted`` or ``renamed``.
        """
        found = {
            (values.id_text(thing.name), "renamed" if thing.hidden else "deleted")
            for thing in self._log.things.values()
            if self._log.open_deletions(thing) and (not thing.hidden or self._is_two_tags(thing))
        }
        for thing in self._log.things.values():
            for cell in () if thing.hidden else thing.writes:
                values_of = {repr(value_of(thing, cell, write)) for write in self._log.siblings(thing, cell)}
                held = values_of - {repr(None)} if cell.startswith("link.") else values_of
                if len(held) > 1 and not cell.startswith(OWN_SIBLINGS):
                    found.add((values.id_text(thing.name), cell))
        return found

    def _is_two_tags(self, old: Thing) -> bool:
        """Tell whether a tag that is gone was renamed twice at once, and an item that both renamed carries both."""
        if old.kind != "tag":
            return False
        carried, shown = self.edges("tag.", "tag"), self.tags()
        given = [self._given(old, deletion) for deletion in self._log.open_deletions(old)]
        renames = [
            each for each in given if len({tag for _, tag in each}) == 1 and {tag for _, tag in each} <= shown.keys()
        ]
        still = [{(item, tag) for item, tag in each if (item, tag) in carried} for each in renames]
        return any(
            item == other and tag != name
            for one, two in itertools.combinations(still, 2)
            for item, tag in one
            for other, name in two
        )

    def _given(self, old: Thing, deletion: Write) -> set[tuple[str, str]]:
        """Return what the change of a deletion of a tag gave to the items from which it took the tag: item and tag."""
        cell, found = f"tag.{values.id_text(old.name)}", set()
        for thing in self._log.things.values():
            taken = {w.number for w in thing.writes.get(cell, ()) if w.change == deletion.change and w.value is None}
            for other, writes in thing.writes.items() if taken else ():
                if other.startswith("tag.") and any(
                    w.change == deletion.change and w.number in taken and w.value is not None for w in writes
                ):
                    found.add((values.id_text(thing.name), other.removeprefix("tag.")))
        return found

    def tasks(self) -> dict[str, Shown]:
        """Return title, description, status, priority, due date, parent and metadata of each visible task, by id."""
        parents = self._parents()
        return {
            values.id_text(name): {
                **{column: self._plain(thing, column) for column in ("title", "status", "priority", "due_date")},
                "description": self._text(thing),
                "parent_id": parents.get(name),
                "metadata": self._metadata(thing),
            }
            for name, thing in self._shown("task").items()
        }

    def documents(self) -> dict[str, Shown]:
        """Return title, content and metadata of each visible document, by id."""
        return {
            values.id_text(name): {
                "title": self._plain(thing, "title"),
                "content": self._text(thing),
                "metadata": self._metadata(thing),
            }
            for name, thing in self._shown("document").items()
        }

    def tags(self) -> dict[str, str]:
        """Return the name of each visible tag, by id."""
        return {values.id_text(n): self.visible(thing, "name", "") for n, thing in self._shown("tag").items()}

    def edges(self, prefix: str, kind: str) -> set[tuple[str, str]]:
        """Return the pairs that tags (``tag.``) or links (``link.``) connect, where both ends are visible."""
        ends = {values.id_text(name) for name in self._shown(kind)}
        found = set()
        for of in ("task", "document"):
            for name, thing in self._shown(of).items():
                for cell in thing.writes:
                    there = any(write.value is not None for write in self._log.siblings(thing, cell))
                    if cell.startswith(prefix) and there and cell[len(prefix) :] in ends:
                        found.add((values.id_text(name), cell[len(prefix) :]))
        return found

    def _shown(self, kind: str) -> dict[bytes, Thing]:
        return {thing.name: thing for thing in self._log.things.values() if thing.kind == kind and not thing.hidden}

    def _plain(self, thing: Thing, column: str) -> Any:
        value = self.visible(thing, column, DEFAULTS.get(column))
        return value[0] if isinstance(value, list) else value  # a status may contain its time of completion

    def places(self) -> tuple[set[tuple[str, str]], set[tuple[str, str]]]:
        """Return the texts of which a place may be listed as a conflict, and those of which one must be, as id and cell."""
        may, must = set[tuple[str, str]](), set[tuple[str, str]]()
        for thing in self._log.things.values():
            shown = None if thing.hidden or thing.kind not in TEXTS else self._edited(thing)
            if shown is None:
                continue
            by_change: dict[bytes, list[bytes]] = {}
            for write, edit in shown[1]:
                by_change.setdefault(write.change, []).append(edit)
            changes = [(self._log.changes[digest], edits) for digest, edits in by_change.items()]
            edited = [Edited(each.hash, each.past, each.actor, tuple(edits)) for each, edits in changes]
            found = oracle_places.judged(shown[0], edited)
            where = values.id_text(thing.name), TEXTS[thing.kind]
            if found[0] or self._is_forked(shown[1]):
                may.add(where)
            if found[1] and not self._is_forked(shown[1]):
                must.add(where)
        return may, must

    def _edited(self, thing: Thing) -> tuple[bytes, list[tuple[Write, bytes]]] | None:
        """Return the name of the text that is shown, with its edits; None if it was never edited."""
        cell = TEXTS[thing.kind]
        siblings = self._log.siblings(thing, cell)
        text = value_of(thing, cell, max(siblings, key=lambda write: write.stamp)) if siblings else None
        if text is None or not any(write.edit is not None and write.value == text for write in siblings):
            return None
        return text, [(each, each.edit) for each in thing.writes[cell] if each.edit is not None and each.value == text]

    def _is_forked(self, edits: Iterable[tuple[Write, bytes]]) -> bool:
        return any(self._log.changes[write.change].actor in self._log.forked for write, _ in edits)

    def _text(self, thing: Thing) -> Any:
        cell = TEXTS[thing.kind]
        edited = self._edited(thing)
        if edited is None:
            return self.visible(thing, cell)
        text, edits = edited
        if self._is_forked(edits):
            return UNTOLD
        starts = [w.value for w in thing.writes[cell] if w.edit is None and value_of(thing, cell, w) == text]
        return oracle_texts.read(text, starts[0], [(self._log.changes[w.change].actor, edit) for w, edit in edits])

    def _metadata(self, thing: Thing) -> dict[str, str]:
        cells = [cell for cell in thing.writes if cell.startswith("metadata.")]
        cells = [cell for cell in cells if (thing.kind, thing.name, cell) not in self._withheld]
        found = {cell.removeprefix("metadata."): self.visible(thing, cell) for cell in cells}
        return {key: value for key, value in found.items() if value is not None}

    def _items(self) -> list[tuple[str, bytes, oracle_uniques.Value]]:
        kinds = ("task", "document")
        return [(kind, name, partial(self.visible, each)) for kind in kinds for name, each in self._shown(kind).items()]

    def kept(self, kind: str, name: bytes, cell: str) -> Any:
        """Return what an item holds in a cell, whether it is shown or not."""
        return self.visible(self._log.things[kind, name], cell)

    def _parents(self) -> dict[bytes, str]:
        """Return each task's parent, after rings are cut."""
        shown = self._shown("task")
        edges: dict[bytes, tuple[Stamp, bytes]] = {}
        for name, thing in shown.items():
            siblings = self._log.siblings(thing, "parent_id")
            if siblings:
                write = max(siblings, key=lambda each: each.stamp)
                if write.value in shown:
                    edges[name] = (write.stamp, write.value)
        for ring in _rings({name: parent for name, (_, parent) in edges.items()}):
            del edges[max(ring, key=lambda name: (edges[name][0], name))]
        return {name: values.id_text(parent) for name, (_, parent) in edges.items()}


def _rings(parents: Mapping[bytes, bytes]) -> list[list[bytes]]:
    """Return the rings of a graph in which each node has one parent, so that no two rings meet."""
    rings: list[list[bytes]] = []
    done: set[bytes] = set()
    for start in parents:
        path: list[bytes] = []
        at: bytes | None = start
        while at is not None and at not in done and at not in path:
            path.append(at)
            at = parents.get(at)
        if at in path:
            rings.append(path[path.index(at) :])
        done.update(path)
    return rings
