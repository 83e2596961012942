from __future__ import annotations

from collections.abc import Iterable

from edda_sync.simulations import model
from edda_sync.simulations.model import Bounds, Model
from edda_sync.simulations.model_search import search


def test_devices_that_change_places_make_no_new_state() -> None:
    """Without symmetry there are several times as many worlds, and each has its stand-in in the smaller set."""
    folded, plain = (Model(Bounds(writes=2, saves=1, restores=1)) for _ in range(2))
    few = search(folded.start(), folded.following, folded.wrong_with).states
    seen = set[model.World]()

    def following(world: model.World) -> Iterable[model.World]:
        seen.add(plain.canonical(world))
        return [after for _, after in plain.happening(world)]

    many = search(plain.start(), following, plain.wrong_with).states
    assert len(seen) == few
    assert 4 * few < many <= 6 * few
