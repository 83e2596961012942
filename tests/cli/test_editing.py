"""Replaced texts: nothing that a person wrote is lost, and what the command says is true."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edda_sync.cli import editing
from tests.cli.processes import EDDA, on_a_terminal

Editor = Callable[[str], None]
TEXT = "alpha\n  beta\n"
BLANKS = ["", "\n", " \r\n\t\n"]
KEPT = re.compile(r"kept in (\S+)\.\s")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files; only files that the command named may be left in it."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture
def document(edda: Any) -> str:
    return str(edda.id_of("doc", "add", "-", "--title", "T", stdin=TEXT))


@pytest.fixture
def task(edda: Any) -> str:
    return str(edda.id_of("task", "add", "T", "--description", TEXT))


def left(folder: Path) -> list[Path]:
    """The files below a folder."""
    return [path for path in folder.rglob("*") if not path.is_dir()]


def content(edda: Any, document: str) -> str:
    return bytes(edda("doc", "show", document).stdout_bytes).decode()


def description(edda: Any, task: str) -> Any:
    return edda.json("task", "show", task)["description"]


# --- nothing is emptied by accident -----------------------------------------------------------------------------------


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("way", ["--content", "--file", "stdin"])
def test_a_document_is_not_emptied_unless_somebody_says_so(
    edda: Any, document: str, tmp_path: Path, way: str, blank: str
) -> None:
    (tmp_path / "blank").write_text(blank, newline="")
    args = {"--content": ["--content", blank], "--file": ["--file", str(tmp_path / "blank")], "stdin": ["--file", "-"]}
    command = ["doc", "edit", document, *args[way]]
    refused = edda(*command, code=2, stdin=blank).stderr
    assert f"would empty the content of this document ({len(TEXT)} bytes); nothing was changed" in refused
    assert content(edda, document) == TEXT
    show, empty = re.findall(r"`edda ([^`]*)`", refused)  # what it says is true, word for word
    assert edda(*show.split()).stdout == TEXT
    edda(*[word.replace('""', "") for word in empty.split()])
    assert content(edda, document) == ""
    edda(*command, stdin=blank)  # nothing is lost any more
    assert content(edda, document) == blank


@pytest.mark.parametrize("blank", BLANKS)
@pytest.mark.parametrize("way", ["--description", "--description-file", "stdin"])
def test_a_description_is_not_emptied_unless_somebody_says_so(
    edda: Any, task: str, tmp_path: Path, way: str, blank: str
) -> None:
    (tmp_path / "blank").write_text(blank, newline="")
    given = {"--description": ["--description", blank], "stdin": ["--description-file", "-"]}
    command = ["task", "edit", task, *given.get(way, ["--description-file", str(tmp_path / "blank")])]
    refused = edda(*command, "--priority", "0", code=2, stdin=blank).stderr
    assert f"would empty the description of this task ({len(TEXT)} bytes); nothing was changed" in refused
    assert description(edda, task) == TEXT
    assert edda.json("task", "show", task)["priority"] == 2
    show, empty = re.findall(r"`edda ([^`]*)`", refused)
    assert "alpha" in edda(*show.split()).stdout
    edda(*[word.replace('""', "") for word in empty.split()])
    assert not description(edda, task)
    edda(*command, stdin=blank)


@pytest.mark.parametrize("blank", BLANKS)
def test_an_editor_that_leaves_an_empty_file_empties_nothing_unless_somebody_says_so(
    edda: Any, document: str, editor: Editor, temporary: Path, blank: str
) -> None:
    editor(f"path.write_bytes({blank.encode()!r})")
    refused = edda("doc", "edit", document, code=2).stderr
    assert "would empty the content of this document" in refused
    assert not KEPT.search(refused)
    assert content(edda, document) == TEXT
    assert list(temporary.iterdir()) == []
    edda("doc", "edit", document, "--allow-empty")
    assert content(edda, document) == blank
    assert list(temporary.iterdir()) == []


def test_an_empty_text_may_stay_empty(edda: Any, editor: Editor) -> None:
    document = edda.id_of("doc", "add", "-", "--title", "T", stdin="")
    task = edda.id_of("task", "add", "T")
    edda("doc", "edit", document, "--content", " ")
    editor("path.write_bytes(b'')")
    edda("doc", "edit", document)
    edda("task", "edit", task, "--description", "")
    edda("task", "edit", task, "--description", "", "--title", "U")
    assert edda.json("task", "show", task)["title"] == "U"


@pytest.mark.parametrize("answer", ["y", "n", ""])
@pytest.mark.parametrize("way", ["content", "editor", "description"])
def test_a_person_is_asked_and_told_where_the_old_text_is(
    edda: Any, document: str, task: str, editor: Editor, temporary: Path, way: str, answer: str
) -> None:
    editor("path.write_bytes(b'')")
    command = {
        "content": ["doc", "edit", document, "--content", ""],
        "editor": ["doc", "edit", document],
        "description": ["task", "edit", task, "--description", ""],
    }
    code, printed = on_a_terminal(edda.home, *command[way], typed=f"{answer}\n".encode())
    assert f"({len(TEXT)} bytes). Empty it? [y/N]" in printed
    now = description(edda, task) if way == "description" else content(edda, document)
    if answer == "y":
        assert code == 0
        assert not now
        kept = KEPT.search(printed)
        assert kept is not None
        assert Path(kept[1]).read_text() == TEXT
        assert Path(kept[1]).stat().st_mode & 0o077 == 0
        assert left(temporary) == [Path(kept[1])]
    else:
        assert code == 1
        assert printed.rstrip().endswith("Nothing was changed.")
        assert now == TEXT
        assert list(temporary.iterdir()) == []


# --- editors that fail ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("path.write_bytes(b'\\xff')", 2),
        ("path.write_text('x'); sys.exit(3)", 1),
        ("path.write_bytes(b'x' * (17 << 20))", 2),
    ],
)
def test_a_text_that_cannot_be_taken_from_the_editor_is_kept(
    edda: Any, document: str, editor: Editor, temporary: Path, change: str, code: int
) -> None:
    editor(change)
    failed = edda("doc", "edit", document, code=code).stderr
    kept = KEPT.search(failed)
    assert kept is not None
    assert Path(kept[1]).read_bytes()[:1] in (b"\xff", b"x")
    assert left(temporary) == [Path(kept[1])]
    assert content(edda, document) == TEXT


def test_a_written_text_is_kept_if_the_store_cannot_take_it(
    edda: Any, document: str, editor: Editor, temporary: Path
) -> None:
    editor(
        f"import subprocess; subprocess.run([sys.executable, '-m', 'edda_sync.cli', '--home', {str(edda.home)!r}, "
        f"'doc', 'rm', {document!r}], check=True)\npath.write_text('hours of work')"
    )
    failed = edda("doc", "edit", document, code=3).stderr
    kept = KEPT.search(failed)
    assert kept is not None
    assert Path(kept[1]).read_text() == "hours of work"
    assert left(temporary) == [Path(kept[1])]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ("path.unlink()", "took the file away"),
        ("sys.exit(3)", "ended with 3"),
        ("path.unlink(); sys.exit(3)", "ended with 3"),
    ],
)
def test_an_editor_that_wrote_nothing_leaves_no_file_and_no_message_that_a_file_is_kept(
    edda: Any, document: str, editor: Editor, temporary: Path, change: str, says: str
) -> None:
    editor(change)
    failed = edda("doc", "edit", document, code=1).stderr
    assert says in failed
    assert "nothing was changed" in failed
    assert "kept" not in failed
    assert list(temporary.iterdir()) == []
    assert content(edda, document) == TEXT


@pytest.mark.parametrize("name", ["no-such-editor", "/", "'open quote", " "])
def test_an_editor_that_cannot_be_run_is_named_with_what_to_do(
    edda: Any, document: str, temporary: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv("VISUAL", name)
    failed = edda("doc", "edit", document, code=2).stderr
    assert f"The editor {name} cannot be run" in failed
    assert "set VISUAL or EDITOR" in failed
    assert "kept" not in failed
    assert list(temporary.iterdir()) == []


ENDINGS = {
    "a new file takes its place": ("new = path.with_name('new'); new.write_text('mine'); new.replace(path)", "mine"),
    "a copy and a swap file stay": (
        (f"path.with_name('text.md~').write_text({TEXT!r}); path.with_name('.text.md.swp').write_text('x');"
        " path.write_text('mine')"),
        "mine",
    ),
    "line ends of Windows, and a mark": ("path.write_bytes(b'\\xef\\xbb\\xbf' + b'alpha\\r\\n  beta\\r\\ngamma\\r\\n')",
                                          TEXT + "gamma\n"),
    "mixed line ends are meant": ("path.write_bytes(b'a\\r\\nb\\n')", "a\r\nb\n"),
    "Ctrl-C, which the editor takes as one of its keys": (
        ("import os, signal; signal.signal(signal.SIGINT, signal.SIG_IGN); os.kill(os.getppid(), signal.SIGINT);"
        " path.write_text('mine')"),
        "mine",
    ),
}  # fmt: skip


@pytest.mark.parametrize("ending", ENDINGS.values(), ids=ENDINGS.keys())
def test_what_an_editor_saved_is_taken_however_it_saves(
    edda: Any, document: str, editor: Editor, temporary: Path, ending: tuple[str, str]
) -> None:
    editor(ending[0])
    edda("doc", "edit", document)
    assert content(edda, document) == ending[1]
    assert list(temporary.iterdir()) == []


def test_a_title_and_a_description_keep_their_line_ends_too(edda: Any, task: str, editor: Editor) -> None:
    editor("path.write_bytes(path.read_bytes().replace(b'\\n', b'\\r\\n') + b'gamma\\r\\n')")
    edda("task", "edit", task)
    assert description(edda, task) == TEXT + "gamma\n"
    assert edda.json("task", "show", task)["title"] == "T"


@pytest.mark.parametrize("kind", ["doc", "task"])
def test_what_an_editor_had_saved_when_it_was_killed_is_kept(
    edda: Any, document: str, task: str, editor: Editor, temporary: Path, kind: str
) -> None:
    editor("import os, signal; path.write_text('hours of work'); os.kill(os.getpid(), signal.SIGKILL)")
    failed = edda(kind, "edit", {"doc": document, "task": task}[kind], code=1).stderr
    assert "was ended by SIGKILL; nothing was changed" in failed
    kept = KEPT.search(failed)
    assert kept is not None
    assert Path(kept[1]).read_text() == "hours of work"


def test_what_an_editor_had_not_saved_when_it_failed_is_kept_beside_the_file(
    edda: Any, document: str, editor: Editor, temporary: Path
) -> None:
    editor("path.with_name('.text.md.swp').write_text('hours of work'); sys.exit(1)")
    failed = edda("doc", "edit", document, code=1).stderr
    kept = re.search(r"What the editor left is kept in (\S+)\.\s", failed)
    assert kept is not None
    assert (Path(kept[1]) / ".text.md.swp").read_text() == "hours of work"
    assert Path(kept[1]).stat().st_mode & 0o077 == 0


def test_something_else_in_the_place_of_the_file_is_kept_and_named(
    edda: Any, document: str, editor: Editor, temporary: Path
) -> None:
    editor("path.unlink(); path.mkdir(); (path / 'words').write_text('hours of work')")
    failed = edda("doc", "edit", document, code=1).stderr
    assert "cannot be read (Is a directory); nothing was changed" in failed
    kept = KEPT.search(failed)
    assert kept is not None
    assert (Path(kept[1]) / "words").read_text() == "hours of work"


def test_a_folder_for_temporary_files_that_takes_none_is_named(
    edda: Any, document: str, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    temporary.rmdir()
    temporary.write_text("no folder")
    failed = edda("doc", "edit", document, code=1).stderr
    assert str(temporary) in failed
    assert "Traceback" not in failed


# --- editors that do not wait -----------------------------------------------------------------------------------------


def test_an_editor_that_returned_at_once_may_save_later_to_the_file_that_was_named(
    edda: Any, document: str, editor: Editor, temporary: Path
) -> None:
    later = "import pathlib, sys, time; time.sleep(0.5); pathlib.Path(sys.argv[1]).write_text('typed in a window'); "
    editor(f"import subprocess; subprocess.Popen([sys.executable, '-c', {later!r}, sys.argv[1]])")
    code, printed = on_a_terminal(edda.home, "doc", "edit", document)  # which lasts until nobody has the terminal open
    assert code == 0
    assert "Nothing was changed." in printed
    assert "The editor returned at once" in printed
    assert "such as `code --wait`" in printed
    named = re.search(r"is in (\S+) and not here", printed)
    assert named is not None
    assert Path(named[1]).read_text() == "typed in a window"
    assert left(temporary) == [Path(named[1])]
    assert content(edda, document) == TEXT


def test_an_editor_with_files_of_its_own_beside_the_text_is_still_open(
    edda: Any, document: str, editor: Editor, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(editing, "AT_ONCE_S", 0.0)
    editor("path.with_name('.text.md.swp').write_text('x')")
    said = edda("doc", "edit", document).stderr
    assert "The editor returned at once" in said
    assert {path.name for path in left(temporary)} == {"text.md", ".text.md.swp"}


@pytest.mark.parametrize("code", ["import time; time.sleep(2)", "path.write_text('other')"])
def test_an_editor_that_waited_or_changed_the_text_leaves_no_file(
    edda: Any, document: str, editor: Editor, temporary: Path, code: str
) -> None:
    editor(code)
    assert "returned at once" not in edda("doc", "edit", document).stderr
    assert list(temporary.iterdir()) == []


# --- what was deleted meanwhile ---------------------------------------------------------------------------------------


def test_a_document_that_was_deleted_while_the_editor_was_open_is_named_with_the_way_back(
    edda: Any, document: str, editor: Editor, temporary: Path
) -> None:
    delete = [*EDDA, "--home", str(edda.home), "doc", "rm", document]
    back = f"The document '{document}' is in the trash; `edda doc restore {document}` brings it back."
    editor(f"import subprocess, time; subprocess.run({delete!r}, check=True); time.sleep({editing.AT_ONCE_S})")
    said = edda("doc", "edit", document).stderr
    assert said == f"Nothing was changed.\nMeanwhile: {back}\n"
    edda("doc", "restore", document)
    editor(f"import subprocess; subprocess.run({delete!r}, check=True)\npath.write_text('mine')")
    said = edda("doc", "edit", document, code=3).stderr
    assert back in said
    kept = KEPT.search(said)
    assert kept is not None
    assert Path(kept[1]).read_text() == "mine"


# --- of an encrypted store --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_encrypted", [True, False])
def test_a_text_of_an_encrypted_store_is_edited_in_memory(
    edda: Any,
    document: str,
    editor: Editor,
    temporary: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_encrypted: bool,
) -> None:
    memory, seen = tmp_path / "memory", tmp_path / "seen"
    memory.mkdir()
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(memory))
    if is_encrypted:
        edda("store", "encrypt", "--key-file", str(tmp_path / "key"))
    editor(f"path.write_text('new'); pathlib.Path({str(seen)!r}).write_text(str(path.parent.parent))")
    edda("doc", "edit", document)
    assert seen.read_text() == str(memory if is_encrypted else temporary)
    assert content(edda, document) == "new"
    assert list(memory.iterdir()) == list(temporary.iterdir()) == []


@pytest.mark.parametrize("kind", ["task", "doc"])
def test_without_a_terminal_no_editor_is_started_that_nobody_chose(
    edda: Any, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VISUAL", raising=False)
    monkeypatch.delenv("EDITOR", raising=False)
    item = edda.id_of(kind, "add", *(["-", "--title"] if kind == "doc" else []), "one", stdin=b"x")
    said = edda(kind, "edit", item, code=2).stderr
    assert "There is no terminal for an editor, and neither VISUAL nor EDITOR is set; nothing was changed" in said
