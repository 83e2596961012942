from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import edda_sync.cli
from edda_sync.cli.main import COMMANDS, root
from tests.cli.processes import EDDA, Running, on_a_terminal

HEAVY = (
    "pycrdt", "sqlite_utils", "keyring", "cryptography", "zeroconf", "rich", "websockets", "asyncio", "spake2", "zstandard",
)  # fmt: skip


def run(home: Path, *args: str | bytes, **how: Any) -> subprocess.CompletedProcess[bytes]:
    """Run the real command in a process of its own."""
    return subprocess.run([*EDDA, "--home", str(home), *args], capture_output=True, check=False, **how)


# --- what is loaded ---------------------------------------------------------------------------------------------------


def loaded_by(home: Path, *args: str) -> set[str]:
    """Return which heavy modules a command loads."""
    code = (
        "import sys\nfrom edda_sync.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code, ended.code\n"
        f"print(*[name for name in {HEAVY!r} if name in sys.modules], file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code, "--home", str(home), *args], capture_output=True, check=True)
    return set(ended.stderr.decode().split("\n")[-2].split())


def test_listing_tasks_loads_nothing_heavy(edda: Any) -> None:
    edda("task", "add", "a", "--tag", "t", "--description", "text")
    assert loaded_by(edda.home, "task", "list") == set()
    assert loaded_by(edda.home, "task", "list", "--json", "--text", "text") == set()
    assert loaded_by(edda.home, "task", "add", "b") == set()
    assert loaded_by(edda.home, "--help") == set()


def test_the_check_for_heavy_modules_sees_one(tmp_path: Path) -> None:
    assert "cryptography" in loaded_by(tmp_path / "new", "task", "list"), "a new store makes a key"


# --- help and completion ----------------------------------------------------------------------------------------------


def test_help_names_every_command_there_is(edda: Any) -> None:
    listed = edda("--help").stdout
    context = root.make_context("edda", ["task"])
    for name in root.list_commands(context):
        assert re.search(rf"^  {name} ", listed, re.MULTILINE)
        command = root.get_command(context, name)
        assert command is not None
        assert command.name == name
        assert "Usage: edda" in edda(name, "--help").stdout
    assert {
        "init",
        "task",
        "doc",
        "tag",
        "link",
        "import",
        "export",
        "conflicts",
        "doctor",
        "completion",
    } <= COMMANDS.keys()


def test_a_group_without_a_command_shows_its_help(edda: Any) -> None:
    assert "Commands:" in edda("task", code=2).stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_printed_for_each_shell(edda: Any, shell: str) -> None:
    assert "_EDDA_COMPLETE" in edda("completion", shell).stdout


def test_completion_completes_commands_and_options(edda: Any) -> None:
    def complete(line: str) -> str:
        environment = {
            **os.environ,
            "_EDDA_COMPLETE": "bash_complete",
            "COMP_WORDS": line,
            "COMP_CWORD": str(line.count(" ")),
        }
        return subprocess.run(EDDA, env=environment, capture_output=True, check=True).stdout.decode()

    assert "plain,list" in complete("edda task li")
    assert "plain,blocked" in complete("edda task list --status blo")


def test_the_version_is_told(edda: Any) -> None:
    assert re.fullmatch(r"edda \d+\.\d+\.\d+.*\n", edda("--version").stdout)


# --- stores -----------------------------------------------------------------------------------------------------------


def test_the_first_command_makes_the_store_and_says_so_once(tmp_path: Path, another_edda: Callable[[str], Any]) -> None:
    edda = another_edda("fresh")
    first = edda("task", "add", "a")
    assert len(first.stderr.splitlines()) == 1
    assert str(tmp_path / "fresh") in first.stderr
    assert edda("task", "list").stderr == ""


def test_init_names_the_device_and_says_when_there_is_a_store_already(another_edda: Callable[[str], Any]) -> None:
    edda = another_edda("fresh")
    assert '"my laptop"' in edda("init", "--name", "my laptop").stdout
    assert "already" in edda("init", "--name", "other").stdout
    another_edda("other")("init", "--name", "", code=2)


def test_the_store_lies_where_the_environment_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_HOME", str(tmp_path / "elsewhere"))
    subprocess.run([*EDDA, "task", "add", "a"], check=True, capture_output=True)
    assert (tmp_path / "elsewhere" / "edda.db").exists()


def test_an_empty_name_of_a_home_is_not_the_present_folder(tmp_path: Path) -> None:
    refused = subprocess.run(
        [*EDDA, "--home", "", "task", "add", "a"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "--home" in refused.stderr
    assert "empty" in refused.stderr
    assert not (tmp_path / "edda.db").exists()


def test_a_text_that_begins_with_a_dash_goes_behind_two(edda: Any) -> None:
    edda("task", "add", "--", "- [ ] x")
    assert [each["title"] for each in edda.json("task", "list")] == ["- [ ] x"]


def test_agent_and_reason_are_kept_in_the_history(edda: Any) -> None:
    from edda_sync.changes.change import decode_header
    from edda_sync.engine.engine import open as open_store

    edda("--agent", "claude", "--reason", "weekly review", "task", "add", "a")
    with open_store(edda.home) as store, store.store.read() as reader:
        header = decode_header(reader.logged(reader.log_position()).raw)
    assert (header.agent, header.reason) == ("claude", "weekly review")


def test_a_file_that_is_no_store_is_left_alone(another_edda: Callable[[str], Any]) -> None:
    edda = another_edda("home")
    edda.home.mkdir()
    (edda.home / "edda.db").write_bytes(b"precious" * 100)
    assert "is not an edda store" in edda("task", "list", code=1).stderr
    assert (edda.home / "edda.db").read_bytes() == b"precious" * 100


def test_a_home_that_is_a_file_is_left_alone(tmp_path: Path, another_edda: Callable[[str], Any]) -> None:
    (tmp_path / "home").write_text("precious")
    assert another_edda("home")("task", "add", "a", code=1).stderr.count("\n") == 1
    assert (tmp_path / "home").read_text() == "precious"


def test_the_store_of_a_newer_version_is_left_alone(edda: Any) -> None:
    with closing(sqlite3.connect(edda.home / "edda.db")) as connection:
        connection.execute("PRAGMA user_version = 99")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = (edda.home / "edda.db").read_bytes()
    refused = edda("task", "add", "a", code=1).stderr
    assert "newer" in refused
    assert refused.count("\n") == 1
    assert (edda.home / "edda.db").read_bytes() == before


@pytest.fixture
def obedient() -> list[str]:
    """What to put before a command so that it obeys permissions, also when root runs the tests."""
    if os.geteuid() != 0:
        return []
    prefix = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
    if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], check=False).returncode != 0:
        pytest.skip("root may write everywhere, and cannot give that up here")
    return prefix


def test_a_read_only_folder_is_told_in_one_sentence(tmp_path: Path, obedient: list[str]) -> None:
    home = tmp_path / "home"
    assert run(home, "task", "add", "a").returncode == 0
    for path in (*home.iterdir(), home):
        path.chmod(0o555 if path.is_dir() else 0o444)
    for folder, args in ((home, ["task", "add", "b"]), (home, ["task", "list"]), (home / "deeper", ["task", "list"])):
        command = [*obedient, *EDDA, "--home", str(folder), *args]
        refused = subprocess.run(command, capture_output=True, check=False)
        assert refused.returncode == 1, refused.stderr
        assert b"read-only" in refused.stderr
        assert refused.stderr.count(b"\n") == 1
    home.chmod(0o755)


# --- bad input --------------------------------------------------------------------------------------------------------

DEEP = "[" * 100_000


@pytest.mark.parametrize(
    ("args", "code", "says"),
    [
        (["task", "show", "ffffff"], 3, "no task 'ffffff'"),
        (["task", "show", "nonsense"], 3, "no task 'nonsense'"),
        (["task", "show", "../../etc"], 3, "no task"),
        (["task", "show", "\x1b[31m"], 3, "\\x1b[31m"),
        (["task", "show", "%%%%%%"], 3, "no task"),
        (["task", "done", "01234567-89ab-7def-8123-456789abcdef"], 3, "no task"),
        (["doc", "show", "ffffff"], 3, "no document"),
        (["doc", "restore", "ffffff"], 3, "no document"),
        (["tag", "rm", "nope"], 3, "no tag"),
        (["task", "add", ""], 2, "title"),
        (["task", "add", "   "], 2, "blank"),
        (["task", "add", "x" * 501], 2, "501"),
        (["task", "add", "a\0b"], 2, "control character"),
        (["task", "add", "a\nb"], 2, "one line"),
        (["task", "add", "half \udcff"], 2, "lone surrogate"),
        (["task", "add", "a", "--description", "half \udcff"], 2, "lone surrogate"),
        (["task", "add", "a", "--tag", "half \ud800"], 2, "lone surrogate"),
        (["task", "add", "a", "--metadata", '{"k": "\udcff"}'], 2, "lone surrogate"),
        (["task", "add", "a", "--tag", ""], 2, "empty"),
        (["task", "add", "a", "--status", "finished"], 2, "status"),
        (["task", "add", "a", "--priority", "5"], 2, "priority"),
        (["task", "add", "a", "--priority", "-1"], 2, "priority"),
        (["task", "add", "a", "--priority", "high"], 2, "priority"),
        (["task", "add", "a", "--due", "tomorrow"], 2, "2026-03-01"),
        (["task", "add", "a", "--due", "2026-02-30"], 2, "2026-03-01"),
        (["task", "add", "a", "--due", "0001-01-01T00:00:00+23:00"], 2, "2026-03-01"),
        (["task", "add", "a", "--parent", "ffffff"], 3, "no task"),
        (["task", "add", "a", "--metadata", "{"], 2, "is not JSON"),
        (["task", "add", "a", "--metadata", "[1]"], 2, "JSON object"),
        (["task", "add", "a", "--metadata", '{"k": NaN}'], 2, "NaN"),
        (["task", "add", "a", "--metadata", DEEP], 2, "nested"),
        (["task", "add", "a", "--metadata", '{"k": ' + "[" * 70 + "]" * 70 + "}"], 2, "64 levels"),
        (["task", "add", "a", "--metadata", '{"' + "k" * 300 + '": 1}'], 2, "256"),
        (["task", "add", "a", "--metadata", '{"": 1}'], 2, "256"),
        (["task", "add", "a", "--description-file", "/nowhere/at/all"], 1, "/nowhere/at/all"),
        (["task", "list", "--due-before", "soon"], 2, "due_date"),
        (["task", "list", "--priority", "9"], 2, "priority"),
        (["task", "list", "--limit", "-1"], 2, "limit"),
        (["task", "list", "--order", "relevance"], 2, "relevance"),
        (["task", "list", "--text", " "], 2, "text"),
        (["task", "list", "--parent", "ffffff"], 3, "no task"),
        (["task", "edit", "KNOWN"], 2, "what to change"),
        (["task", "edit", "KNOWN", "--title", ""], 2, "title"),
        (["task", "edit", "KNOWN", "--due", "x"], 2, "due_date"),
        (["doc", "add", "/nowhere/at/all"], 1, "/nowhere/at/all"),
        (["doc", "list", "--limit", "-1"], 2, "limit"),
        (["link", "KNOWN", "ffffff"], 3, "no document"),
        (["export", "--format", "markdown"], 2, "folder"),
        (["export", "/nowhere/at/all/x"], 2, "no folder /nowhere/at/all;"),
        (["export", ""], 2, "empty"),
        (["import", "markdown", ""], 2, "empty"),
        (["doc", "add", ""], 2, "empty"),
        (["import", "beads", "/nowhere/at/all"], 1, "/nowhere/at/all"),
        (["import", "markdown", "/nowhere/at/all"], 1, "/nowhere/at/all"),
        (["tag", "add", "a\tb"], 2, "control character"),
        (["tag", "add", "x" * 201], 2, "200"),
        (["--agent", "", "task", "add", "a"], 2, "agent"),
        (["task", "show", "abc"], 3, "`edda task list` shows ids, of which the last 6 or more characters will do."),
        (["doc", "show", "abc"], 3, "`edda doc list` shows ids, of which the last 6 or more characters will do."),
        (["task", "list", "--home", "x"], 2, "--home stands before the command, as in `edda --home DIR task list`."),
        (["task", "add", "a", "--agent=x"], 2, "as in `edda --agent NAME task add`."),
        (["task", "add", "- [ ] x"], 2, "what begins with - goes behind --: `edda task add -- TITLE...`."),
        (["task", "add", "-5 degrees"], 2, "`edda task add -- TITLE...`."),
        (["doc", "search", "-- x"], 2, "`edda doc search -- WORDS...`."),
        (["task", "lisst"], 2, "Did you mean 'list'? `edda task --help` says more."),
        (["tusk"], 2, "tusk"),
        (["task", "lost"], 2, "lost"),
        (["task", "list", "--nope"], 2, "--nope"),
    ],
)
def test_bad_input_is_refused_in_one_sentence_and_changes_nothing(
    edda: Any, args: list[str], code: int, says: str
) -> None:
    known = edda.id_of("task", "add", "known")
    before = edda.everything()
    refused = edda(*(known if word == "KNOWN" else word for word in args), code=code)
    assert says in refused.stderr
    assert refused.stderr.count("\n") == 1
    assert len(refused.stderr) < 400
    assert refused.stdout == ""
    assert edda.everything() == before


def test_a_short_id_that_fits_two_is_refused_with_both(edda: Any, tmp_path: Path) -> None:
    issues = [
        f'{{"id": "{number}", "title": "{number}"}}' for number in (7476, 12026)
    ]  # their ids end in the same digits
    from edda_sync.imports.beads import task_id

    ids = [task_id("7476"), task_id("12026")]
    (tmp_path / "issues").write_text("\n".join(issues))
    edda("import", "beads", str(tmp_path / "issues"))
    assert ids[0][-6:] == ids[1][-6:]
    before = edda.everything()
    refused = edda("task", "rm", ids[0][-6:], code=2)
    assert ids[0][-12:] in refused.stderr
    assert ids[1][-12:] in refused.stderr
    assert edda.everything() == before
    shown = [line.split()[0] for line in edda("task", "list").stdout.splitlines()]
    assert len(set(shown)) == 2
    assert {edda.json("task", "show", short)["id"] for short in shown} == set(ids)


def test_content_of_ten_megabytes_goes_in_and_comes_out(edda: Any, tmp_path: Path) -> None:
    raw = ("# Long\n" + "0123456789abcde\n" * (10 * 2**16)).encode()
    (tmp_path / "long.md").write_bytes(raw)
    document_id = edda.id_of("doc", "add", str(tmp_path / "long.md"))
    assert edda("doc", "show", document_id).stdout_bytes == raw


@pytest.mark.parametrize(("raw", "says"), [(b"x" * (16 * 2**20 + 1), "16,777,216"), (b"\xff\xfe", "not UTF-8")])
def test_content_that_no_text_can_hold_is_refused(edda: Any, tmp_path: Path, raw: bytes, says: str) -> None:
    (tmp_path / "raw").write_bytes(raw)
    for args in (
        ["doc", "add", str(tmp_path / "raw")],
        ["task", "add", "a", "--description-file", str(tmp_path / "raw")],
    ):
        assert says in edda(*args, code=2).stderr
    assert says in edda("doc", "add", "-", stdin=raw, code=2).stderr
    assert edda.json("doc", "list") == []


def test_bytes_in_the_command_line_that_are_no_text_are_refused(edda: Any) -> None:
    refused = run(edda.home, "task", "add", b"caf\xe9")
    assert (refused.returncode, refused.stderr.count(b"\n")) == (2, 1)
    assert b"half a character" in refused.stderr
    refused = run(edda.home, "doc", "add", b"caf\xe9")
    assert (refused.returncode, refused.stderr.count(b"\n")) == (1, 1)


# --- terminals, pipes, signals ----------------------------------------------------------------------------------------


def test_a_terminal_shows_a_table_in_which_nothing_can_fool_it(edda: Any) -> None:
    edda("task", "add", "evil \u202egnp.exe \u2066x")
    code, printed = on_a_terminal(edda.home, "task", "list")
    assert code == 0
    assert re.search(r"id +status +priority +due +title", printed)
    assert "\\u202e" in printed
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", printed)
    assert "\u202e" in edda("task", "list").stdout, "a program gets what was written"


LISTS = (["task", "list"], ["task", "list", "--all"], ["doc", "list"], ["tag", "list"], ["devices"])
SENTENCES = (
    ["status"],
    ["conflicts"],
    ["doctor"],
    ["task", "list", "--limit", "1"],
    ["init"],
    ["doc", "search", "one"],
)


@pytest.mark.parametrize("args", [*LISTS, *SENTENCES], ids=" ".join)
def test_no_command_spells_out_its_own_style_on_a_terminal(edda: Any, args: list[str]) -> None:
    for title in ("One", "Two"):
        edda("task", "add", title, "--tag", "home")
        edda("doc", "add", "-", "--title", title, stdin=title)
    code, printed = on_a_terminal(edda.home, *args)
    assert code == 0
    assert "\\x1b" not in printed
    assert ("\x1b[1m" in printed) or args not in LISTS
    assert b"\x1b" not in run(edda.home, *args).stdout


def test_what_is_printed_is_styled_in_one_place_which_makes_it_safe_first() -> None:
    folder = Path(edda_sync.cli.__path__[0])
    styling = {
        path.name
        for path in folder.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("style", "secho")
    }
    assert styling == {"common.py"}


def test_columns_stand_below_each_other_whatever_is_in_them(edda: Any) -> None:
    for name in ("長い", "e\u0301", "plain"):
        edda("tag", "add", name, "--color", "red")
    code, printed = on_a_terminal(edda.home, "tag", "list")
    assert code == 0
    wide = {"長い": 4, "e\u0301": 1, "plain": 5}
    starts = {
        name: wide[name] + len(rest) - len(rest.lstrip())
        for name, rest in re.findall(r"^(\S+)( +red)", printed, re.MULTILINE)
    }
    assert starts == dict.fromkeys(wide, 7)


def test_a_terminal_is_not_obeyed_by_a_documents_text(edda: Any) -> None:
    text = "red \x1b[31m, clear \x9b2J, bell \a\ntabs\tstay"
    document_id = edda.id_of("doc", "add", "-", "--title", "T", stdin=text)
    code, printed = on_a_terminal(edda.home, "doc", "show", document_id)
    assert code == 0
    assert "\\x1b[31m" in printed
    assert "\\x9b2J" in printed
    assert "tabs" in printed
    assert "\x1b[31m" not in printed
    code, printed = on_a_terminal(edda.home, "doc", "show", document_id, "--json")
    assert json.loads(printed)["content"] == text
    assert "\x9b" not in printed
    assert edda("doc", "show", document_id).stdout == text


@pytest.mark.parametrize(("answer", "left"), [(b"y\n", 0), (b"n\n", 1)])
def test_rm_asks_a_person_about_subtasks(edda: Any, answer: bytes, left: int) -> None:
    parent = edda.id_of("task", "add", "parent \u202e")
    edda("task", "add", "child", "--parent", parent)
    code, printed = on_a_terminal(edda.home, "task", "rm", parent, typed=answer)
    assert code == 0
    assert "1 subtask" in printed
    assert "\u202e" not in printed
    assert len(edda.json("task", "list", "--all")) == left


def test_a_closed_pipe_is_quiet(edda: Any) -> None:
    edda("doc", "add", "-", "--title", "T", stdin=b"x" * 200_000)
    reading, writing = os.pipe()
    os.close(reading)
    for args in (["export"], ["task", "list", "--json"]):
        ended = subprocess.run(
            [*EDDA, "--home", str(edda.home), *args], stdout=writing, stderr=subprocess.PIPE, check=False
        )
        assert (ended.returncode, ended.stderr) == (141, b"")
    os.close(writing)


def test_an_interrupt_says_one_line(edda: Any, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    process = subprocess.Popen(
        [*EDDA, "--home", str(edda.home), "doc", "add", str(tmp_path / "pipe")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with (tmp_path / "pipe").open("wb"):  # open once the command reads
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert said.count(b"\n") == 1
    assert b"Interrupted" in said


INTERRUPTED = """
import os, signal, sys

class Loading:
    def find_spec(self, name, path=None, target=None):
        if name == sys.argv[1]:
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Loading())
from edda_sync.cli.command import main
main()
"""


@pytest.mark.parametrize("module", ["click", "edda_sync.cli.main", "edda_sync.cli.common", "edda_sync.words.config"])
def test_an_interrupt_while_the_command_is_loaded_ends_it_without_a_word(module: str) -> None:
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED, module], capture_output=True, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")


def test_an_interrupt_that_whoever_started_the_command_ignores_is_ignored() -> None:
    code = f"import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n{INTERRUPTED}"
    ended = subprocess.run([sys.executable, "-c", code, "click"], capture_output=True, text=True, check=False)
    assert "No such command 'click'" in ended.stderr


ENDS_OF_A_QUESTION = [["task", "rm", "KNOWN"], ["task", "edit", "KNOWN", "--description", ""], ["join", "12-3456-7890"]]


@pytest.mark.parametrize("args", ENDS_OF_A_QUESTION, ids=lambda args: " ".join(args[:2]))
def test_a_question_without_an_answer_does_nothing_and_says_so_on_a_line_of_its_own(edda: Any, args: list[str]) -> None:
    known = edda.id_of("task", "add", "parent", "--description", "text")
    edda("task", "add", "child", "--parent", known)
    before = edda.everything()
    code, printed = on_a_terminal(edda.home, *(known if word == "KNOWN" else word for word in args), typed=b"\x04")
    assert code == 130
    assert printed.splitlines()[-1] == "Nothing was done."
    assert edda.everything() == before


@pytest.mark.parametrize(
    "args",
    [
        ["doc", "add", "-"],
        ["doc", "edit", "DOCUMENT", "--file", "-"],
        ["task", "add", "a", "--description-file", "-"],
        ["task", "edit", "TASK", "--description-file", "-"],
    ],
    ids=" ".join,
)
def test_who_types_a_text_is_told_how_to_end_and_what_became_of_it(tmp_path: Path, edda: Any, args: list[str]) -> None:
    named = {"TASK": edda.id_of("task", "add", "T")}
    named["DOCUMENT"] = edda.id_of("doc", "add", "-", "--title", "D", stdin="text")
    before = edda.everything()
    command = [*EDDA, "--home", str(edda.home), *(named.get(word, word) for word in args)]
    typing = Running(command, dict(os.environ), terminal=True)
    typing.wait_for(r"^Type the text, then Ctrl-D; Ctrl-C gives it up\.$")
    assert typing.give_up() == 130
    assert typing.lines[-1] == "Nothing was done."
    assert edda.everything() == before
    code, printed = on_a_terminal(edda.home, "doc", "add", "-", typed=b"# Typed\n\x04")
    assert code == 0
    assert "Type the text" in printed
    assert "Typed" in [each["title"] for each in edda.json("doc", "list")]


def test_progress_is_silent_for_a_second_and_then_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    from edda_sync.cli.common import Progress

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    times = iter([0.0, 0.5, 1.0, 1.05, 1.2])
    with Progress("Importing", 3_000, lambda: next(times)) as progress:
        progress(1)
        assert screen.getvalue() == ""
        progress(1_000)
        assert screen.getvalue().endswith("Importing 1,000 of 3,000")
        shown = screen.getvalue()
        progress(1_001)
        assert screen.getvalue() == shown
        progress(2_000)
        assert screen.getvalue().endswith("Importing 2,000 of 3,000")
    assert screen.getvalue().endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("variable", "place", "named"),
    [
        ("HOME", "/sys", "/sys/.local"),
        ("EDDA_STATE", "/sys/edda", "/sys/edda"),
        ("EDDA_STATE", "/sys/kernel", "/sys/kernel/"),
    ],
)
def test_a_folder_beside_the_store_that_cannot_be_written_is_named_with_the_way_out(
    tmp_path: Path, variable: str, place: str, named: str
) -> None:
    environment = {key: value for key, value in os.environ.items() if key not in ("EDDA_STATE", "XDG_STATE_HOME")}
    home = tmp_path / "home"
    refused = run(home, "task", "add", "Buy milk", env={**environment, variable: place})
    assert refused.returncode == 1
    said = refused.stderr.decode()
    assert said.startswith(named)
    assert "set EDDA_STATE to a folder that can be written" in said
    if place != "/sys/kernel":
        assert not home.exists(), "nothing was changed"
    done = run(home, "task", "add", "Buy milk", env={**environment, variable: place, "EDDA_STATE": str(tmp_path / "s")})
    assert done.returncode == 0
