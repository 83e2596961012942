"""Scenarios: each runs under every checker, ends proved equal, and shows people what its story says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from edda_sync.simulations.checker import Checker
from edda_sync.simulations.documents import PICTURES
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.recording import Recording
from edda_sync.simulations.scenarios import SCENARIOS
from edda_sync.simulations.story import known
from edda_sync.words.listed import Conflict
from edda_sync.words.model import Document, Task
from edda_sync.words.query import DocumentQuery, TaskQuery

ALL = sorted(SCENARIOS)


@dataclass
class Ending:
    """What people see on the first device at the end; the others are proved equal to it."""

    verdict: Verdict
    recording: Recording
    tasks: dict[str, Task] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    conflicts: list[Conflict] = field(default_factory=list)

    def titles(self) -> set[str]:
        return set(self.tasks)

    def kept(self) -> dict[str, list[Any]]:
        return {each.field: [value.value for value in each.kept] for each in self.conflicts}


def act_out(name: str) -> Ending:
    recording = Recording()
    seen: dict[str, Any] = {}

    class Look(Checker):
        number = 0

        def ended(self) -> None:
            engine = self.sim.honest()[0].running
            seen["tasks"] = {task.title: task for task in engine.query_tasks(TaskQuery())}
            found: list[Document] = engine.query_documents(DocumentQuery())
            seen["documents"] = {document.title: document.content or "" for document in found}
            seen["conflicts"] = engine.conflicts()

    verdict = SCENARIOS[name].simulation(recording, Look).run()
    assert verdict.violation is None, f"{verdict.violation}\n{verdict.trace}"
    assert recording.equal_at is not None
    return Ending(verdict, recording, **seen)


def test_on_the_island_texts_merge_and_the_other_title_is_kept() -> None:
    ending = act_out("island")
    assert ending.documents == {"Trip": "Feed the cat. Ferry at nine. Bring a map. "}
    assert ending.titles() == {"Pack both tents", "Buy rope"}
    assert ending.kept() == {"title": ["Pack the big tent"]}
    assert ending.tasks["Pack both tents"].status == "done"
    assert max(lag for _, lag in ending.recording.lag["laptop"]) == 3


def test_after_two_years_a_deleted_task_that_somebody_worked_on_comes_back() -> None:
    ending = act_out("long-absence")
    assert ending.titles() == {
        "Paint the fence", "Sell the red bike", "Call the dentist", "Paint the shed", "Juggle five balls",
    }  # fmt: skip
    assert ending.tasks["Paint the fence"].status == "done"
    assert ending.verdict.virtual_s > 2 * 365 * 86_400


def test_two_halves_end_with_the_same_answer_and_without_a_ring() -> None:
    ending = act_out("split-brain")
    assert ending.titles() == {"New house", "Roof"}
    assert ending.kept() == {"title": ["Old house"], "status": ["done"]}
    house, roof = ending.tasks["New house"], ending.tasks["Roof"]
    assert (house.parent_id, roof.parent_id) == (None, known("House")), "of the ring the later edge shows as none"
    assert house.tags == {"urgent"}


def test_a_laptop_with_last_weeks_folder_gets_back_what_it_forgot() -> None:
    ending = act_out("put-back-laptop")
    plans = {"Monday’s plan", "Wednesday’s plan", "Friday’s plan", "Next Monday’s plan"}
    assert ending.titles() == plans | {"Call Ida"}
    assert max(lag for _, lag in ending.recording.lag["laptop"]) == 2


def test_agents_write_whole_sets_and_the_diary_is_in_order() -> None:
    ending = act_out("agent-storm")
    assert len(ending.tasks) == 1, "all four tasks have one title"
    assert set(ending.tasks) <= {"plan22", "plan23", "plan24"}, "one of the last three, which were written at once"
    assert [len(conflict.kept) for conflict in ending.conflicts] == [2, 2, 2, 2]
    assert ending.documents["Diary"] == "Today. It rained and we stayed in to read "


def test_a_copied_laptop_and_its_original_both_go_on() -> None:
    ending = act_out("copied-laptop")
    assert ending.titles() == {"Write the short talk", "Book a train", "Print the badge", "Buy a charger"}
    assert ending.conflicts == []
    assert ending.recording.devices == ["laptop", "phone", "laptop's copy"]


def test_a_clock_nine_years_ahead_wins_no_later_edit() -> None:
    ending = act_out("clock-from-2036")
    assert ending.titles() == {"Water the palms"}
    assert ending.tasks["Water the palms"].priority == 1
    assert ending.kept() == {"priority": [3]}


def test_a_full_disk_refuses_and_then_catches_up() -> None:
    ending = act_out("full-disk")
    assert ending.titles() == {"Empty the bin", "Buy a bigger card", "Delete old films", "Film the dog"}
    assert [m.facts["why"] for m in ending.recording.moments if m.what == "refused"] == ["DiskFullError"]


def test_on_the_night_train_every_word_arrives_once_and_in_its_place() -> None:
    ending = act_out("night-train")
    typed = "Night. It was dark. The train left late with one lamp lit and no driver at all "
    written = ending.documents["Story"].split()
    assert sorted(written) == sorted([*typed.split(), "Rain.", "Fog."])
    assert [word for word in written if word in typed.split()] == typed.split()


def test_a_power_cut_before_the_commit_leaves_no_trace_and_after_it_leaves_all() -> None:
    ending = act_out("power-cut")
    assert ending.titles() == {"Do the taxes", "Saved just in time", "Buy a battery"}
    assert [m.device for m in ending.recording.moments if m.what == "crash"] == ["laptop", "laptop"]


def test_a_lost_phone_delivers_its_note_months_later() -> None:
    ending = act_out("lost-phone")
    assert ending.titles() == {"Renew the passport", "Thank Aunt Jo", "Locker 17"}
    assert ending.recording.devices == ["laptop", "phone", "tablet"]


def test_a_deleted_project_comes_back_with_the_work_that_its_deletion_had_not_seen() -> None:
    ending = act_out("delete-or-keep")
    assert ending.titles() == {"Big garden", "Sow grass"}
    assert ending.tasks["Sow grass"].parent_id == known("Garden")


def test_a_restored_laptop_has_its_backup_and_what_the_phone_heard_later() -> None:
    ending = act_out("restored-laptop")
    plans = {"Monday’s plan, done", "Thursday’s plan", "Thursday night’s plan", "Next week’s plan"}
    assert ending.titles() == plans
    assert [m.facts["number"] for m in ending.recording.moments if m.what == "restored"] == [2]


def test_a_cloned_machine_becomes_a_device_of_its_own_and_nothing_of_either_is_lost() -> None:
    ending = act_out("cloned-vm")
    assert ending.titles() == {
        "Write the talk", "Book a train", "Print the badge", "Buy a charger", "Reserve a seat", "Thank the host",
    }  # fmt: skip
    assert ending.conflicts == []


def test_what_only_a_backup_knew_comes_back_to_a_disk_that_was_rolled_back() -> None:
    ending = act_out("rolled-back-disk")
    assert ending.titles() == {"Call Ida", "Call Ben", "Call Eve"}
    assert not [m for m in ending.recording.moments if m.what == "cannot"]


def test_every_scenario_has_a_test_of_its_own() -> None:
    source = (PICTURES.parents[1] / "tests" / "simulations" / "test_scenarios.py").read_text(encoding="utf-8")
    assert set(re.findall(r'act_out\("([\w-]+)"\)', source)) == set(SCENARIOS)


@pytest.mark.parametrize("name", ALL)
def test_every_story_is_told_in_full(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario.name == name
    assert scenario.story.count(". ") >= 1, "it says what happens and how it ends"
    assert scenario.script.__name__ == name.replace("-", "_")


@pytest.mark.parametrize("name", ["island", "agent-storm"])
def test_listening_changes_nothing(name: str) -> None:
    scenario = SCENARIOS[name]
    assert scenario.simulation().run().digest == scenario.simulation(Recording()).run().digest
