"""Unique indexes in a simulation: what people do with them, and what liars write."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from edda_sync.crdt import uniques
from edda_sync.crdt.keys import id_text_of
from edda_sync.fold.uniques import Uniques
from edda_sync.simulations import claiming, oracle_uniques
from edda_sync.simulations.catalogue import ACTIONS
from edda_sync.simulations.checkers.uniqueness import Held, Unshared
from edda_sync.simulations.claiming import LIES, Claiming
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import INDEXES, Tape
from edda_sync.words.errors import ClashError, InvalidValueError


def test_a_part_of_all_runs_has_unique_indexes_and_the_choice_disturbs_no_other() -> None:
    runs = [Simulation(Tape(seed), ACTIONS, ()) for seed in range(60)]
    assert 3 < sum(run.tape.has(INDEXES) for run in runs) < 30
    assert [run.tape.profile(["moves"]) for run in runs] == [Tape(seed).profile(["moves"]) for seed in range(60)]


def test_people_make_indexes_and_some_of_what_they_write_is_refused_and_some_clashes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = Counter[str]()
    forbids, withheld = Held.forbids, oracle_uniques.withheld

    def forbidding(held: Held, written: Any) -> list[str]:
        found = forbids(held, written)
        seen["forbidden" if found else "accepted"] += 1
        return found

    def withholding(*of: Any) -> set[tuple[str, bytes, str]]:
        found = withheld(*of)
        seen["withheld"] += len(found)
        return found

    monkeypatch.setattr(Held, "forbids", forbidding)
    monkeypatch.setattr(oracle_uniques, "withheld", withholding)
    for seed in range(3):
        assert played(seed).violation is None
    assert min(seen["forbidden"], seen["accepted"], seen["withheld"]) > 0, seen


def played(seed: int) -> Verdict:
    """Play a run in which nothing else happens."""
    tape = Tape(seed, calm=True, backend="memory", beside=(INDEXES,))
    return Simulation(tape, (), (Unshared,), script=lambda _: claiming.WHEN_S[1], plans=(Claiming,)).run()


def never(uniques: Uniques, *, is_last: bool) -> None:
    del uniques, is_last


def always(uniques: Uniques, *, is_last: bool) -> None:
    del is_last
    for key in uniques._forbidden if uniques._reader.uniques.settings() else ():
        raise ClashError("index", "task", ["title"], id_text_of(key), id_text_of(key))


@pytest.mark.parametrize("refuse", [never, always])
def test_a_device_that_refuses_nothing_or_everything_is_noticed(refuse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Uniques, "check", refuse)
    violations = (played(seed).violation for seed in range(6))
    assert next(each.number for each in violations if each is not None) == Unshared.number


@pytest.mark.parametrize("lie", LIES, ids=str)
def test_what_a_liar_writes_is_an_index_of_a_known_definition_or_none(lie: dict[str, Any]) -> None:
    taken = []
    for name, record in lie.items():
        try:
            uniques.check_cell(name, record)
        except InvalidValueError:
            continue
        taken.append(record)
    assert set(taken) <= {*oracle_uniques.OF_RECORD, None}
    assert len(taken) == len(lie) or lie not in LIES[:2]
