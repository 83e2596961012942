from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from edda_sync.cli.finding import where
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.model import Task


@pytest.mark.parametrize(
    ("typed", "condition"),
    [
        ("metadata.a=3", ("metadata.a", "=", 3)),
        ('metadata.a="3"', ("metadata.a", "=", "3")),
        ("metadata.owner!=ana", ("metadata.owner", "!=", "ana")),
        ("metadata.a<=2.5", ("metadata.a", "<=", 2.5)),
        ("metadata.a=true", ("metadata.a", "=", True)),
        ("metadata.a=null", ("metadata.a", "=", None)),
        ("metadata.a=", ("metadata.a", "=", "")),
        ("metadata.a=[1]", ("metadata.a", "=", "[1]")),
        ("metadata.a=NaN", ("metadata.a", "=", "NaN")),
        ('metadata."x=y">z', ('metadata."x=y"', ">", "z")),
        ("agent_context.a", ("agent_context.a", "exists")),
        ("!agent_context.a", ("agent_context.a", "missing")),
    ],
)
def test_a_condition_is_typed_as_people_write_it(typed: str, condition: tuple[Any, ...]) -> None:
    assert where(typed) == condition


@pytest.mark.parametrize("typed", ["", "=3", "!metadata.a=3", '"'])
def test_a_malformed_condition_is_refused(typed: str) -> None:
    with pytest.raises(InvalidValueError):
        where(typed)


def test_tasks_are_found_by_tags_subtree_links_and_metadata(edda: Any) -> None:
    root = edda.id_of("task", "add", "root", "--tag", "work", "--metadata", '{"size": 3}')
    child = edda.id_of("task", "add", "child", "--tag", "home", "--parent", root, "--metadata", '{"size": "3"}')
    edda("task", "add", "leaf", "--parent", child)

    def found(*options: str) -> set[str]:
        return {each["title"] for each in edda.json("task", "list", *options)}

    assert found("--any-tag", "work", "--any-tag", "home") == {"root", "child"}
    assert found("--no-tag", "work") == {"child", "leaf"}
    assert found("--under", root[-6:]) == {"child", "leaf"}
    assert found("--where", "metadata.size=3") == {"root"}
    assert found("--where", "!metadata.size") == {"leaf"}
    assert edda("task", "list", "--count").stdout.strip() == "3"
    assert edda.json("task", "list", "--count", "--where", "metadata.size") == {"count": 2}


def test_explaining_names_the_indexes(edda: Any) -> None:
    edda("task", "add", "one")
    assert "idx_tasks_urgent" in edda("task", "list", "--explain").stdout
    explained = edda.json("task", "list", "--all", "--order", "updated_at", "--explain")
    assert explained[0]["indexes"][0] == "idx_tasks_updated_at"
    for status, index in (("open", "urgent"), ("done", "settled")):  # and not the other one as well
        explained = edda.json("task", "list", "--status", status, "--explain")
        assert [each for each in explained[0]["indexes"] if each.startswith("idx_")] == [f"idx_tasks_{index}"]


def test_each_page_says_how_to_get_the_next_while_tasks_come_and_go(edda: Any) -> None:
    ids = {title: edda.id_of("task", "add", title) for title in ("Zebra", "apple", "Äpfel", "banana")}
    first = edda("task", "list", "--order", "title", "--limit", "2", "--after", "begin")
    edda("task", "rm", ids["apple"])
    edda("task", "add", "aardvark")
    following = first.stderr.rsplit(" ", 1)[-1].strip()
    second = edda("task", "list", "--order", "title", "--limit", "2", "--after", following, "--json")
    assert [each["title"] for each in json.loads(second.stdout)] == ["banana", "Zebra"]
    assert "--after" not in second.stderr
    assert "another order" in edda("task", "list", "--after", following, code=2).stderr


def test_words_behind_a_list_of_documents_are_conditions_and_a_dash_is_about_tags(edda: Any) -> None:
    for title, tags in (("one", "home,work"), ("two", "home")):
        edda("doc", "add", "-", "--title", title, "--tag", tags, stdin=b"oat milk")

    def found(*words: str) -> list[str]:
        return [each["title"] for each in edda.json("doc", *words)]

    assert found("list", "milk", "+home", "-work") == found("search", "milk", "-work") == ["two"]
    assert found("list", "+home,work") == found("list", "--tag", "home,work") == found("list", "#work") == ["one"]
    assert found("list", "type:note", "sort:title") == ["one", "two"]
    assert found("search", "+home") == ["two", "one"], "the latest first, if there is no word to be relevant to"
    told = edda("doc", "search", "milk", "-oat")
    assert "There is no tag oat, so nothing was left out" in told.stderr
    assert len(told.stdout.splitlines()) == 2
    assert "leave out the conditions" in edda("doc", "list", "--trash", "milk", code=2).stderr


def test_several_tags_stand_with_commas_between_wherever_they_are_given(edda: Any) -> None:
    task = edda.id_of("task", "add", "one", "--tag", "a,#b", "--tag", '"c,d"')
    assert edda.json("task", "show", task)["tags"] == ["a", "b", "c,d"]
    assert [each["id"] for each in edda.json("task", "list", "--tag", "a,b", "--no-tag", "x,y")] == [task]
    assert edda.json("task", "list", "--any-tag", 'x,"c,d"') != []
    edda("task", "edit", task, "--untag", "a,b")
    assert edda.json("task", "show", task)["tags"] == ["c,d"]


def test_a_task_of_a_wrong_clock_leads_no_list_of_the_latest(edda: Any) -> None:
    with StorageEngine(edda.home, now=lambda: 4_102_444_800.0) as store:  # the year 2100
        store.open_store()
        store.create_task(Task(title="future"))
    for title in ("one", "two"):
        edda("task", "add", title)

    def titles(*options: str) -> list[str]:
        return [each["title"] for each in edda.json("task", "list", *options)]

    for order in ("updated", "created"):
        assert titles("--sort", f"-{order}") == ["two", "one", "future"]
        assert titles("--sort", f"-{order}", "--limit", "2") == ["two", "one"]
        assert titles("--sort", order) == ["one", "two", "future"]
    assert edda("task", "list", "--sort", "-updated", "--limit", "1").stdout.endswith("two\n")


def test_a_list_in_json_has_the_links_that_each_item_has(edda: Any) -> None:
    task = edda.id_of("task", "add", "one")
    document = edda.id_of("doc", "add", "-", "--title", "two", stdin=b"x")
    edda("task", "add", "alone")
    edda("link", task, document)
    for kind, item in (("task", task), ("doc", document)):
        shown = edda.json(kind, "show", item)["links"]
        assert [each["links"] for each in edda.json(kind, "list") if each["id"] == item] == [shown]
        assert (shown[0]["task_id"], shown[0]["document_id"]) == (task, document)
    assert [each["links"] for each in edda.json("task", "list") if each["title"] == "alone"] == [[]]
    edda("doc", "rm", document)
    assert [each["links"] for each in edda.json("doc", "list", "--trash")] == [[]]


def test_an_empty_list_says_which_words_nearly_find_something(edda: Any, tmp_path: Path) -> None:
    edda("task", "add", "Shipment of milk")
    (tmp_path / "note.md").write_text("# Shipping\n")
    edda("doc", "add", str(tmp_path / "note.md"))
    assert "shi* finds 1 that begins so" in edda("task", "list", "shi").stderr
    assert "shi* finds 1 that begins so" in edda("doc", "search", "shi").stderr
    assert "project: is no condition" in edda("task", "list", "project:x").stderr
    for nothing in ("zebra", "shi*", "https://x.y"):
        assert not {"finds", "condition"} & set(edda("task", "search", nothing).stderr.split())
    assert edda.json("task", "list", "shi") == []
    for kind in ("task", "doc"):
        counted = edda(kind, "list", "project:x", "--count")
        assert (counted.stdout, "project: is no condition" in counted.stderr) == ("0\n", True)
        assert "project: is no condition" in edda(kind, "list", "project:x", "--json").stderr


def test_a_dash_before_text_leaves_out_what_holds_the_word(edda: Any) -> None:
    for title in ("Oat milk", "Soy milk", "Bread"):
        edda("task", "add", title)
    assert [each["title"] for each in edda.json("task", "list", "milk", "-text:soy")] == ["Oat milk"]
    assert edda("task", "list", "--", "-text:milk").stdout.split()[-1] == "Bread"
    assert "cannot be asked for" in edda("task", "list", "-status:done", code=2).stderr


@pytest.mark.parametrize("kind", ["task", "doc"])
def test_an_order_that_there_is_not_is_refused_under_the_name_that_was_typed(edda: Any, kind: str) -> None:
    for typed in (["--sort", "dew"], ["--order", "dew"], ["sort:dew"], ["--sort=dew"]):
        said = edda(kind, "list", *typed, code=2).stderr
        assert said.startswith(f"{typed[0].partition('=')[0].partition(':')[0]}: must be one of ")
        assert said.count("updated") == 1
        assert "updated_at" not in said
    for name in said.partition("one of ")[2].partition(", with")[0].split(", "):
        edda(
            kind,
            "list",
            "--sort",
            name,
            *(["--text", "x"] if name == "relevance" else []),
            code=2 * (name == "distance"),
        )
        edda(kind, "search", "x", "--sort", name, code=2 * (name == "distance"))


@pytest.mark.parametrize("kind", ["task", "doc"])
def test_the_trash_is_counted_and_takes_no_condition_without_a_word(edda: Any, kind: str) -> None:
    for title in ("one", "two"):
        edda(kind, "add", *(["-", "--title"] if kind == "doc" else []), title, stdin=b"x")
        edda(kind, "rm", title)
    assert edda(kind, "list", "--trash", "--count").stdout == "2\n"
    assert edda.json(kind, "list", "--trash", "--count") == {"count": 2}
    assert len(edda.json(kind, "list", "--trash", "--limit", "1")) == 1
    for condition in (["--tag", "home"], ["--order", "title"], ["--text", "one"], ["--explain"]):
        assert f"leave out {condition[0]}." in edda(kind, "list", "--trash", *condition, code=2).stderr
    assert "leave out the conditions." in edda(kind, "list", "--trash", "one", code=2).stderr
