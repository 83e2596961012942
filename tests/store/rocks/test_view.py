"""What a view says, over every mixture of layers and a table, is what a plain model says; so is what a settlement leaves."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import Path
from random import Random
from typing import Any

import pytest

from edda_sync.store.rocks import keys, settling
from edda_sync.store.rocks.base import Base, Lost, Nothing
from edda_sync.store.rocks.layers import Layer, merged
from edda_sync.store.rocks.sealed import SealedTable
from edda_sync.store.rocks.view import View
from edda_sync.words.errors import LostStatesError
from tests.store.rocks.codes import CODE
from tests.store.rocks.model import KEYS, Model, Step, all_names, steps
from tests.store.samples import entity, record


class Plain:
    """A table in memory."""

    key_id = b""

    def __init__(self) -> None:
        self.held: dict[bytes, bytes] = {}

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        for key in deletes:
            self.held.pop(key, None)
        self.held |= puts

    def get(self, wanted: list[bytes]) -> list[bytes | None]:
        return [self.held.get(key) for key in wanted]

    def scan(self, prefix: bytes, start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        yield from sorted(each for each in self.held.items() if each[0].startswith(prefix) and each[0] >= start)

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        yield from self.held.items()


class Sealed(SealedTable):
    """A sealed table in memory."""

    def __init__(self) -> None:
        self.below = Plain()
        super().__init__(self.below, CODE, Path("folder"))

    def write(self, puts: dict[bytes, bytes], deletes: list[bytes]) -> None:
        sealed = {CODE.key(key): CODE.seal(key, value) for key, value in puts.items()}
        self.below.write(sealed, [CODE.key(key) for key in deletes])
        self._order = None  # a folder does not change while it is open


def nothing() -> Base:
    return Base(Nothing(), b"", 0)


def do(view: View, layer: Layer, step: Step) -> None:
    """Do to a layer, which is the top of a view, what the writer does."""
    what, *of = step
    if what == "put":
        layer.put([of[0]], {of[0].key: of[1]})
    elif what == "append":
        layer.append(of[0][0], of[0][1:], of[1])
    elif what == "text":
        (key, *name), serial, state = of
        newer = view.newer_edits(key, (name[0], name[1]), serial)
        layer.put_text(key, (name[0], name[1]), (serial, state), newer)
    elif what == "drop":
        layer.drop([of[0]])
    else:
        layer.clear()


def said(view: View) -> dict[str, Any]:
    return {
        "get": {key: entry[0] for key, entry in view.get(KEYS).items()},
        "scan": list(view.scan(None, b"")),
        "texts": view.texts(),
        "text": {(name, n): view.text(name[0], name[1:], n) for name in all_names() for n in (-1, 0, 3, 50)},
        "hidden": view.marked(keys.HIDDENS, "task"),
        "hidden_count": len(view.marked(keys.HIDDENS)),
        "conflicted": view.marked(keys.CONFLICTS),
        "ending": view.ending("task", entity(2)[-3:]),
    }


@pytest.mark.parametrize("kind", [Plain, Sealed])
@pytest.mark.parametrize("seed", range(60))
def test_layers_over_a_table_say_what_was_done_before_and_after_each_settlement(
    seed: int, kind: type[Plain] | type[Sealed]
) -> None:
    random, model, serials = Random(seed), Model(), count(1)
    table, layers = kind(), list[Layer]()
    for _ in range(random.randrange(3, 9)):
        layer = Layer()
        for step in steps(random, random.randrange(10), serials):
            model.do(step)
            do(View(Base(table, b"", 0), [*layers, layer]), layer, step)
        layers.append(layer)
        assert said(View(Base(table, b"", 0), layers)) == model.said()
        if random.random() < 0.5:
            settled = Layer()
            for layer in layers:
                settled = merged(settled, layer)
            if settled.cleared:
                table = kind()
            table.write(*settling.changes(settled, None if settled.cleared else Base(table, b"", 0)))
            layers = []
            assert said(View(Base(table, b"", 0), [])) == model.said()


@pytest.mark.parametrize("kept", [Plain, Sealed])
def test_a_scan_begins_after_a_key_and_stays_in_its_kind(kept: type[Plain] | type[Sealed]) -> None:
    layer, table = Layer(), kept()
    for number, kind in ((1, "task"), (3, "task"), (2, "document")):
        key = entity(number, kind)
        table.write({keys.STATES + key: keys.state((record(number, kind), False))}, [])
    layer.put([record(2), record(1, "document")], {entity(2): False, entity(1, "document"): False})
    view = View(Base(table, b"", 0), [layer])
    assert [each.key for each in view.scan("task", b"")] == [entity(1), entity(2), entity(3)]
    assert [each.key for each in view.scan("task", entity(1))] == [entity(2), entity(3)]
    assert [each.key for each in view.scan("task", entity(3, "document"))] == []
    assert [each.key for each in view.scan(None, entity(3))] == [entity(1, "document"), entity(2, "document")]


def test_a_lost_table_raises_only_where_something_of_it_is_asked_for() -> None:
    lost = Base(Lost(LostStatesError("folder", "it is missing")), b"", 0)
    layer = Layer()
    layer.put([record(1)], {entity(1): False})
    view = View(lost, [layer])
    assert list(view.get([entity(1)])) == [entity(1)]
    for ask in (lambda: view.get([entity(2)]), lambda: list(view.scan(None, b"")), view.texts):
        with pytest.raises(LostStatesError, match="it is missing"):
            ask()
    layer.clear()
    assert View(lost, [layer]).get([entity(2)]) == {}
    assert list(View(lost, [layer]).scan(None, b"")) == []
