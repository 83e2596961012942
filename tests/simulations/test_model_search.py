from __future__ import annotations

from collections.abc import Iterable

from edda_sync.simulations.model_search import search


def test_a_search_sees_every_state_once_and_finds_the_shortest_way_to_a_bad_one() -> None:
    def following(state: int) -> Iterable[int]:
        return min(state + 1, 20), min(2 * state, 20)

    whole = search(1, following, lambda _: "")
    assert (whole.states, whole.steps, whole.whole, whole.wrong) == (20, 40, True, "")
    found = search(1, following, lambda state: "twelve" if state == 12 else "")
    assert (found.wrong, found.path, found.whole) == ("twelve", (1, 2, 3, 6, 12), False)
    assert not search(1, following, lambda _: "", states_max=5).whole
