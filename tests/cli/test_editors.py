"""Real editors on a terminal, which end in every way that editors end: no word is lost, and a kept file is named."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.cli import starting
from tests.cli.processes import PATIENCE_S, Running
from tests.mounting import mount

TEXT = "alpha\n  beta\n"
OWN_TERMINAL = (
    "import fcntl, os, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)"  # so Ctrl-C reaches all in it
)
INTERRUPT, NO_ANSWER = "\x03", "\x04"
KINDS = {"doc": "content", "task": "description"}


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The system's folder for temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


@pytest.fixture(params=KINDS)
def item(edda: Any, request: Any) -> tuple[str, str]:
    """A document or a task with a text."""
    if request.param == "doc":
        return "doc", edda.id_of("doc", "add", "-", "--title", "T", stdin=TEXT)
    return "task", edda.id_of("task", "add", "T", "--description", TEXT)


class Editing:
    """``edda task|doc edit`` on a terminal, with an editor in a script."""

    def __init__(self, home: Path, item: tuple[str, str], folder: Path, code: str) -> None:
        script = folder / "an editor.py"
        script.write_text(
            f"import os, pathlib, signal, sys\npath = pathlib.Path(sys.argv[1])\nhad = path.read_text()\n{code}\n"
        )
        environment = {**os.environ, "VISUAL": f'"{sys.executable}" "{script}"'}
        start = partial(starting.start_elsewhere, (), first=OWN_TERMINAL)
        command = ["--home", str(home), item[0], "edit", item[1]]
        self.running = Running(command, environment, terminal=True, start=start)

    def end(self) -> tuple[int, str]:
        """Wait for the end of the command; return its code and what it printed."""
        code = self.running.wait()
        printed = "\n".join(self.running.lines)
        assert "Traceback" not in printed
        return code, printed


def kept(printed: str) -> Path:
    found = re.search(r"What you wrote is kept in (\S+)\.(?:\s|$)", printed)
    assert found is not None, printed
    return Path(found[1])


def text(edda: Any, item: tuple[str, str]) -> Any:
    return edda.json(item[0], "show", item[1])[KINDS[item[0]]]


def files(folder: Path) -> list[Path]:
    return [each for each in folder.rglob("*") if not each.is_dir()]


SAVED = "path.write_text(had + 'hours of work')\n"
WAITS = "print('typing', flush=True)\nsignal.pause()"
FAILURES = {
    "it fails": (SAVED + "sys.exit(3)", "ended with 3"),
    "it kills itself": (SAVED + "os.kill(os.getpid(), signal.SIGKILL)", "was ended by SIGKILL"),
    "it crashes": (SAVED + "os.abort()", "was ended by SIGABRT"),
    "it writes Latin-1": ("path.write_bytes((had + 'hours of work, caf\\xe9').encode('latin-1'))", "is not UTF-8 text"),
    "it writes UTF-16": ("path.write_text(had + 'hours of work', 'utf-16')", "is not UTF-8 text"),
}


@pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
def test_what_an_editor_had_saved_when_it_failed_is_kept_and_named(
    edda: Any, item: tuple[str, str], temporary: Path, tmp_path: Path, failure: tuple[str, str]
) -> None:
    code, printed = Editing(edda.home, item, tmp_path, failure[0]).end()
    assert code in (1, 2)
    assert failure[1] in printed
    assert b"hours of work" in kept(printed).read_bytes().replace(b"\0", b"")
    assert files(temporary) == [kept(printed)]
    assert text(edda, item) == TEXT


def test_ctrl_c_that_ends_the_editor_keeps_what_it_had_saved(
    edda: Any, item: tuple[str, str], temporary: Path, tmp_path: Path
) -> None:
    editing = Editing(edda.home, item, tmp_path, "signal.signal(signal.SIGINT, signal.SIG_DFL)\n" + SAVED + WAITS)
    editing.running.wait_for("typing")
    editing.running.type(INTERRUPT)
    code, printed = editing.end()
    assert code == 1
    assert "was ended by SIGINT; nothing was changed" in printed
    assert kept(printed).read_text().endswith("hours of work")
    assert text(edda, item) == TEXT


def test_ctrl_c_that_is_a_key_of_the_editor_ends_nothing(
    edda: Any, item: tuple[str, str], temporary: Path, tmp_path: Path
) -> None:
    typed = (
        "def go_on(*_):\n    path.write_text(had + 'hours of work')\n    sys.exit()\n"
        "signal.signal(signal.SIGINT, go_on)\n"
    )
    editing = Editing(edda.home, item, tmp_path, typed + WAITS)
    editing.running.wait_for("typing")
    editing.running.type(INTERRUPT)
    code, _ = editing.end()
    assert code == 0
    assert text(edda, item) == TEXT + "hours of work"
    assert files(temporary) == []


def test_ctrl_c_at_a_save_that_waits_keeps_what_was_written(
    edda: Any, item: tuple[str, str], temporary: Path, tmp_path: Path
) -> None:
    (database,) = edda.home.rglob("*.db")
    with sqlite3.connect(database) as another:
        another.execute("BEGIN IMMEDIATE")  # another program that writes for long
        editing = Editing(edda.home, item, tmp_path, SAVED)
        editing.running.wait_for("Waiting for another program")
        editing.running.type(INTERRUPT)
        code, printed = editing.end()
        another.rollback()
    assert code == 130, printed
    assert kept(printed).read_text().endswith("hours of work")
    assert text(edda, item) == TEXT


@pytest.mark.parametrize("answer", ["y\n", "n\n", NO_ANSWER])
def test_an_emptied_text_is_asked_about_and_the_old_one_is_named_or_there(
    edda: Any, item: tuple[str, str], temporary: Path, tmp_path: Path, answer: str
) -> None:
    editing = Editing(edda.home, item, tmp_path, "path.write_text('T\\n' if had.startswith('T') else '')")
    editing.running.type(answer)
    code, printed = editing.end()
    assert "Empty it? [y/N]" in printed
    if answer == "y\n":
        assert code == 0
        assert not text(edda, item)
        was = re.search(r"that it had is kept in (\S+)\.\s", printed)
        assert was is not None
        assert Path(was[1]).read_text() == TEXT
    else:
        assert code != 0
        assert text(edda, item) == TEXT


# --- disks that are full ----------------------------------------------------------------------------------------------


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount("-t", "tmpfs", "-o", "size=4m", "tmpfs", str(disk))
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


FILL = (
    "with open({ballast!r}, 'wb', buffering=0) as ballast:\n"
    "    for size in (4096, 1):\n"
    "        try:\n"
    "            while True: ballast.write(bytes(size))\n"
    "        except OSError: pass\n"
)


def test_what_was_written_is_kept_and_named_if_the_disk_is_full_when_it_is_saved(
    edda: Any, item: tuple[str, str], temporary: Path, tmp_path: Path, small: Path
) -> None:
    home, ballast = small / "home", small / "ballast"
    shutil.move(edda.home, home)
    edda.home = home
    code, printed = Editing(home, item, tmp_path, SAVED + FILL.format(ballast=str(ballast))).end()
    assert code == 1
    assert "full" in printed
    assert kept(printed).read_text().endswith("hours of work")
    assert text(edda, item) == TEXT  # which is read from a full disk
    ballast.unlink()
    assert text(edda, item) == TEXT
    code, _ = Editing(
        home, item, tmp_path, f"path.write_bytes(pathlib.Path({str(kept(printed))!r}).read_bytes())"
    ).end()
    assert code == 0
    assert text(edda, item) == TEXT + "hours of work"


# --- edits that are cut short -----------------------------------------------------------------------------------------


def named(printed: str) -> list[Path]:
    """The files that the command said an earlier edit left."""
    return [Path(each) for each in re.findall(r"An edit that was cut short left (\S+)\.\s", printed + "\n")]


@pytest.mark.parametrize("saves", [True, False])
def test_what_was_saved_when_the_window_was_closed_is_named_by_the_next_edit_once(
    edda: Any, item: tuple[str, str], temporary: Path, tmp_path: Path, saves: bool
) -> None:
    cut = Editing(edda.home, item, tmp_path, (SAVED if saves else "") + WAITS)
    cut.running.wait_for("typing")
    (folder,) = temporary.iterdir()
    os.killpg(cut.running.process.pid, signal.SIGHUP)  # as the system does to all that run in a terminal
    assert cut.running.wait() == -signal.SIGHUP
    code, printed = Editing(edda.home, item, tmp_path, SAVED).end()
    assert code == 0
    assert text(edda, item) == TEXT + "hours of work"
    if saves:
        assert [each.parent for each in named(printed)] == [folder]
        assert named(printed)[0].read_text().endswith("hours of work")
        assert files(temporary) == named(printed)
    else:
        assert "cut short" not in printed
        assert files(temporary) == []
    _, printed = Editing(edda.home, item, tmp_path, SAVED).end()
    assert "cut short" not in printed


def test_what_a_real_editor_preserves_when_the_window_is_closed_is_named(
    edda: Any, temporary: Path, tmp_path: Path
) -> None:
    if shutil.which("vim") is None:
        pytest.skip("there is no vim here")
    item = "doc", edda.id_of("doc", "add", "-", "--title", "T", stdin=TEXT)
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    does = ["normal Gohours of work", f"call writefile(['typed'], '{ready}')"]
    words = ["vim", "-u", "NONE", *(word for each in does for word in ("-c", each))]
    cut = Editing(edda.home, item, tmp_path, f"os.execvp('vim', {words!r} + [str(path)])")
    assert ready.read_text() == "typed\n"
    os.killpg(cut.running.process.pid, signal.SIGHUP)
    cut.running.wait()
    _, printed = Editing(edda.home, item, tmp_path, SAVED).end()
    (swap,) = named(printed)
    assert swap.suffix == ".swp"
    back = tmp_path / "back"
    recover = ["vim", "-u", "NONE", "-es", "-r", str(swap), "-c", f"w! {back}", "-c", "q!"]
    subprocess.run(recover, check=False, stdin=subprocess.DEVNULL, capture_output=True)
    assert back.read_text() == TEXT + "hours of work\n"


def test_an_edit_that_goes_on_without_its_command_is_left_alone(edda: Any, temporary: Path, tmp_path: Path) -> None:
    item = "doc", edda.id_of("doc", "add", "-", "--title", "T", stdin=TEXT)
    stays = (
        "signal.signal(signal.SIGHUP, signal.SIG_IGN)\n"
        "signal.signal(signal.SIGTERM, lambda *_: (path.write_text(had + 'later'), sys.exit()))\n"
    )
    alone = Editing(edda.home, item, tmp_path, stays + "print('typing', os.getpid(), flush=True)\nsignal.pause()")
    editor = os.pidfd_open(int(alone.running.wait_for(r"typing (\d+)")[1]))
    alone.running.process.kill()
    code, printed = Editing(edda.home, item, tmp_path, SAVED).end()
    assert code == 0
    assert "cut short" not in printed
    signal.pidfd_send_signal(editor, signal.SIGTERM)
    assert select.select([editor], [], [], PATIENCE_S)[0], "the editor has ended"
    os.close(editor)
    alone.running.kill()
    _, printed = Editing(edda.home, item, tmp_path, SAVED).end()
    assert [each.read_text() for each in named(printed)] == [TEXT + "later"]


# --- the place for temporary files is full ----------------------------------------------------------------------------


def test_a_text_is_not_emptied_if_the_old_one_cannot_be_kept(
    edda: Any, item: tuple[str, str], tmp_path: Path, small: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(small))
    (small / "x").mkdir()
    code = "path.write_text('T\\n' if had.startswith('T') else '')\n" + FILL.format(ballast=str(small / "ballast"))
    editing = Editing(edda.home, item, tmp_path, code)
    editing.running.type("y\n")
    ended, printed = editing.end()
    assert ended == 1
    assert "full" in printed
    assert text(edda, item) == TEXT
