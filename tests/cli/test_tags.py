from __future__ import annotations

from typing import Any

from tests.cli.processes import on_a_terminal


def test_tags_are_made_listed_renamed_and_deleted(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "a", "--tag", "work")
    edda("tag", "add", "Work", "--color", "#f80")
    (tag,) = edda.json("tag", "list")
    assert (tag["name"].lower(), tag["color"]) == ("work", "#f80")
    assert tag.keys() == {"id", "name", "color", "description", "created_at"}
    edda("tag", "rename", "work", "office")
    assert edda.json("task", "show", task_id)["tags"] == ["office"]
    edda("tag", "rm", "office")
    assert edda.json("task", "show", task_id)["tags"] == []
    edda("tag", "rm", "office", code=3)
    edda("tag", "rename", "office", "x", code=3)
    edda("tag", "add", "office")
    assert edda.json("task", "show", task_id)["tags"] == ["office"]
    assert edda("tag", "list").stdout.startswith("office")


def test_a_rename_onto_a_tag_that_is_there_makes_the_two_one_only_if_that_is_meant(edda: Any) -> None:
    one = edda.id_of("task", "add", "One", "--tag", "work")
    two = edda.id_of("task", "add", "Two", "--tag", "job")
    assert edda("tag", "rename", "work", "Work").stderr.startswith("Renamed the tag work to Work.\n"), (
        "it is the same tag"
    )
    refused = edda("tag", "rename", "Work", "job", code=2).stderr
    assert refused.endswith("that one. Nothing was changed; --merge does it.\n")
    assert [edda.json("task", "show", each)["tags"] for each in (one, two)] == [["Work"], ["job"]]
    said = edda("tag", "rename", "Work", "job", "--merge").stderr
    assert said.startswith("There was a tag job already: what carried Work carries that one now.\n")
    assert edda("tag", "rename", "job", "office").stderr.startswith("Renamed the tag job to office.\n")
    assert [edda.json("task", "show", each)["tags"] for each in (one, two)] == [["office"], ["office"]]


def test_a_tag_that_has_the_new_name_already_is_told_so(edda: Any) -> None:
    edda("tag", "add", "home")
    assert edda("tag", "rename", "home", "home").stderr == "The tag is called home already.\n"
    assert edda("tag", "rename", "home", "Home").stderr.startswith("Renamed the tag home to Home.\n")


def test_a_person_is_told_how_to_use_a_new_tag_and_a_program_its_id(edda: Any) -> None:
    code, printed = on_a_terminal(edda.home, "tag", "add", "home")
    assert code == 0
    assert "The tag home is there; `edda task edit ID --tag NAME`" in printed
    (made,) = edda.json("tag", "list")
    assert made["id"] not in printed
    assert edda("tag", "add", "home").stdout == made["id"] + "\n"


def test_a_tag_that_is_made_is_shown_to_a_program_as_lists_show_it(edda: Any) -> None:
    made = edda.json("tag", "add", "work", "--color", "#ff0000")
    assert (made["name"], made["color"]) == ("work", "#ff0000")
    assert edda.json("tag", "list") == [made]
