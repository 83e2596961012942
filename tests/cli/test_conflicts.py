from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from edda_sync.cli.conflicts import SHOWN_CHARACTERS_MAX
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words.config import StorageConfig
from edda_sync.words.model import Document, Task
from edda_sync.words.query import DocumentQuery, TaskQuery
from tests.cli.processes import Machine, on_a_terminal


@pytest.fixture
def conflict(monkeypatch: pytest.MonkeyPatch) -> str:
    """A task with a field that two devices wrote at once, seen by the command; returns its id."""
    with devices(2) as (laptop, phone):
        task_id = laptop.create_task(Task(title="Tent"))
        sync(laptop, phone)
        laptop.update_task(Task(id=task_id, metadata={"size": "one\x1b[31m"}))
        phone.update_task(Task(id=task_id, metadata={"size": "other " + "x" * SHOWN_CHARACTERS_MAX}))
        sync(laptop, phone)
        found = laptop.conflicts()
    monkeypatch.setattr("edda_sync.engine.engine.StorageEngine.conflicts", lambda _: found)
    return task_id


def test_it_says_so_if_there_are_none(edda: Any) -> None:
    assert edda("conflicts").stderr == "No conflicts.\n"
    assert edda.json("conflicts") == []


def test_a_field_is_shown_with_the_other_values_that_are_kept(edda: Any, conflict: str) -> None:
    head, *values = edda("conflicts").stdout.splitlines()
    assert head.startswith(f"task {conflict.replace('-', '')[-6:]}  ")
    assert head.endswith("  Tent  metadata.size")
    assert [line.split()[0] for line in values] == ["shown", "kept", "to", "to"]
    assert any("one\\x1b[31m" in line for line in values), "nothing that a terminal would obey"
    (long,) = (line for line in values if "other x" in line)
    assert long.endswith("x…")
    assert len(long.split("  ")[-1]) == SHOWN_CHARACTERS_MAX


def test_json_has_every_value_whole_with_its_author(edda: Any, conflict: str) -> None:
    (found,) = json.loads(edda("conflicts", "--json").stdout)
    assert (found["kind"], found["id"], found["field"]) == ("task", conflict, "metadata.size")
    values = [found["shown"], *found["kept"]]
    assert {value["value"] for value in values} == {"one\x1b[31m", "other " + "x" * SHOWN_CHARACTERS_MAX}
    assert len({value["actor"] for value in values}) == 2
    assert all(value["seq"] > 0 and value["written_at"].endswith("Z") for value in values)


def test_each_value_names_the_device_that_wrote_it(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    with StorageEngine(laptop.home) as first, StorageEngine(phone.home) as second:
        first.open_store(StorageConfig(state_path=laptop.state))
        second.open_store(StorageConfig(state_path=phone.state))
        (task,) = first.query_tasks(TaskQuery())
        first.update_task(Task(id=task.id, title="Buy oat milk"))
        second.update_task(Task(id=task.id, title="Buy soy milk"))
        sync(first, second)
        devices_of = {"Buy oat milk": first.identity.device, "Buy soy milk": second.identity.device}
    names = {"Buy oat milk": "laptop", "Buy soy milk": "phone"}
    _, *lines, restore, dismiss = laptop.run("conflicts").splitlines()
    assert {line[-12:]: line[:-12].split()[-1] for line in lines} == names
    assert len({line.index("Buy") for line in lines}) == 1
    (found,) = laptop.json("conflicts")
    values = [found["shown"], *found["kept"]]
    assert {value["value"]: (value["name"], value["device"]) for value in values} == {
        title: (names[title], devices_of[title]) for title in names
    }
    assert restore.endswith(f"edda conflicts restore {found['id'].replace('-', '')[-6:]} title")
    kept = found["kept"][0]["value"]
    laptop.run(*restore.partition(": edda ")[2].split())
    assert laptop.json("task", "show", found["id"])["title"] == kept
    assert laptop.json("conflicts") == []
    assert dismiss.endswith("title")


def test_a_deletion_that_lost_is_shown_with_what_settles_it(edda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        task = laptop.create_task(Task(title="Tent"))
        sync(laptop, phone)
        laptop.delete_task(task)
        phone.update_task(Task(id=task, title="Big tent"))
        sync(laptop, phone)
        found = laptop.conflicts()
    monkeypatch.setattr("edda_sync.engine.engine.StorageEngine.conflicts", lambda _: found)
    end = task.replace("-", "")[-6:]
    shown = edda("conflicts").stdout
    assert f"task {end}  Big tent  deleted" in shown
    assert f"  to delete it after all: edda conflicts restore {end} deleted\n" in shown
    assert f"  to keep it: edda conflicts dismiss {end} deleted" in shown
    assert any(line.endswith("  still there, for what was written") for line in shown.splitlines())
    assert any(line.startswith("  kept ") and line.endswith("  deleted") for line in shown.splitlines())
    (listed,) = edda.json("conflicts")
    assert (listed["field"], listed["shown"]["value"], listed["kept"][0]["value"]) == ("deleted", False, True)


def test_a_tag_that_was_renamed_twice_is_shown_with_both_names(edda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        laptop.create_task(Task(title="Tent", tags={"work"}))
        sync(laptop, phone)
        for store, name in ((laptop, "job"), (phone, "office")):
            store.transact(lambda tx, name=name: tx.rename_tag("work", name))  # type: ignore[misc]
        sync(laptop, phone)
        found = laptop.conflicts()
    monkeypatch.setattr("edda_sync.engine.engine.StorageEngine.conflicts", lambda _: found)
    head, shown, one, other, restore, dismiss = edda("conflicts", "show", "work").stdout.splitlines()
    assert head.endswith("  work  renamed")
    assert shown.endswith("  job, office")
    assert {line.split()[-1] for line in (one, other)} == {"job", "office"}
    end = found[0].id.replace("-", "")[-6:]
    assert restore == f"  to show only one of them: edda conflicts restore {end} renamed NUMBER"
    assert dismiss == f"  to keep both: edda conflicts dismiss {end} renamed"


@pytest.fixture
def places(another_edda: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Any, StorageEngine]]:
    """The command over the store of a device, with a document in which another one replaced the same two words."""
    with devices(2) as (laptop, phone):
        document = laptop.create_document(Document(title="Dose", content="Take 10 mg.\nNext line: ten drops."))
        sync(laptop, phone)
        laptop.update_document(Document(id=document, content="Take 15 mg.\nNext line: six drops."))
        phone.update_document(Document(id=document, content="Take 20 mg.\nNext line: two drops."))
        sync(laptop, phone)
        monkeypatch.setenv("EDDA_STATE", str(laptop.home.parent / "state"))
        yield another_edda(str(laptop.home)), laptop


def test_each_place_of_a_text_is_shown_in_its_line_with_both_readings_as_a_word_diff(places: Any) -> None:
    edda, store = places
    first, second = (each.splitlines() for each in edda("conflicts", "show", "Dose").stdout.split("\n\n"))
    shown = [each.shown.value for each in store.conflicts()]
    assert first[1] == f"  place  Take [{shown[0]}] mg."
    assert second[1] == f"  place  Next line: [{shown[1]}] drops."
    assert [" ".join(line.split()[:2]) for line in first[3:5]] == ["kept 1", "kept 2"]
    assert [" ".join(line.split()[:2]) for line in second[3:5]] == ["kept 3", "kept 4"]
    words = re.findall(r"\[-.*?-\]", "".join((*first, *second)))
    assert sorted(word.strip("[-] ") for word in words) == ["15", "20", "six", "two"]
    short = store.conflicts()[0].id.replace("-", "")[-6:]
    assert first[5:] == [
        f"  to show another: edda conflicts restore {short} content NUMBER",
        f"  to keep this one: edda conflicts dismiss {short} content 1",
    ]


def test_a_place_is_settled_by_the_number_of_what_is_kept(places: Any) -> None:
    edda, store = places
    listed = edda.json("conflicts")
    assert [[kept["number"] for kept in each["kept"]] for each in listed] == [[1, 2], [3, 4]]
    assert [each["position"] for each in listed] == [each.position for each in store.conflicts()]
    assert (
        "4 other values are kept; there is no number 5"
        in edda("conflicts", "restore", "Dose", "content", "5", code=2).stderr
    )
    edda("conflicts", "restore", "Dose", "content", "4")
    kept = listed[1]["kept"][1]["value"]
    assert [each["position"] for each in edda.json("conflicts")] == [listed[0]["position"]]
    edda("conflicts", "dismiss", "Dose", "content", "1")
    assert edda.json("conflicts") == []
    assert edda.json("doc", "show", "Dose")["content"] == (
        f"Take {listed[0]['shown']['value']} mg.\nNext line: {kept} drops."
    )


def test_all_places_of_a_text_are_dismissed_without_a_number(places: Any) -> None:
    edda, store = places
    before = store.query_documents(DocumentQuery())[0].content
    edda("conflicts", "dismiss", "Dose", "content")
    assert edda.json("conflicts") == []
    assert edda.json("doc", "show", "Dose")["content"] == before


def test_what_is_shown_says_that_other_values_are_kept_beside_it(places: Any) -> None:
    over_document, store = places
    (document,) = store.query_documents()
    code, printed = on_a_terminal(store.home, "doc", "show", document.id)
    assert code == 0
    assert f"Other values are kept (content); `edda conflicts show {document.id[-6:]}` shows them." in printed
    store.create_task(Task(title="calm"))
    assert "kept" not in over_document("task", "show", "calm").stderr


def test_a_link_in_conflict_names_its_document_and_its_task_may_be_named_by_the_beginning_of_its_id(
    monkeypatch: pytest.MonkeyPatch, another_edda: Any
) -> None:
    with devices(2) as (laptop, phone):
        task, note = laptop.create_task(Task(title="Tent")), laptop.create_document(Document(title="Notes"))
        sync(laptop, phone)
        for store, kind in ((laptop, "spec"), (phone, "output")):
            with store.begin_transaction() as tx:
                tx.link(task, note, kind)
        sync(laptop, phone)
        monkeypatch.setenv("EDDA_STATE", str(laptop.home.parent / "state"))
        edda = another_edda(str(laptop.home))
        listed, whole = edda("conflicts").stdout, edda("conflicts", "show", "Tent").stdout
        assert listed == whole
        assert listed.splitlines()[1] == "  link   to Notes"
        edda("conflicts", "restore", task[:13], f"link.{note}")
        assert edda("conflicts").stderr == "No conflicts.\n"
        (link,) = laptop.links()
        assert link.relationship_type == "spec"


def commands_of(said: str) -> list[list[str]]:
    """Return the commands that a settling says take it back, without ``edda``."""
    return [shlex.split(each)[1:] for each in said.splitlines()[-1].split("`")[1::2]]


def test_settling_a_setting_names_commands_that_do_take_it_back(
    monkeypatch: pytest.MonkeyPatch, another_edda: Any
) -> None:
    with devices(2) as (laptop, phone):
        for store, key in ((laptop, "a"), (phone, "b")):
            store.indexes.create("tickets", [f"metadata.{key}"], unique=True)
            store.membership.rename(store.identity.device if store is laptop else laptop.identity.device, f"new {key}")
        sync(laptop, phone)
        monkeypatch.setenv("EDDA_STATE", str(laptop.home.parent / "state"))
        edda = another_edda(str(laptop.home))
        for field in ("name", "unique.tickets"):
            (found,) = [each for each in laptop.conflicts() if each.field == field]
            before = (edda.json("index", "list"), laptop.name, [each.name for each in laptop.members()])
            said = edda("conflicts", "restore", found.id, field).stderr
            assert said.startswith(f"Settled {field} of {'the workspace' if not found.title else found.title}.\n")
            assert (edda.json("index", "list"), laptop.name, [each.name for each in laptop.members()]) != before
            for each in commands_of(said):
                edda(*each)
            assert (edda.json("index", "list"), laptop.name, [each.name for each in laptop.members()]) == before
