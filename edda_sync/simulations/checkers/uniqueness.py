"""Unique indexes: every device shows a value on the same item, keeps what the others hold, and lists the clash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from edda_sync.crdt.keys import key_of
from edda_sync.crdt.state import entity_of
from edda_sync.simulations import oracle_uniques
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.checkers.meaning import unfolded_in, whole_log
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.oracle import Oracle
from edda_sync.simulations.oracle_uniques import Clashing, Value
from edda_sync.store.seams import StoreReader
from edda_sync.words import values
from edda_sync.words.model import COLUMNS
from edda_sync.workspace.keys import WORKSPACE_KEY

Item = tuple[str, str]
"""The kind and id of a task or document."""
Cells = Mapping[str, Any]
"""The values that a write gives to some cells of an item, as the cells hold them."""
KEYS: Final = "metadata."
TABLES: Final = {"task": "tasks", "document": "documents"}


class Unshared(Checker):
    """At any time a device shows a value on the least id that holds it; in the end all is kept, and clashes are listed."""

    number = 27

    def changed(self, device: SimulatedDevice) -> None:
        """Compare what a device shows with what follows from the items and settings that it holds."""
        if device.disk.rotten:
            return
        with device.running.store.read() as reader:
            if not reader.uniques.settings():
                return
            held = Held(reader)
            if sorted(held.indexes) != sorted(reader.uniques.settings()):
                self.fail(device, f"follows {sorted(reader.uniques.settings())}, and {sorted(held.indexes)} count")
            shown = {kind: reader.tables.all(table) for kind, table in TABLES.items()}
        for (kind, name), shows in sorted(held.shows().items()):
            at = COLUMNS[kind].index("metadata")
            row = next((each for each in shown[kind] if each[0] == name), None)
            found = None if row is None else set(msgspec.json.decode(row[at] or "{}"))
            if found != shows:
                said = None if found is None else sorted(found)
                self.fail(device, f"shows {said} of the {kind} {name}, and should show {sorted(shows)}")

    def ended(self) -> None:
        """Compare with the oracle what every device shows, keeps and lists."""
        if not any(_is_indexed(device) for device in self.sim.honest()):
            return
        found = whole_log(self)
        if found is None:
            return
        with found[0].running.store.read() as reader:
            unfolded = unfolded_in(reader)
        oracle = Oracle(found[1], unfolded, found[0].running.workspace)
        for device in self.sim.honest():
            self._compare(device, oracle)

    def _compare(self, device: SimulatedDevice, oracle: Oracle) -> None:
        engine = device.running
        with engine.store.read() as reader:
            records, withheld = reader.uniques.settings(), reader.uniques.clashes()
            lost = [each for each in oracle.clashes if not _is_kept(reader, oracle, each)]
        followed = sorted(each.name for each in engine.indexes.list() if each.unique)
        if sorted(records) != sorted(oracle.uniques) or followed != sorted(records):
            self.fail(device, f"follows {followed}, and {sorted(oracle.uniques)} count")
        if any(records[name] != each.record for name, each in oracle.uniques.items()):
            self.fail(device, "follows another definition of an index than the one that counts")
        listed = sorted((each.index, each.shown, *each.withheld) for each in engine.indexes.clashes())
        means = sorted((each.name, *map(values.id_text, each.items)) for each in oracle.clashes)
        if listed != means:
            self.fail(device, f"lists {listed} as clashes, and they are {means}")
        if withheld != sum(len(each.items) - 1 for each in oracle.clashes):
            self.fail(device, f"counts {withheld} values that are withheld")
        if lost:
            self.fail(device, f"has lost what one of {_named(lost[0])} holds")


def _is_indexed(device: SimulatedDevice) -> bool:
    with device.running.store.read() as reader:
        return bool(reader.uniques.settings())


def _is_kept(reader: StoreReader, oracle: Oracle, clash: Clashing) -> bool:
    """Tell whether the items of a clash hold what they claim, although only one of them shows it."""
    held = reader.states.get([key_of(clash.on, item) for item in clash.items])
    entities = [entity_of(each.key, each.state) for each in held.values() if not each.hidden]
    columns = oracle.uniques[clash.name].columns
    return len(entities) == len(clash.items) and all(
        entity.value(column) == oracle.kept(clash.on, entity.id, column) for entity in entities for column in columns
    )


def _named(clash: Clashing) -> list[str]:
    return [values.id_text(each) for each in clash.items]


class Held:
    """What a device holds: its visible items, and the indexes that it follows."""

    def __init__(self, reader: StoreReader) -> None:
        self._shown = {
            (kind, values.id_text(entity.id)): entity
            for kind in ("task", "document")
            for each in reader.states.scan(kind)
            if not each.hidden
            for entity in [entity_of(each.key, each.state)]
        }
        workspace = reader.meta.get(WORKSPACE_KEY)
        found = {} if workspace is None else reader.states.get([key_of("workspace", workspace)])
        cells = {}
        for each in found.values():
            entity = entity_of(each.key, each.state)
            cells = {cell: entity.value(cell) for cell in entity.cells}
        self.indexes = oracle_uniques.in_effect(cells)

    def _values(self) -> dict[Item, Value]:
        return {item: entity.value for item, entity in self._shown.items()}

    def get(self, item: Item) -> Value | None:
        """Return the cells of a visible item; None if there is none."""
        return self._shown[item].value if item in self._shown else None

    def items(self) -> Sequence[tuple[str, bytes, Value]]:
        """Return kind, id and cells of every visible item."""
        return [(kind, values.id_bytes("id", name), value) for (kind, name), value in self._values().items()]

    def shows(self) -> dict[Item, set[str]]:
        """Return the keys of metadata that each visible item shows."""
        found = {
            item: {
                cell[len(KEYS) :] for cell in entity.cells if cell.startswith(KEYS) and entity.value(cell) is not None
            }
            for item, entity in self._shown.items()
        }
        clashes = oracle_uniques.clashes(self.indexes, self.items())
        for kind, name, cell in oracle_uniques.withheld(self.indexes, clashes):
            found[kind, values.id_text(name)].discard(cell[len(KEYS) :])
        return found

    def forbids(self, written: Mapping[Item, Cells]) -> list[str]:
        """Return the indexes under which an item that is written would newly claim what another one has in the end."""
        after = {**self._values(), **{item: _over(self.get(item), cells) for item, cells in written.items()}}
        found = []
        for name, index in self.indexes.items():
            claims = {item: index.claim(value) for item, value in after.items() if item[0] == index.on}
            for item in written:
                before = self.get(item)
                claim = claims.get(item)
                is_new = claim is not None and (before is None or index.claim(before) != claim)
                if is_new and list(claims.values()).count(claim) > 1:
                    found.append(name)
        return found


def _over(below: Value | None, cells: Cells) -> Value:
    return lambda cell: cells[cell] if cell in cells else None if below is None else below(cell)
