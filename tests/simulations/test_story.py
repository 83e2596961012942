from __future__ import annotations

from edda_sync.simulations.book import Fate
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.story import adds, changes, known, notes, parts, renames, tags, types
from edda_sync.simulations.tape import Tape
from edda_sync.words.query import DocumentQuery, TaskQuery
from tests.simulations.acting import Notes
from tests.simulations.lying import CALM


def test_a_story_does_what_it_says_and_the_book_knows_every_word() -> None:
    seen: list[object] = []

    def script(sim: Simulation) -> float:
        laptop, phone, _ = sim.devices

        def look() -> None:
            (task,) = laptop.running.query_tasks(TaskQuery())
            (document,) = laptop.running.query_documents(DocumentQuery())
            seen.extend((task.id, task.title, task.status, set(task.tags or ()), document.content))

        adds(sim, 5, laptop, "tent", priority=1)
        renames(sim, 6, laptop, "tent", "rope")
        changes(sim, 7, laptop, "marks it done", "tent", status="done")
        tags(sim, 8, laptop, "tent", "trip")
        tags(sim, 9, laptop, "tent", "home")
        tags(sim, 10, laptop, "tent", "home", off=True)
        notes(sim, 11, phone, "list", "one")
        types(sim, 12, phone, "list", " two")
        types(sim, 13, phone, "list", "zero ", first=True)
        sim.at(40, look)
        return 41

    sim = Simulation(Tape(1, calm=True), (), (), script=script, profile=CALM)
    assert sim.run().violation is None
    assert seen == [known("tent"), "rope", "done", {"trip"}, "zero one two"]
    assert {word for word, fate in sim.book.words.items() if fate is Fate.ACKNOWLEDGED} == {
        "tent", "rope", "trip", "home", "list", "one", "two", "zero",
    }  # fmt: skip


def test_an_impossible_action_is_noted_and_its_words_stay_doubtful() -> None:
    recorder = Notes()

    def script(sim: Simulation) -> float:
        renames(sim, 5, sim.devices[0], "nothing", "rope")
        return 6

    sim = Simulation(Tape(1, calm=True), (), (), script=script, profile=CALM, recorder=recorder)
    assert sim.run().violation is None
    assert recorder.count["cannot"] == 1
    assert sim.book.words["rope"] is Fate.DOUBTFUL


def test_devices_that_part_do_not_hear_each_other_for_the_given_time() -> None:
    blocked: list[bool] = []

    def script(sim: Simulation) -> float:
        laptop, phone, tablet = sim.devices
        parts(sim, 5, ((laptop,), (phone, tablet)), 10)
        for at_s in (4, 6, 16):
            sim.at(at_s, lambda: blocked.append(sim.network.is_blocked(laptop, phone)))
            sim.at(at_s, lambda: blocked.append(sim.network.is_blocked(phone, tablet)))
        return 20

    assert Simulation(Tape(1, calm=True), (), (), script=script, profile=CALM).run().violation is None
    assert blocked == [False, False, True, False, False, False]
