"""What a run keeps of its backups."""

from __future__ import annotations

from edda_sync.simulations.backups import FIRST_NEW, Backups
from edda_sync.simulations.keys import identity_of
from tests.simulations.playing import count, held, play


def test_new_identities_and_codes_are_the_same_in_every_run_and_all_different() -> None:
    one, other = (Backups(lambda: 0.0, lambda _delay_s, _work: None) for _ in range(2))
    assert [one.new_identity().device for _ in range(3)] == [other.new_identity().device for _ in range(3)]
    assert one.new_identity().device == identity_of(FIRST_NEW + 4).device
    assert one.new_code().words == other.new_code().words != one.new_code().words


def test_a_run_with_backups_does_the_same_each_time() -> None:
    actions = ["add task", "back up", "edit task", "back up", "place shared", "verify"]
    first, again = play(actions, seed=7)[0], play(actions, seed=7)[0]
    held(first)
    assert first.digest == again.digest


def test_the_proof_outlives_the_process_and_its_loss_costs_nothing() -> None:
    verdict, recording, sim = play(["add task", *["back up"] * 6, "kill", "forget the proof", *["back up"] * 4])
    held(verdict)
    assert count(recording, "cannot") == 0
    assert len(sim.backups.made) >= 3
