from __future__ import annotations

import json
import os
import stat
import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlcipher3 import dbapi2 as sqlite

from edda_sync.cli.exports import names_of
from edda_sync.words.model import Document


def fill(edda: Any) -> None:
    task_id = edda.id_of("task", "add", "parent", "--tag", "b", "--tag", "a", "--metadata", '{"k": [1, {"x": null}]}')
    edda("task", "add", "child", "--parent", task_id, "--description", "two\nlines \u2028 \u202e")
    document_id = edda.id_of("doc", "add", "-", "--title", "Doc", "--tag", "a", stdin=b"text")
    edda("link", task_id, document_id)
    edda("task", "rm", edda.id_of("task", "add", "gone"))


def test_everything_except_the_trash_is_written_with_one_object_per_line_and_the_column_names(edda: Any) -> None:
    fill(edda)
    lines = edda("export").stdout.split("\n")
    assert lines.pop() == ""
    written = [json.loads(line) for line in lines]
    assert [each["kind"] for each in written] == ["tag", "tag", "document", "task", "task", "link"]
    parent, child = written[3], written[4]
    assert (parent["tags"], parent["metadata"]) == (["a", "b"], {"k": [1, {"x": None}]})
    assert (child["parent_id"], child["description"]) == (parent["id"], "two\nlines \u2028 \u202e")
    assert written[5].keys() == {"kind", "task_id", "document_id", "relationship_type", "created_at"}


def test_the_order_is_the_same_over_pages_and_exports(
    edda: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for title in "abcdefg":
        edda("task", "add", title)
    whole = edda("export").stdout
    monkeypatch.setattr("edda_sync.cli.exports.PAGE", 2)
    assert edda("export").stdout == whole
    edda("export", str(tmp_path / "all.jsonl"))
    edda("export", str(tmp_path / "all.jsonl"), "--force")
    assert (tmp_path / "all.jsonl").read_text() == whole
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".edda")] == []


def test_markdown_comes_back_byte_for_byte(edda: Any, tmp_path: Path) -> None:
    raws = {
        "README.md": b"\xef\xbb\xbf# BOM\r\n", "a/b/deep.md": b"nul \0 and\r\nmixed\nends", "a/empty.md": b"",
        "a/LOUD.MD": "ünï\u0301".encode(), "odd: *name?.md": b"x", "a.md": b"no newline",
    }  # fmt: skip
    for name, raw in raws.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(raw)
    edda("import", "markdown", str(tmp_path / "in"))
    edda("export", "--format", "markdown", str(tmp_path / "out"))
    written = {
        path.relative_to(tmp_path / "out").as_posix(): path
        for path in (tmp_path / "out").rglob("*")
        if path.is_file() and path.name != ".edda.jsonl"
    }
    assert {name: path.read_bytes() for name, path in written.items()} == raws


def test_files_that_differ_are_replaced_only_with_force(edda: Any, tmp_path: Path) -> None:
    edda("doc", "add", "-", "--title", "One", stdin=b"1")
    edda("doc", "add", "-", "--title", "Two", stdin=b"2")
    out = tmp_path / "out"
    edda("export", "--format", "markdown", str(out))
    edda("export", "--format", "markdown", str(out))
    (out / "One.md").write_bytes(b"mine")
    (out / "Two.md").unlink()
    assert "--force" in edda("export", "--format", "markdown", str(out), code=2).stderr
    assert not (out / "Two.md").exists(), "refused whole"
    assert (out / "One.md").read_bytes() == b"mine"
    edda("export", "--format", "markdown", str(out), "--force")
    assert ((out / "One.md").read_bytes(), (out / "Two.md").read_bytes()) == (b"1", b"2")


def test_an_existing_file_is_replaced_only_with_force(edda: Any, tmp_path: Path) -> None:
    edda("task", "add", "a")
    mine = tmp_path / "mine.jsonl"
    mine.write_text("precious")
    refused = edda("export", str(mine), code=2)
    assert f"{mine} is there already; nothing was written: --force replaces it." in refused.stderr
    assert mine.read_text() == "precious"
    edda("export", str(mine), "--force")
    assert json.loads(mine.read_text())["title"] == "a"


def test_a_broken_link_counts_as_an_existing_file(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    edda("export", str(tmp_path / "link"), code=2)
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("force", [[], ["--force"]])
def test_only_an_ordinary_file_is_replaced(edda: Any, tmp_path: Path, force: list[str]) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name in ("pipe", ""):
        assert "is no ordinary file" in edda("export", str(tmp_path / name), *force, code=2).stderr
    assert (tmp_path / "pipe").is_fifo()


def test_a_markdown_export_without_documents_still_makes_its_folder(edda: Any, tmp_path: Path) -> None:
    out = tmp_path / "above" / "out"
    assert f"Wrote 0 documents to {out}." in edda("export", "--format", "markdown", str(out)).stderr
    assert list(out.iterdir()) == []
    (tmp_path / "file").touch()
    edda("export", "--format", "markdown", str(tmp_path / "file"), code=1)


def test_an_export_without_a_folder_for_it_makes_no_store(another_edda: Callable[[str], Any], tmp_path: Path) -> None:
    edda = another_edda("fresh")
    assert f"no folder {tmp_path / 'nowhere'};" in edda("export", str(tmp_path / "nowhere" / "x"), code=2).stderr
    assert not edda.home.exists()


@pytest.mark.parametrize("command", [("simulate", "--seed", "1", "--html"), ("demo", "--svg")])
def test_a_picture_replaces_no_file_unasked_and_says_so_before_the_work(
    edda: Any, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / "mine").write_text("precious")
    refused = edda(*command, str(tmp_path / "mine"), code=2)
    assert "--force replaces it" in refused.stderr
    assert refused.stdout == ""
    assert (tmp_path / "mine").read_text() == "precious"


@pytest.mark.parametrize(
    "path",
    [
        "../out.md",
        "/etc/x.md",
        "a/../../x.md",
        "a//b.md",
        "./x.md",
        "a\\..\\x.md",
        "x\0.md",
        "x\n.md",
        "",
        "x",
        "x" * 300 + ".md",
    ],
)
def test_a_path_that_leads_outside_the_folder_is_not_taken(edda: Any, tmp_path: Path, path: str) -> None:
    edda("doc", "add", "-", "--title", "Tame", "--metadata", json.dumps({"markdown.path": path}), stdin=b"text")
    out = tmp_path / "deep" / "out"
    edda("export", "--format", "markdown", str(out))
    assert sorted(entry.name for entry in out.iterdir()) == [".edda.jsonl", "Tame.md"]
    assert [entry.name for entry in out.parent.iterdir()] == ["out"]


def wanting(title: str, path: str | None, number: int) -> Document:
    metadata = {} if path is None else {"markdown.path": path}
    return Document(id=f"00000000-0000-7000-8000-{number:012x}", title=title, metadata=metadata)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (
            [("x", "Notes.md"), ("x", "notes.md"), ("x", "notes.md/inside.md")],
            ["Notes.md", "notes-000000000001.md", "00000000-0000-7000-8000-000000000002.md"],
        ),
        ([("x", "e\u0301.md"), ("x", "\u00e9.md")], ["e\u0301.md", "\u00e9-000000000001.md"]),
        ([("x", "folder.md/inside.md"), ("x", "Folder.md")], ["folder.md/inside.md", "Folder-000000000001.md"]),
        (
            [("a/b: c?", None), ("...", None), ("..", None)],
            ["a-b- c-.md", "untitled.md", "untitled-000000000002.md"],
        ),
        ([("TODO", None), ("x", "todo.md")], ["TODO-000000000000.md", "todo.md"]),
        ([("x", "a.md"), ("x", "A.md"), ("x", "A-000000000001.md")], ["a.md", None, "A-000000000001.md"]),
    ],
)
def test_names_differ_on_every_file_system(wanted: list[tuple[str, str | None]], names: list[str | None]) -> None:
    found = names_of(wanting(title, path, number) for number, (title, path) in enumerate(wanted))
    for number, name in enumerate(names):
        assert name is None or found[f"00000000-0000-7000-8000-{number:012x}"] == name


def test_a_long_title_makes_no_name_that_is_too_long() -> None:
    assert all(
        len(name.encode()) < 255 for name in names_of(wanting("長" * 500, None, number) for number in range(2)).values()
    )


SOME = st.sampled_from(
    [
        "todo",
        "Todo",
        "TODO",
        "a",
        "a.md",
        "\u00e9",
        "e\u0301",
        "\u00c9",
        "ß",
        "SS",
        "\u1fb3",
        "\u03b1\u0345",
        "..",
        "a/b",
    ]
)
ENDS = [f"00000000-0000-7000-8000-{number:012x}" for number in range(4)]
TITLES = st.one_of(SOME, st.sampled_from(ENDS), st.builds("{}-{:012x}".format, SOME, st.integers(0, 4)))
PATHS = st.one_of(st.none(), st.builds("{}.md".format, TITLES), st.builds("{}.md/{}.md".format, SOME, TITLES))


@given(st.lists(st.tuples(TITLES, PATHS), max_size=12))
def test_a_document_keeps_the_path_that_it_was_imported_from_and_no_two_have_one_file(
    wanted: list[tuple[str, str | None]],
) -> None:
    documents = [wanting(title, path, number) for number, (title, path) in enumerate(wanted)]
    names = names_of(documents)
    assert names.keys() == {each.id for each in documents}

    def on_disk(name: str) -> str:
        return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())

    files = {on_disk(name) for name in names.values()}
    assert len(files) == len(documents)
    assert not {"/".join(name.split("/")[:1]) for name in files if "/" in name} & files, "no file is a folder too"
    imported = [(each.id, each.metadata["markdown.path"]) for each in documents if "markdown.path" in each.metadata]
    for place, (document_id, path) in enumerate(imported):
        before = [on_disk(other) for _, other in imported[:place]]
        alone = all(
            on_disk(path) != other
            and not on_disk(path).startswith(f"{other}/")
            and not other.startswith(f"{on_disk(path)}/")
            for other in before
        )
        if alone and ".." not in path.removesuffix(".md").split("/"):
            assert names[document_id] == path


def test_a_title_takes_no_imported_documents_file(edda: Any, tmp_path: Path) -> None:
    vault = tmp_path / "vault"
    vault.mkdir()
    for name in ("todo.md", "Étude.md"):
        (vault / name).write_text(f"# {name} of the vault\n")
    edda("doc", "add", "-", stdin=b"# Todo\n\nmade by hand\n")
    edda("import", "markdown", str(vault))
    edda("doc", "add", "-", stdin=b"# todo\n\nmade by hand, later\n")
    edda("doc", "add", "-", stdin="# e\u0301tude\n\nmade by hand\n".encode())
    edda("export", "--format", "markdown", str(vault))
    assert [(vault / name).read_text() for name in ("todo.md", "Étude.md")] == [
        "# todo.md of the vault\n", "# Étude.md of the vault\n",
    ]  # fmt: skip
    assert len(list(vault.glob("*.md"))) == 5


def test_nothing_is_written_through_a_link(edda: Any, tmp_path: Path) -> None:
    edda("doc", "add", "-", "--title", "T", "--metadata", '{"markdown.path": "sub/T.md"}', stdin=b"text")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").symlink_to(tmp_path / "elsewhere")
    assert "is a link" in edda("export", "--format", "markdown", str(tmp_path / "out"), code=2).stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_conflicts_are_listed_with_every_value_and_when(another_edda: Callable[[str], Any], tmp_path: Path) -> None:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.testing import pair, sync
    from edda_sync.words.config import StorageConfig
    from edda_sync.words.model import Task

    edda = another_edda("laptop")
    edda("init")
    assert "No conflicts" in edda("conflicts").stderr
    task_id = edda.id_of("task", "add", "old")
    laptop, phone = StorageEngine(edda.home), StorageEngine(tmp_path / "phone")
    laptop.initialize()
    phone.open_store(StorageConfig(name="phone"))
    with laptop, phone:
        pair(laptop, phone)
        sync(laptop, phone)
        laptop.update_task(Task(id=task_id, title="on the laptop", status="done"))
        phone.update_task(Task(id=task_id, title="on the phone"))
        sync(laptop, phone)
    (conflict,) = edda.json("conflicts")
    assert (conflict["kind"], conflict["id"], conflict["field"]) == ("task", task_id, "title")
    assert {conflict["shown"]["value"], conflict["kept"][0]["value"]} == {"on the laptop", "on the phone"}
    actors = {each["actor"] for each in (conflict["shown"], *conflict["kept"])}
    assert len(actors) == 2
    assert actors <= set(edda.json("status")["frontier"]), "in hex, as everywhere"
    printed = edda("conflicts").stdout
    assert "on the laptop" in printed
    assert "on the phone" in printed
    edda("task", "edit", task_id, "--title", conflict["shown"]["value"])
    assert edda.json("conflicts") == []


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("markdown", "`edda export --format markdown DIR`"),
        ("MD", "`edda export --format markdown DIR`"),
        ("jsonl", "`edda export FILE` writes JSON lines to a file"),
        ("csv", "is a format in which nothing is written"),
        ("notes.md", "JSON lines are no Markdown"),
        ("out/", "out/ is a folder"),
    ],
)
def test_the_name_of_another_format_is_not_taken_as_a_file(
    edda: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    refused = edda("export", typed, code=2).stderr
    assert said in refused
    assert "nothing was written" in refused
    assert sorted(tmp_path.iterdir()) == before


def test_any_word_is_a_path_if_the_format_is_named(edda: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    edda("doc", "add", "-", "--title", "One", stdin=b"1")
    edda("export", "--format", "markdown", "md")
    assert (tmp_path / "md" / "One.md").read_bytes() == b"1"
    edda("export", "--format", "jsonl", "json")
    edda("export", "./markdown")
    assert (tmp_path / "json").read_text() == (tmp_path / "markdown").read_text() == edda("export", "-").stdout
    assert not (tmp_path / "-").exists()


def test_an_export_to_a_file_says_how_much_it_holds(edda: Any, tmp_path: Path) -> None:
    edda("task", "add", "a", "--tag", "t")
    said = edda("export", str(tmp_path / "all.jsonl")).stderr
    assert said == f"Wrote 1 task, 0 documents, 1 tag, 0 links to {tmp_path / 'all.jsonl'}.\n"


def test_everything_that_is_written_out_is_readable_by_its_owner_only(edda: Any, tmp_path: Path) -> None:
    (tmp_path / "report.txt").write_text("text")
    document = edda("doc", "add", "--title", "D", "-", stdin="text").stdout.split()[0]
    edda("attach", document, str(tmp_path / "report.txt"))
    before = os.umask(0o022)
    try:
        edda("export", str(tmp_path / "all.jsonl"))
        edda("export", "--format", "markdown", str(tmp_path / "folder"))
    finally:
        os.umask(before)
    written = [tmp_path / "all.jsonl", *(tmp_path / "all.jsonl.files").rglob("*"), *(tmp_path / "folder").rglob("*")]
    files = {path: stat.S_IMODE(path.stat().st_mode) for path in written if path.is_file()}
    assert sorted(path.name for path in files) == [".edda.jsonl", "D.md", "all.jsonl", "report.txt", "report.txt"]
    assert set(files.values()) == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in written if path.is_dir()} == {0o700}


@pytest.mark.parametrize("form", [["all.jsonl"], ["--format", "markdown", "folder"]])
def test_what_is_written_out_of_a_store_that_rotted_is_what_was_written_into_it(
    edda: Any, tmp_path: Path, form: list[str]
) -> None:
    edda("doc", "add", "--title", "D", "-", stdin="text")
    edda("task", "add", "Buy milk")
    with closing(sqlite.connect(str(edda.home / "edda.db"), isolation_level=None)) as connection:
        connection.execute("UPDATE documents SET content = 'tezt'")
        connection.execute("UPDATE tasks SET title = 'Buy mule'")
    *options, name = form
    edda("export", *options, str(tmp_path / name))
    found = [path.read_text() for path in ((tmp_path / name).rglob("*") if options else [tmp_path / name])]
    assert "tezt" not in "".join(found)
    assert "mule" not in "".join(found)
    assert "".join(found).count("text") >= 1


def test_an_export_that_would_replace_files_names_them(edda: Any, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    for number in range(6):
        edda("doc", "add", "-", "--title", f"n{number}", stdin="new")
        (folder / f"n{number}.md").write_text("old")
    said = edda("export", "--format", "markdown", str(folder), code=2).stderr
    assert "6 files in" in said
    assert "(n0.md, n1.md, n2.md, n3.md, n4.md and others); nothing was written: --force does that." in said
    assert {each.read_text() for each in folder.iterdir()} == {"old"}
