"""``edda backup recovery``: new, check."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import edda_sync
from edda_sync.backup.code import RecoveryCode
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.targets.opening import named
from edda_sync.cli.recovery import _picture
from tests.cli.conftest import Edda
from tests.cli.meeting import Machines
from tests.cli.processes import Running, on_a_terminal

TYPO = "abandno amount liar amount expire adjust cage candy arch gather drum bullet absurd math exhibit"
UNKNOWN = TYPO.replace("abandno", "abandon")


@pytest.fixture(autouse=True)
def in_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")


def made(edda: Edda, *args: str) -> str:
    """Make a code, and return its words."""
    return words_in(edda("backup", "recovery", "new", *args).stdout)


def words_in(printed: str) -> str:
    found = {int(number): word for number, word in re.findall(r"(\d+) ([a-z]+)", printed)}
    return " ".join(found[number] for number in range(1, 16))


def backed_up(edda: Edda, folder: Path) -> None:
    """Make a backup in a folder, which becomes a target."""
    if not folder.exists():
        folder.mkdir()
        edda("backup", "target", "add", "stick", str(folder))
    with edda_sync.open(edda.home) as store:
        (target,) = named(edda.home, store.config)
        BackupManager(store, target).back_up()


# --- new --------------------------------------------------------------------------------------------------------------


def test_a_new_code_is_shown_once_and_is_the_code_of_the_workspace(edda: Edda) -> None:
    said = edda("backup", "recovery", "new")
    code = RecoveryCode.read(words_in(said.stdout))
    assert "shown only now, and are kept nowhere" in said.stderr
    assert "`edda backup now` makes one" in said.stdout
    device, shown = edda.json("devices")
    assert (device["recovery"], shown["recovery"], shown["device"]) == (None, "current", code.identity.device)
    assert "recovery code" in edda("devices").stdout
    assert edda.json("status")["peers"] == []
    assert "would be lost with it: `edda backup target add NAME URL`" in said.stderr


def test_a_second_code_takes_the_place_of_the_first_and_says_what_that_means(edda: Edda, tmp_path: Path) -> None:
    first = made(edda)
    backed_up(edda, tmp_path / "stick")
    said = edda("backup", "recovery", "new")
    assert "has a recovery code, made on" in said.stderr
    assert "takes from the former code what it opens there" in said.stderr
    assert words_in(said.stdout) != first
    assert "would be lost" not in said.stderr
    assert [each["recovery"] for each in edda.json("devices")] == [None, "replaced", "current"]
    assert "replaced since" in edda("devices").stdout


@pytest.mark.parametrize("whole", [False, True])
def test_a_qr_code_has_a_quiet_border_and_its_three_corners(whole: bool) -> None:
    lines = _picture("ABANDON AMOUNT LIAR", whole=whole)
    dark = [[c != " " for c in (line[::2] if whole else line)] for line in lines]
    assert len({len(line) for line in lines}) == 1
    assert not any(dark[0])
    assert not any(row[0] or row[-1] for row in dark)
    assert lines[4].strip().startswith("##############") if whole else lines[2].strip().startswith("█▀▀▀▀▀█")


def test_the_qr_code_is_shown_beside_the_words(edda: Edda) -> None:
    assert "█▀▀▀▀▀█" in edda("backup", "recovery", "new", "--qr").stdout


def test_no_code_is_made_when_its_words_cannot_be_shown(edda: Edda) -> None:
    with open("/dev/full", "wb") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "edda_sync.cli", "--home", str(edda.home), "backup", "recovery", "new"],
            stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert ended.returncode == 2
    assert b"so no code was made; the one before stays" in ended.stderr
    assert len(edda.json("devices")) == 1


def test_a_person_types_two_of_the_words_back(machine: Machines) -> None:
    laptop = machine("laptop")
    laptop.run("init")
    running = laptop.start("backup", "recovery", "new", terminal=True)
    running.wait_for(r"13 [a-z]+ +14 [a-z]+ +15 [a-z]+")
    words = words_in("\n".join(running.lines)).split()
    for _ in range(2):
        at = answered_wrongly(running)
        running.type(words[at - 1].upper()[:4] + "\n")
    running.wait_for("This is the recovery code now")
    assert running.wait() == 0
    assert len(laptop.json("devices")) == 2


def test_a_person_who_gives_up_has_made_no_code(machine: Machines) -> None:
    laptop = machine("laptop")
    laptop.run("init")
    running = laptop.start("backup", "recovery", "new", terminal=True)
    answered_wrongly(running)
    assert running.give_up() == 130
    assert re.search(
        r"Nothing was done\.|nothing was changed\.", running.lines[-1]
    )  # at the next question, or just before
    assert len(laptop.json("devices")) == 1


def answered_wrongly(running: Running) -> int:
    """Type a wrong word, and return which one was asked for."""
    past = len(running.lines)
    running.type("wrong\n")
    return int(running.wait_for(r"That is not word (\d+)", past=past)[1])


# --- check ------------------------------------------------------------------------------------------------------------


def test_a_code_that_is_typed_in_is_tried_on_the_newest_backup(edda: Edda, tmp_path: Path) -> None:
    words = made(edda)
    backed_up(edda, tmp_path / "stick")
    said = edda("backup", "recovery", "check", stdin=words.upper())
    assert "This is the recovery code of this workspace, made on" in said.stdout
    assert re.search(r"It opens 1 backup at stick; the newest is of \d{4}-\d\d-\d\dT\d\d:\d\dZ\.", said.stdout)


def test_a_program_is_told_what_a_code_opens(edda: Edda, tmp_path: Path) -> None:
    words = made(edda)
    backed_up(edda, tmp_path / "stick")
    found = edda.json("backup", "recovery", "check", stdin=words)
    (tried,) = found["targets"]
    assert (found["code"], tried["target"], tried["backups"], tried["errors"]) == ("current", "stick", 1, [])
    assert tried["newest"] > found["made_at"]


def test_a_backup_that_the_code_does_not_open_is_told(edda: Edda, tmp_path: Path) -> None:
    words = made(edda)
    backed_up(edda, tmp_path / "stick")
    edda("task", "add", "a")
    backed_up(edda, tmp_path / "stick")
    newer = max((path for path in tmp_path.glob("stick/**/manifests/*")), key=lambda path: path.name)
    newer.write_bytes(newer.read_bytes()[:-1] + b"!")
    said = edda("backup", "recovery", "check", stdin=words, code=1)
    assert "It opens 1 backup at stick" in said.stdout
    assert "is damaged (its bytes are not those that its name says)" in said.stderr


def test_a_code_is_tried_on_a_machine_without_a_store_and_makes_none(
    edda: Edda, tmp_path: Path, another_edda: Callable[[str], Edda]
) -> None:
    words = made(edda)
    backed_up(edda, tmp_path / "stick")
    other = another_edda("other")
    other("backup", "target", "add", "stick", str(tmp_path / "stick"))
    assert "It opens 1 backup at stick" in other("backup", "recovery", "check", stdin=words).stdout
    assert not (other.home / "edda.db").exists()


def test_a_replaced_code_a_strange_one_and_a_mistyped_one_are_told_apart(edda: Edda, tmp_path: Path) -> None:
    first = made(edda)
    backed_up(edda, tmp_path / "stick")
    made(edda)
    backed_up(edda, tmp_path / "stick")
    said = edda("backup", "recovery", "check", stdin=first, code=1)
    assert "another one has taken its place" in said.stderr
    assert "no backup there was sealed for it" in said.stderr
    said = edda("backup", "recovery", "check", stdin=UNKNOWN, code=1)
    assert "none that this device knows of in its workspace" in said.stderr
    said = edda("backup", "recovery", "check", stdin=TYPO, code=2)
    assert "word 1, 'abandno' (abandon?)" in said.stderr


def test_a_code_that_no_backup_was_made_for_yet_opens_none(edda: Edda, tmp_path: Path) -> None:
    backed_up(edda, tmp_path / "stick")
    said = edda("backup", "recovery", "check", stdin=made(edda), code=1)
    assert "no backup there was sealed for it" in said.stderr


def test_a_person_who_mistypes_a_word_is_asked_again(edda: Edda, tmp_path: Path) -> None:
    words = made(edda).split()
    backed_up(edda, tmp_path / "stick")
    half = " ".join(words[:7])
    typed = f"{TYPO}\n{half}\n{' '.join(words[7:])}\n"
    code, printed = on_a_terminal(edda.home, "backup", "recovery", "check", typed=typed.encode())
    assert code == 0, printed
    assert "word 1, 'abandno' (abandon?)" in printed
    assert "Word 8 and on" in printed
    assert "It opens 1 backup at stick" in printed


def test_who_has_backups_and_no_code_is_told_what_that_means_on_the_day(edda: Edda) -> None:
    edda("task", "add", "Buy milk")
    assert "recovery code" not in edda("status").stdout
    for said in (edda("backup", "now").stderr, edda("status").stdout):
        assert "There is no recovery code: once all devices are gone" in said
        assert "`edda backup recovery new` makes one" in said
    edda("backup", "recovery", "new")
    for said in (edda("backup", "now").stderr, edda("status").stdout):
        assert "There is no recovery code" not in said
    assert edda.json("status")["recovery_code"] is True
