from __future__ import annotations

from itertools import count
from random import Random

import pytest

from edda_sync.store.rocks.layers import Layer, merged, pushed
from edda_sync.store.rocks.view import View
from tests.store.rocks.model import Model, steps
from tests.store.rocks.test_view import do, nothing, said
from tests.store.samples import entity, record


@pytest.mark.parametrize("seed", range(20))
def test_however_layers_are_merged_they_say_the_same(seed: int) -> None:
    random, model, layers = Random(seed), Model(), list[Layer]()
    serials = count(1)
    for _ in range(6):
        layer = Layer()
        for step in steps(random, random.randrange(12), serials):
            model.do(step)
            do(View(nothing(), [*layers, layer]), layer, step)
        layers.append(layer)
    ways = [layers]
    for at in range(5):
        ways.append([*layers[:at], merged(layers[at], layers[at + 1]), *layers[at + 2 :]])
    pile: tuple[Layer, ...] = ()
    for layer in layers:
        pile = pushed(pile, layer)
    ways.append(list(pile))
    for way in ways:
        assert said(View(nothing(), way)) == model.said()


def test_merging_leaves_both_layers_as_they_were() -> None:
    older, newer = Layer(), Layer()
    older.put([record(1)], {entity(1): False})
    newer.drop([entity(1)])
    assert merged(older, newer).entries == {}
    assert list(older.entries) == [entity(1)]
    assert newer.dropped == {entity(1)}


def test_many_small_layers_become_few() -> None:
    pile: tuple[Layer, ...] = ()
    for number in range(1_000):
        layer = Layer()
        layer.put([record(number)], {entity(number): False})
        pile = pushed(pile, layer)
    assert len(pile) <= 11
    assert sum(len(layer.entries) for layer in pile) == 1_000


def test_an_empty_layer_adds_nothing() -> None:
    assert pushed((), Layer()) == ()
