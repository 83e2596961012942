"""The day the laptop is gone: a person does what docs/backups.md says, command by command, with real processes."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryFile

import pytest

from tests.cli import starting
from tests.cli.meeting import Machines, titles
from tests.cli.processes import PATIENCE_S, Machine
from tests.e2e.edda_process import words_in

PAGE = (Path(__file__).parents[2] / "docs" / "backups.md").read_text(encoding="utf-8")
SECTION = PAGE.partition("\n## The day the laptop is gone\n")[2].partition("\n## ")[0]
CASES = (
    "Before that day",
    "Another device is left",
    "The folder is left",
    "Everything is gone",
    "If a lost device turns up again",
)


def commands(case: str) -> list[str]:
    """Return the commands that the page gives for a case, without their comments."""
    block = re.search(r"(?m)(?:^    .*\n)+", SECTION[SECTION.index(case) :])
    assert block is not None
    return [line.partition("#")[0].strip() for line in block[0].splitlines()]


def do(machine: Machine, command: str, folder: Path, words: str = "") -> str:
    """Do a command of the page on a machine; what stands in capitals in it is known to the person."""
    command = command.replace("NAME URL", f"stick {folder / 'stick'}").replace("URL", str(folder / "stick"))
    if not command.startswith("edda "):
        subprocess.run(command, shell=True, cwd=machine.home, check=True)
        return ""
    arguments = command.split()[1:]
    with TemporaryFile() as given, TemporaryFile() as printed:
        given.write(words.encode())
        given.seek(0)
        files = {"stdin": given.fileno(), "stdout": printed.fileno(), "stderr": printed.fileno()}
        code = starting.start(arguments, machine.environment, **files).wait(PATIENCE_S)
        printed.seek(0)
        said = printed.read().decode()
    assert code == 0, f"{command}: {said}"
    assert "Traceback" not in said
    return said


def meet(invites: Machine, joins: Machine, case: str) -> None:
    """Do the two commands that bring two machines together; on loopback the second one is told where the first is."""
    first, second = commands(case)
    assert first == "edda invite"
    invitation, code, place = invites.invite()
    joins.run(*second.replace("CODE", code).split()[1:], "--at", place)
    assert invitation.wait() == 0


@pytest.fixture
def prepared(machine: Machines, tmp_path: Path) -> tuple[Machine, str]:
    """A laptop on which a person did what is to be done before, and the words on paper."""
    laptop, words = machine("laptop"), ""
    (tmp_path / "stick").mkdir()
    laptop.run("init", "--name", "laptop")
    laptop.run("task", "add", "Buy milk")
    document = laptop.run("doc", "add", "--title", "Holiday", "/dev/null").splitlines()[0]
    (tmp_path / "photo.jpg").write_bytes(b"a picture" * 1_000)
    laptop.run("attach", document, str(tmp_path / "photo.jpg"))
    for command in commands(CASES[0]):
        said = do(laptop, command, tmp_path, words if "check" in command else "")
        words = words or words_in(said)
    assert "It opens 1 backup at stick" in said
    return laptop, words


def test_each_case_of_the_page_has_its_commands() -> None:
    assert [len(commands(case)) for case in CASES] == [4, 2, 3, 5, 2]
    assert all(case in SECTION for case in CASES)


def test_everything_is_gone_but_the_place_and_the_paper_and_then_the_lost_laptop_turns_up_again(
    prepared: tuple[Machine, str], machine: Machines, tmp_path: Path
) -> None:
    laptop, words = prepared
    laptop.run("task", "add", "Written after the backup")
    lost = laptop.home.rename(tmp_path / "stolen")
    new = machine("new")
    new.environment["EDDA_STATE"] = str(tmp_path / "state of the new one")
    for command in commands(CASES[3]):
        said = do(new, command, tmp_path, words if "--recovery" in command else "")
        assert (new.home / "edda.db").exists() is (command not in commands(CASES[3])[:2])
    assert "Backup 1 at stick is made" in said
    assert titles(new) == {"Buy milk"}
    (document,) = new.json("doc", "list")
    new.run("doc", "save", document["id"], "photo.jpg", str(tmp_path / "again.jpg"))
    assert (tmp_path / "again.jpg").read_bytes() == (tmp_path / "photo.jpg").read_bytes()
    new.run("task", "add", "On the new machine")
    lost.rename(laptop.home)
    meet(laptop, new, CASES[4])
    assert titles(laptop) == titles(new) == {"Buy milk", "Written after the backup", "On the new machine"}


def test_the_folder_is_left_and_another_device_too(
    prepared: tuple[Machine, str], machine: Machines, tmp_path: Path
) -> None:
    laptop, _ = prepared
    device, phone = laptop.json("status")["device"], machine("phone")
    (laptop.home / "edda.db").write_bytes(b"\0" * 50_000)
    for command in commands(CASES[2]):
        do(laptop, command, tmp_path)
    assert (titles(laptop), laptop.json("status")["device"]) == ({"Buy milk"}, device)
    shutil.rmtree(laptop.home / "damaged")
    meet(laptop, phone, CASES[1])
    assert titles(phone) == {"Buy milk"}
    assert {each["name"] for each in phone.json("devices") if not each.get("recovery")} >= {"laptop"}
