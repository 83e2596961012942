"""``edda backup``: now, list, verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edda_sync import testing
from edda_sync.cli import backups
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from tests.cli.conftest import Edda


@pytest.fixture(autouse=True)
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")


def objects(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file() and "objects" in path.parts)


def test_a_backup_is_made_listed_and_verified_without_anything_being_set_up(edda: Edda) -> None:
    assert edda("backup", "list").stdout == "There is no backup yet; `edda backup now` makes one.\n"
    edda("task", "add", "Buy milk")
    said = edda("backup", "now")
    assert said.stdout.startswith(
        "Backup 1 at this-disk is made, and was restored to prove it: 1 task and 0 documents; "
    )
    assert "helps against mistakes, and not against a lost disk" in said.stderr
    assert edda("backup", "now").stdout.startswith("Nothing is new since backup 1 at this-disk")
    edda("task", "add", "Buy bread")
    assert edda.json("backup", "now")[0]["number"] == 2
    listed = edda.json("backup", "list")
    assert [(each["number"], each["tasks"], each["converged"]) for each in listed["backups"]] == [
        (1, 1, True),
        (2, 2, True),
    ]
    assert "holds: it gives 2 tasks" in edda("backup", "verify").stdout
    assert [each["holds"] for each in edda.json("backup", "verify", "--all")] == [True, True]
    status = edda("status").stdout
    assert "backups: backup 2 at this-disk" in status
    assert "holds everything; last verified" in status
    edda("task", "add", "Buy salt")
    edda("backup", "now")
    assert "holds everything; verified as it was made" in edda("status").stdout
    edda("task", "add", "Buy pepper")
    assert "lacks 1 later change" in edda("status").stdout


def test_a_damaged_backup_is_told_and_the_next_one_is_whole(edda: Edda, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    edda("backup", "target", "add", "drive", str(place))
    edda("task", "add", "Buy milk")
    edda("backup", "now")
    (run,) = objects(place)
    run.chmod(0o600)
    whole = run.read_bytes()
    run.write_bytes(whole[:-1] + bytes((whole[-1] ^ 1,)))
    said = edda("backup", "verify", code=1).stdout
    assert "does not hold: Backup 1 of 'laptop', made 20" in said
    assert "is not whole (a part with changes, " in said
    assert "the last attempt failed" in edda("status").stdout
    run.unlink()
    edda("task", "add", "Buy bread")
    edda("backup", "now")
    assert "holds" in edda("backup", "verify").stdout


def test_a_place_that_was_put_back_is_told_by_list_and_verify(edda: Edda, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    edda("backup", "target", "add", "drive", str(place))
    for title in ("Buy milk", "Buy bread"):
        edda("task", "add", title)
        edda("backup", "now")
    (newest,) = place.glob("edda/*/devices/*/manifests/000000000002-*")
    newest.unlink()
    said = "Backups are missing at the target 'drive' (this device made backup 2, and the newest there is 1)"
    assert said in edda("backup", "list").stderr
    assert said in edda("backup", "verify", code=1).stdout
    assert edda.json("backup", "list")["troubles"][0].startswith(said)
    next(iter(place.glob("edda/*/devices/*/manifests/*"))).write_bytes(b"damaged")
    said = edda("backup", "verify", code=1).stdout
    assert "The manifest of backup 1 of laptop is damaged" in said
    edda("backup", "now")
    assert "Backup 3 at drive" in edda("backup", "verify").stdout


def test_who_is_outstanding_is_named(edda: Edda, tmp_path: Path) -> None:
    with StorageEngine(edda.home) as first, StorageEngine(tmp_path / "phone") as second:
        first.initialize(StorageConfig())
        second.open_store(StorageConfig(name="phone"))
        testing.pair(first, second)
    said = edda("backup", "now", "--wait-converged", "0").stdout
    assert "phone was never proved equal; what it wrote since and has not sent is not in this backup." in said
    assert "1 of 1 outstanding" in edda("backup", "list").stdout
    assert "without the latest of phone" in edda("status").stdout
    assert "since the last converged one" not in edda("status").stdout
    with StorageEngine(edda.home) as first:
        first.initialize(StorageConfig())
        changes = standing.count(first.frontier())
        assert standing.outstanding(first) == ["phone"]
        (other,) = {member.device for member in first.members()} - {first.identity.device}
        standing.save(first, {other: standing.Remembered(first.writing.now(), changes)})
        assert standing.outstanding(first) == []
    edda("backup", "now")
    edda("task", "add", "Later")
    edda("backup", "now")
    assert "without the latest of phone, since the last converged one of" in edda("status").stdout


def test_what_is_typed_wrongly_is_told(edda: Edda) -> None:
    assert "Name a backup or say --all" in edda("backup", "verify", "1", "--all", code=2).stderr
    assert "There is no backup" in edda("backup", "verify", "7", code=3).stderr
    assert "`edda backup list`" in edda("backup", "verify", "7", code=3).stderr
    assert "drive" in edda("backup", "now", "--target", "drive", code=3).stderr


def test_a_place_that_is_away_keeps_nothing_from_the_others(edda: Edda, tmp_path: Path) -> None:
    edda("task", "add", "Buy milk")
    edda("backup", "now")
    for name in ("drive", "other"):
        (tmp_path / name).mkdir()
        edda("backup", "target", "add", name, str(tmp_path / name))
    edda("backup", "now")
    (tmp_path / "drive").rename(tmp_path / "away")
    edda("task", "add", "Buy bread")
    made = edda("backup", "now", code=1)
    assert "No backup at drive: The backup target 'drive' cannot be used" in made.stderr
    assert "Backup 2 at other is made" in made.stdout
    listed = edda.json("backup", "list")
    assert [(each["target"], each["number"]) for each in listed["backups"]] == [
        ("other", 1),
        ("other", 2),
        ("this-disk", 1),
    ], "backups from before there was another place are listed, too"
    assert "'drive' cannot be used" in listed["troubles"][0]
    checked = json.loads(edda("backup", "verify", "--json", code=1).stdout)
    assert [(each["target"], each["holds"]) for each in checked] == [("drive", False), ("other", True)]
    edda("task", "rm", "Buy bread")
    assert "Compared with backup 2 at other" in edda("backup", "restore").stdout, "there lies the newest"


def test_what_takes_long_says_what_it_does(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(backups, "can_redraw", lambda: True)
    with backups.told("first") as tell:
        pass
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(backups, "PROGRESS_AFTER_S", 0.0)
    with backups.told("first") as tell:
        while not (said := capsys.readouterr().err):
            pass
        tell("second")
    assert said.strip() == "first"
    assert capsys.readouterr().err.strip() == "second"


def test_verifying_says_at_which_places_there_is_nothing_to_verify(edda: Edda, tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        edda("backup", "target", "add", name, str(tmp_path / name))
    edda("task", "add", "Buy milk")
    assert "`edda backup now` makes one" in edda("backup", "verify", "--all", code=3).stderr
    edda("backup", "now", "--target", "first")
    for words in (("verify",), ("verify", "--all")):
        said = edda("backup", *words, code=1)
        assert "Backup 1 at first" in said.stdout
        assert "There is no backup of this device at 'second'" in said.stderr
        told = json.loads(edda("backup", *words, "--json", code=1).stdout)
        assert [(each["target"], each["holds"]) for each in told] == [("first", True), ("second", False)]
    edda("task", "add", "Buy bread")
    edda("backup", "now")
    edda("backup", "now", "--target", "first")
    assert "Backup 2 at first" in edda("backup", "verify", "2").stdout  # each place counts for itself
    assert "There is no backup 3" in edda("backup", "verify", "3", code=3).stderr
