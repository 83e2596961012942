from __future__ import annotations

import re
from typing import Any

import pytest


def test_a_task_can_be_added_shown_edited_and_done(edda: Any) -> None:
    task_id = edda.id_of(
        "task", "add", "Write the report", "--priority", "1", "--due", "2026-03-01", "--tag", "work",
        "--description", "First draft", "--metadata", '{"project": "x"}',
    )  # fmt: skip
    shown = edda.json("task", "show", task_id[-6:])
    assert (shown["title"], shown["priority"], shown["due_date"]) == ("Write the report", 1, "2026-03-01T00:00:00.000Z")
    assert (shown["tags"], shown["description"], shown["metadata"]) == (["work"], "First draft", {"project": "x"})
    edda(
        "task",
        "edit",
        task_id,
        "--title",
        "Write it",
        "--due",
        "none",
        "--tag",
        "home",
        "--untag",
        "work",
        "--status",
        "blocked",
    )
    shown = edda.json("task", "show", task_id)
    assert (shown["title"], shown["due_date"], shown["tags"], shown["status"]) == (
        "Write it",
        None,
        ["home"],
        "blocked",
    )
    assert shown["description"] == "First draft"
    edda("task", "done", task_id)
    shown = edda.json("task", "show", task_id)
    assert shown["status"] == "done"
    assert shown["completed_at"] is not None


def test_the_json_of_a_task_has_the_specifications_column_names(edda: Any) -> None:
    edda("task", "add", "One")
    columns = {
        "id", "title", "description", "status", "priority", "created_at", "updated_at", "completed_at", "due_date",
        "parent_id", "metadata", "agent_context",
    }  # fmt: skip
    (listed,) = edda.json("task", "list")
    assert columns <= listed.keys()
    assert listed.keys() - columns == {"tags", "links"}


def test_a_title_may_be_given_without_quotes(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "Buy", "milk", "and", "bread")
    assert edda.json("task", "show", task_id)["title"] == "Buy milk and bread"


def test_a_description_is_read_from_a_file_or_stdin(edda: Any, tmp_path: Any) -> None:
    (tmp_path / "text.md").write_bytes(b"two\r\nlines\n")
    first = edda.id_of("task", "add", "A", "--description-file", str(tmp_path / "text.md"))
    second = edda.id_of("task", "add", "B", "--description-file", "-", stdin=b"piped")
    assert edda.json("task", "show", first)["description"] == "two\r\nlines\n"
    assert edda.json("task", "show", second)["description"] == "piped"


def test_the_list_shows_the_most_urgent_open_tasks(edda: Any) -> None:
    edda("task", "add", "later", "--priority", "3")
    edda("task", "add", "soon", "--priority", "1", "--due", "2026-05-01")
    edda("task", "add", "sooner", "--priority", "1", "--due", "2026-04-01")
    edda("task", "add", "stuck", "--status", "blocked", "--priority", "0")
    assert [each["title"] for each in edda.json("task", "list")] == ["sooner", "soon", "later"]
    assert [each["title"] for each in edda.json("task", "list", "--all")] == ["stuck", "sooner", "soon", "later"]
    assert [each["title"] for each in edda.json("task", "list", "--limit", "1")] == ["sooner"]
    lines = edda("task", "list").stdout.splitlines()
    assert [line.split()[-1] for line in lines] == ["sooner", "soon", "later"]


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--status", "done"], ["c"]),
        (["--status", "done", "--status", "open", "--order", "title"], ["a", "b", "c"]),
        (["--priority", "0"], ["a"]),
        (["--tag", "WORK"], ["a"]),
        (["--tag", "work", "--tag", "home"], []),
        (["--due-before", "2026-03-02"], ["b"]),
        (["--due-after", "2026-03-01"], ["b"]),
        (["--due-after", "2026-03-02"], []),
        (["--text", "brav*"], ["a"]),
        (["--text", "brav"], []),
        (["--parent", "none", "--all", "--order", "title"], ["a", "b", "c"]),
        (["--order", "title", "--reverse"], ["b", "a"]),
    ],
)
def test_the_list_finds_tasks_by_words_tags_and_dates(edda: Any, options: list[str], found: list[str]) -> None:
    edda("task", "add", "a", "--priority", "0", "--tag", "work", "--description", "brave new world")
    edda("task", "add", "b", "--due", "2026-03-01", "--tag", "home")
    edda("task", "add", "c", "--status", "done")
    assert [each["title"] for each in edda.json("task", "list", *options)] == found


def test_the_list_says_when_it_leaves_out_more_than_it_was_asked_to(edda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edda_sync.cli.limiting.SHOWN_MAX", 2)
    for title in "abc":
        edda("task", "add", title)
    listed = edda("task", "list")
    assert len(listed.stdout.splitlines()) == 2
    assert listed.stderr == "2 of 3 tasks are shown; --limit 3 shows them all.\n"
    assert len(edda("task", "list", "--limit", "3").stdout.splitlines()) == 3
    assert len(edda.json("task", "list")) == 3, "a program gets all"
    assert edda("task", "list", "--limit", "1").stderr == ""
    assert len(edda("task", "list", "--all").stdout.splitlines()) == 3


def test_a_task_moves_below_another_one_and_back(edda: Any) -> None:
    parent, child = edda.id_of("task", "add", "parent"), edda.id_of("task", "add", "child")
    edda("task", "move", child, parent)
    assert edda.json("task", "show", child)["parent_id"] == parent
    assert "child" in edda("task", "show", parent).stdout
    edda("task", "move", child, "none")
    assert edda.json("task", "show", child)["parent_id"] is None


@pytest.mark.parametrize(
    "command", [["task", "move", "{top}", "{low}"], ["task", "edit", "{top}", "--parent", "{low}"]]
)
def test_a_task_never_moves_below_itself(edda: Any, command: list[str]) -> None:
    top = edda.id_of("task", "add", "top")
    middle = edda.id_of("task", "add", "middle", "--parent", top)
    low = edda.id_of("task", "add", "low", "--parent", middle)
    refused = edda(*(word.format(top=top, low=low) for word in command), code=2)
    assert "below itself" in refused.stderr
    edda("task", "move", top, top, code=2)
    assert edda.json("task", "show", top)["parent_id"] is None


def test_rm_leaves_subtasks_at_the_top_level_and_says_so(edda: Any) -> None:
    parent = edda.id_of("task", "add", "parent")
    child = edda.id_of("task", "add", "child", "--parent", parent)
    removed = edda("task", "rm", parent)
    assert "1 subtask" in removed.stderr
    assert edda.json("task", "show", child)["parent_id"] is None
    edda("task", "restore", parent[-6:])
    assert edda.json("task", "show", child)["parent_id"] == parent


def test_restore_of_a_parent_names_its_subtasks_that_are_still_in_the_trash(edda: Any) -> None:
    top = edda.id_of("task", "add", "top")
    middle = edda.id_of("task", "add", "middle", "--parent", top)
    edda("task", "add", "low", "--parent", middle)
    edda("task", "add", "other")
    edda("task", "rm", top, "--recursive")
    said = edda("task", "restore", top).stderr
    assert re.fullmatch(
        r"Restored 1 task\.\n2 subtasks are still in the trash \(.{6} .{6}\); --recursive brings subtasks back too\.\n",
        said,
    )
    assert edda("task", "restore", top, "--recursive").stderr == "Not in the trash: top\nRestored 2 tasks.\n"
    assert edda.json("task", "list", "--trash") == []
    assert {each["title"] for each in edda.json("task", "list")} == {"top", "middle", "low", "other"}
    edda("task", "rm", middle)
    assert "1 subtask is still in the trash" in edda("task", "restore", top).stderr


def test_rm_recursive_takes_all_that_is_below_and_restore_brings_each_back(edda: Any) -> None:
    top = edda.id_of("task", "add", "top")
    middle = edda.id_of("task", "add", "middle", "--parent", top)
    low = edda.id_of("task", "add", "low", "--parent", middle)
    edda("task", "rm", top, "--recursive")
    assert edda.json("task", "list", "--all") == []
    assert {each["id"] for each in edda.json("task", "list", "--trash")} == {top, middle, low}
    edda("task", "restore", top, middle, low)
    assert edda.json("task", "show", low)["parent_id"] == middle


def test_an_item_in_the_trash_is_named_with_the_way_back(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "gone")
    edda("task", "rm", task_id)
    assert f"edda task restore {task_id}" in edda("task", "show", task_id, code=3).stderr
    edda("task", "edit", task_id, "--title", "x", code=3)
    edda("task", "rm", task_id, code=3)


@pytest.mark.parametrize("kind", ["task", "doc"])
def test_restore_names_what_was_not_in_the_trash(edda: Any, kind: str) -> None:
    def made(title: str) -> str:
        options = [] if kind == "task" else ["-", "--title"]
        return str(edda.id_of(kind, "add", *options, title, stdin="text"))

    here, gone, word = made("Here"), made("Gone"), "task" if kind == "task" else "document"
    before = edda.json("status")["frontier"]
    assert edda(kind, "restore", here[-6:]).stderr == "Not in the trash: Here\n"
    assert edda.json("status")["frontier"] == before, "nothing was written"
    edda(kind, "rm", gone)
    assert edda(kind, "restore", here, gone, gone[-6:]).stderr == f"Not in the trash: Here\nRestored 1 {word}.\n"
    assert {each["title"] for each in edda.json(kind, "list")} == {"Here", "Gone"}


def test_a_tag_may_be_given_with_the_sign_that_lists_show_before_it(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "a", "--tag", "#home", "--tag", "work")
    assert edda.json("task", "show", task_id)["tags"] == ["home", "work"]
    assert edda("task", "list", "--tag", "#home").stdout.rstrip().endswith("a  #home  #work")
    edda("task", "edit", task_id, "--untag", "#work")
    edda("tag", "rename", "#home", "#house")
    edda("tag", "rm", "#work")
    assert [tag["name"] for tag in edda.json("tag", "list")] == ["house"]
    document_id = edda.id_of("doc", "add", "-", "--title", "D", "--tag", "#house", stdin="x")
    assert [each["id"] for each in edda.json("doc", "search", "x", "--tag", "#house")] == [document_id]
    edda("tag", "add", "#")
    assert "#" in [tag["name"] for tag in edda.json("tag", "list")]


def test_a_list_that_shows_nothing_says_why(edda: Any) -> None:
    def said(*args: str) -> str:
        answer = edda(*args)
        assert answer.stdout == ""
        return str(answer.stderr.strip())

    for kind, word, made in (("task", "task", "TITLE"), ("doc", "document", "FILE")):
        for question in ((), ("--text", "x"), ("--limit", "0")):
            assert said(kind, "list", *question) == f"There are no {word}s; `edda {kind} add {made}` makes one."
        assert said(kind, "list", "--trash") == f"There are no {word}s in the trash."
    task_id = edda.id_of("task", "add", "a")
    document_id = edda.id_of("doc", "add", "-", "--title", "D", stdin="text")
    assert said("doc", "list", "--tag", "nope") == "Nothing matches --tag nope; there is 1 document in all."
    assert said("doc", "search", "nope") == "Nothing matches nope; there is 1 document in all."
    assert said("doc", "list", "--limit", "0") == "--limit 0 shows nothing; there is 1 document."
    assert said("task", "list", "--limit", "0") == "--limit 0 shows nothing; there is 1 task."
    edda("tag", "add", "x")  # otherwise it is told that there is none
    in_all, hint = "there is 1 task in all", "--all looks at those that are done too"
    assert said("task", "list", "--text", "nope") == f"Nothing matches --text nope; {in_all}; {hint}."
    assert said("task", "list", "no pe", "-x") == f"Nothing matches 'no pe' -x; {in_all}; {hint}."
    assert said("task", "list", "--all", "--text", "nope") == f"Nothing matches --all --text nope; {in_all}."
    assert said("task", "list", "status:blocked") == f"Nothing matches status:blocked; {in_all}."
    assert said("task", "search", "nope") == f"Nothing matches nope; {in_all}."
    edda("task", "done", task_id)
    assert said("task", "list") == f"Nothing matches; {in_all}; {hint}."
    edda("task", "rm", task_id)
    edda("doc", "rm", document_id)
    assert said("task", "list", "--trash", "--limit", "0") == "--limit 0 shows nothing; there is 1 task in the trash."
    assert (
        said("doc", "list", "--trash", "--limit", "0") == "--limit 0 shows nothing; there is 1 document in the trash."
    )
    edda("task", "list", "--trash", "--limit", "-1", code=2)


def test_several_tasks_are_done_in_one_change_or_not_at_all(edda: Any) -> None:
    first, second = edda.id_of("task", "add", "a"), edda.id_of("task", "add", "b")
    edda("task", "done", first, "ffffff", code=3)
    assert edda.json("task", "show", first)["status"] == "open"
    edda("task", "done", first, second)
    assert [edda.json("task", "show", each)["status"] for each in (first, second)] == ["done", "done"]


def test_metadata_is_edited_key_by_key(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "a", "--metadata", '{"a": 1, "b": [2, null]}')
    edda("task", "edit", task_id, "--metadata", '{"c": {"d": true}}', "--unset-metadata", "a")
    assert edda.json("task", "show", task_id)["metadata"] == {"b": [2, None], "c": {"d": True}}
    assert "'nope'" in edda("task", "edit", task_id, "--unset-metadata", "nope", code=3).stderr


def test_an_edit_answers_in_json_with_its_result(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "a")
    assert edda.json("task", "edit", task_id, "--agent-context", '{"plan": 1}')["agent_context"] == {"plan": 1}
    assert edda.json("task", "add", "b", "--parent", task_id)["parent_id"] == task_id


@pytest.mark.parametrize(("kind", "word"), [("task", "tasks"), ("doc", "documents")])
def test_a_limit_of_zero_counts_all_tasks(edda: Any, kind: str, word: str) -> None:
    for number in range(3):
        what = ("task", "add", f"{number}") if kind == "task" else ("doc", "add", "-", "--title", f"{number}")
        edda(*what, stdin="x")
    nothing = f"--limit 0 shows nothing; there are 3 {word}.\n"
    assert edda(kind, "list", "--limit", "0").stderr == nothing
    assert edda(kind, "list", "--limit", "0", "--all").stderr == nothing
    if kind == "doc":
        assert edda("doc", "search", "x", "--limit", "0").stderr == nothing


@pytest.mark.parametrize("kind", ["task", "doc"])
def test_a_missing_tag_cannot_be_taken_off_and_nothing_else_is_changed(edda: Any, kind: str) -> None:
    what = ("task", "add", "A") if kind == "task" else ("doc", "add", "-", "--title", "A")
    item = edda.id_of(*what, "--tag", "Work", stdin="x")
    for wrong in ("other", "nowhere"):
        edda("tag", "add", "other")
        refused = edda(kind, "edit", item[-6:], "--title", "B", "--untag", wrong, code=3).stderr
        assert refused.endswith(f"does not carry the tag {wrong!r}; nothing was changed.\n")
    assert (edda.json(kind, "show", item)["title"], edda.json(kind, "show", item)["tags"]) == ("A", ["Work"])
    edda(kind, "edit", item, "--untag", "wORK", "--tag", "new", "--untag", "NEW")  # in any case
    assert edda.json(kind, "show", item)["tags"] == []


@pytest.mark.parametrize(
    "command", [("task", "done"), ("task", "rm"), ("task", "restore"), ("doc", "rm"), ("doc", "restore")], ids=" ".join
)
def test_every_wrong_id_of_several_is_named_and_nothing_is_done(edda: Any, command: tuple[str, str]) -> None:
    kind, verb = command
    add = ("task", "add") if kind == "task" else ("doc", "add", "-", "--title")
    one, two = (edda.id_of(*add, title, stdin="x") for title in ("One", "Two"))
    if verb == "restore":
        edda(kind, "rm", one, two)
    before = edda.everything()
    said = edda(*command, one, "ffffff", two, "eeeeee", code=3)
    assert [line.partition(" here;")[0] for line in said.stderr.splitlines()[:2]] == [
        f"There is no {'task' if kind == 'task' else 'document'} {wrong!r}" for wrong in ("ffffff", "eeeeee")
    ]
    nothing = "Nothing was done, not even with the others: mend or leave out what is wrong, and run it again."
    assert said.stderr.splitlines()[2:] == [nothing]
    assert edda.everything() == before
    alone = edda(*command, "ffffff", code=3).stderr
    assert "Nothing was done" not in alone
    assert edda(*command, "ffffff", "eeeeee", code=3).stderr.endswith(
        "\nNothing was done: mend or leave out what is wrong, and run it again.\n"
    )


def test_a_task_that_is_given_twice_is_done_once(edda: Any) -> None:
    one = edda.id_of("task", "add", "One")
    assert edda("task", "done", one, one[-6:]).stderr == f"Done: One ({one[-6:]})\n"


def test_an_edit_says_what_changed_and_leaves_stdout_to_programs(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "Buy milk")
    for arguments, said in (
        (
            ("--priority", "1", "--due", "2026-03-01", "--tag", "home"),
            "Changed priority, due date, tags: Buy milk\nDue Sunday 2026-03-01.\n",
        ),
        (("--priority", "1", "--tag", "home"), "Same as before: Buy milk\n"),
        (("--priority", "1", "--status", "blocked"), "Changed status: Buy milk\n"),
        (("--title", "Buy bread"), "Changed title: Buy bread\n"),
        (("--metadata", '{"shop": 1}'), "Changed metadata: Buy bread\n"),
        (("--unset-metadata", "shop", "--untag", "home"), "Changed tags, metadata: Buy bread\n"),
        (("--json", "--priority", "2"), ""),
    ):
        answer = edda("task", "edit", task_id, *arguments)
        assert answer.stderr == said
        assert bool(answer.stdout) == ("--json" in arguments)


def test_a_parent_that_is_not_shown_since_it_is_in_the_trash_is_changed_and_that_is_said(edda: Any) -> None:
    party = edda.id_of("task", "add", "Plan party")
    for command, first, again in (
        (("edit", "--parent", "none"), "Changed parent: Bake cake\n", "Same as before: Bake cake\n"),
        (("move", "none"), "Moved to the top level: Bake cake\n", "Already at the top level: Bake cake\n"),
    ):
        cake = edda.id_of("task", "add", "Bake cake", "--parent", party)
        edda("task", "rm", party)
        for said in (first, again):
            assert edda("task", command[0], cake, *command[1:]).stderr == said
        edda("task", "restore", party)
        assert edda.json("task", "show", cake)["parent_id"] is None
        edda("task", "rm", cake)


def test_a_move_says_its_target(edda: Any) -> None:
    party, cake = edda.id_of("task", "add", "Plan party"), edda.id_of("task", "add", "Bake cake")
    assert edda("task", "move", cake, party).stderr == "Moved below Plan party: Bake cake\n"
    assert edda("task", "move", cake, party).stderr == "Already below Plan party: Bake cake\n"
    assert edda("task", "move", cake, "none").stderr == "Moved to the top level: Bake cake\n"
    assert edda("task", "move", cake, "none").stderr == "Already at the top level: Bake cake\n"


@pytest.mark.parametrize("kind", ["task", "doc"])
def test_the_help_of_an_edit_names_no_defaults(edda: Any, kind: str) -> None:
    assert "unless you say so" in edda(kind, "add", "--help").stdout
    assert "unless you say so" not in edda(kind, "edit", "--help").stdout


def test_an_id_of_the_other_kind_is_told_with_the_command_that_takes_it(edda: Any) -> None:
    task_id, document_id = edda.id_of("task", "add", "a"), edda.id_of("doc", "add", "-", "--title", "D", stdin="x")
    for args in (["show"], ["done"], ["restore"], ["list", "--parent"]):
        said = edda("task", *args, document_id[-8:], code=3).stderr
        assert f"it is a document, which `edda doc show {document_id[-8:]}` shows." in said
    for verb in ("show", "restore", "edit"):
        said = edda("doc", verb, task_id, code=3).stderr
        assert f"it is a task, which `edda task show {task_id}` shows." in said
