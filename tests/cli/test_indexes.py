from __future__ import annotations

import shlex
from typing import Any

import pytest


def test_an_index_is_made_used_listed_and_dropped(edda: Any) -> None:
    edda("task", "add", "Paint", "--metadata", '{"effort": 3}')
    made = edda("index", "create", "by-effort", "--columns", "metadata.effort", "--where", "status='open'").stdout
    assert made == "by-effort: btree on tasks, metadata.effort where status = 'open'\n"
    asked = ("task", "list", "--status", "open", "--where", "metadata.effort=3")
    assert "indexes: idx_user_by-effort" in edda(*asked, "--explain").stdout
    assert "Paint" in edda(*asked).stdout
    (listed,) = edda.json("index", "list")
    assert listed == {
        "name": "by-effort", "on": "task", "columns": ["metadata.effort"], "type": "btree", "unique": False,
        "where": "status = 'open'",
    }  # fmt: skip
    assert edda("index", "list").stdout.startswith("by-effort")
    dropped = edda("index", "drop", "by-effort").stderr
    again = "edda index create by-effort metadata.effort --where 'status = '\"'\"'open'\"'\"''"
    assert dropped == f"Dropped: by-effort; `{again}` makes it again\n"
    assert "No indexes" in edda("index", "list").stderr
    assert "`edda index list`" in edda("index", "drop", "by-effort", code=3).stderr
    assert "Paint" in edda(*asked).stdout


def test_tasks_near_a_place_come_nearest_first(edda: Any) -> None:
    for title, lat, lon in (("Dentist", 52.5, 13.4), ("Market", 52.52, 13.41), ("Beach", -33.9, 151.2)):
        edda("task", "add", title, "--metadata", f'{{"location": {{"lat": {lat}, "lon": {lon}}}}}')
    edda("task", "add", "Nowhere")
    edda("index", "create", "places", "--columns", "metadata.location", "--type", "spatial")

    def titles(*args: str) -> list[str]:
        return [each["title"] for each in edda.json("task", "list", *args)]

    assert titles("--near", "52.52,13.405", "--within", "5km") == ["Market", "Dentist"]
    assert (
        titles("--near", "-33.9,151.2") == ["Beach", "Market", "Dentist"]
        or titles("--near", "-33.9,151.2")[0] == "Beach"
    )
    assert titles("--near", "52.52,13.405", "--within", "1500 m", "--order", "title") == ["Market"]
    assert "_index_places" in edda("task", "list", "--near", "52.5,13", "--within", "3km", "--explain").stdout
    for wrong in (["--near", "91,0"], ["--near", "here"], ["--near", "1,2", "--within", "-5"], ["--within", "5km"]):
        assert edda("task", "list", *wrong, code=2).stderr


def test_words_are_looked_for_in_a_key(edda: Any) -> None:
    edda("doc", "add", "--title", "D", "--metadata", '{"notes": "oat milk"}', "-", stdin="text")
    edda("index", "create", "notes", "--on", "doc", "--type", "full-text", "--columns", "metadata.notes,title")
    assert "D" in edda("doc", "list", "--where", "metadata.notes~mil*").stdout
    assert "_index_notes" in edda("doc", "list", "--where", "metadata.notes~mil*", "--explain").stdout


def test_a_write_that_would_clash_names_the_other_task(edda: Any) -> None:
    first = edda.id_of("task", "add", "One", "--metadata", '{"ticket": "A-1"}')
    edda("index", "create", "tickets", "--columns", "metadata.ticket", "--unique")
    said = edda("task", "add", "Two", "--metadata", '{"ticket": "A-1"}', code=1).stderr
    assert first[-12:] in said
    assert "metadata.ticket" in said
    assert edda("index", "list").stdout.split()[:3] == ["tickets", "task", "unique"]


def test_what_is_no_index_is_refused_with_the_option_that_is_wrong(edda: Any) -> None:
    for args, option in (
        (["x", "--columns", "nothing"], "--columns"),
        (["x", "--columns", "title", "--where", "1=1; DROP TABLE tasks"], "--where"),
        (["x", "--columns", "title", "--unique"], "--columns"),
        (["A b", "--columns", "title"], "name"),
    ):
        assert edda("index", "create", *args, code=2).stderr.startswith(option)


def test_columns_may_stand_behind_the_name_without_an_option(edda: Any) -> None:
    made = edda("index", "create", "by-effort", "metadata.effort").stdout
    assert made == "by-effort: btree on tasks, metadata.effort\n"
    both = edda("index", "create", "both", "status,metadata.effort", "--columns", "priority").stdout
    assert both == "both: btree on tasks, status, metadata.effort, priority\n"
    said = edda("index", "create", "owner", code=2).stderr
    assert "`edda index create owner metadata.owner`" in said
    assert len(edda.json("index", "list")) == 2


@pytest.mark.parametrize(
    "made",
    [
        ["tickets", "metadata.ticket", "metadata.team", "--unique"],
        ["places", "metadata.location", "--on", "doc", "--type", "spatial"],
        ["words", "content", "--on", "doc", "--type", "full-text"],
        ["odd", 'metadata."a, b"', "--type", "hash", "--where", "title = 'two  blanks'"],
    ],
)
def test_an_index_that_is_dropped_is_made_again_by_the_command_that_is_named(edda: Any, made: list[str]) -> None:
    edda("index", "create", *made)
    before = edda.json("index", "list")
    named = edda("index", "drop", made[0]).stderr.split("`")[1]
    edda(*shlex.split(named)[1:])
    assert edda.json("index", "list") == before


def test_a_name_with_a_space_stands_in_quotes_in_the_command_that_is_shown(edda: Any) -> None:
    said = edda("index", "create", "my effort", code=2).stderr
    assert "`edda index create 'my effort' 'metadata.my effort'`" in said
