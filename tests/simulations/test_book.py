from __future__ import annotations

from edda_sync.simulations.book import Book, Fate
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Tape
from edda_sync.words.model import Task
from tests.simulations.lying import CALM


def test_a_word_is_written_once_and_is_doubtful_until_somebody_acknowledges_it() -> None:
    book = Book()
    words = [book.word() for _ in range(10)]
    assert len(set(words)) == 10
    assert {book.words[word] for word in words} == {Fate.DOUBTFUL}


def test_a_change_after_a_fork_may_differ_and_one_before_it_not() -> None:
    book = Book()
    book.forked.add((b"a" * 16, 5))
    assert [book.is_forked((b"a" * 16, seq)) for seq in (4, 5, 6)] == [False, True, True]
    assert not book.is_forked((b"b" * 16, 6))


def test_a_devices_changes_are_its_own_and_all_devices_hold_them_in_the_end() -> None:
    def script(sim: Simulation) -> float:
        laptop = sim.devices[0]
        sim.at(5, lambda: laptop.act(lambda engine: engine.create_task(Task(title=sim.book.word()))))
        return 8

    sim = Simulation(Tape(2, calm=True), (), (), script=script, profile=CALM)
    assert sim.run().violation is None
    book = sim.book
    own = {dot for dot in book.made if book.makers[dot[0]] == "laptop"}
    acknowledged = set(book.acknowledged_by["laptop"].values())
    assert acknowledged
    assert acknowledged <= own, "nobody waits for the change that founds the workspace"
    assert {book.made[dot] for dot in own} <= set(book.held["tablet"])
    assert all(book.hashes[dot] == digest for dot, digest in book.made.items())
