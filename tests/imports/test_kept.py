from __future__ import annotations

import json

from edda_sync.imports.kept import Mapped
from edda_sync.words.model import Task


def mapped() -> Mapped:
    return Mapped("src", Task(id="x", metadata={}, tags=set()), ("due",))


def test_what_no_field_holds_is_kept_under_a_key_of_the_source_and_told() -> None:
    made = mapped()
    made.keep("note", "n")
    made.keep("due", "soon")
    made.keep("empty", "")
    assert made.task.metadata == {"src.note": "n", "src.due": "soon", "src.empty": ""}
    assert (made.kept, made.nearly) == (["note"], ["due"])


def test_keys_and_values_that_metadata_cannot_hold_are_kept_in_another_form() -> None:
    made = mapped()
    made.keep("half", "\ud800")
    made.keep("k" * 300, 1)
    made.keep("dependency.x", 2)
    assert json.loads(made.task.metadata["src.half:json"]) == "\ud800"
    keyed = [value for name, value in made.task.metadata.items() if name.startswith("src.key:")]
    assert keyed == [{"k" * 300: 1}, {"dependency.x": 2}]


def test_each_dependency_has_a_key_of_its_own_and_a_tag_that_cannot_be_is_told() -> None:
    made = mapped()
    for value in (1, 2):
        made.keep_dependency("blocks", "7", value)
    assert made.task.metadata == {"src.dependency.blocks.7": 1, "src.dependency.blocks.7+": 2}
    assert made.kept == ["dependency blocks"] * 2
    assert made.tag("home")
    assert not made.tag("\n")
    assert made.task.tags == {"home"}


def test_a_second_value_of_a_key_is_kept_beside_the_first() -> None:
    made = mapped()
    for value in ("1", "2", "\ud800", "3"):
        made.keep("note", value)
    for number in (1, 2):
        made.keep("k" * 300, number)
    assert json.loads(made.task.metadata.pop("src.note 3:json")) == "\ud800"
    keyed = [value for name, value in made.task.metadata.items() if name.startswith("src.key:")]
    assert keyed == [{"k" * 300: 1}, {"k" * 300: 2}]
    plain = {name: value for name, value in made.task.metadata.items() if not name.startswith("src.key:")}
    assert plain == {"src.note": "1", "src.note 2": "2", "src.note 4": "3"}
