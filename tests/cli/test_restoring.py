"""``edda backup restore``: into a living store, in both ways, and where the store is lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edda_sync import testing
from edda_sync.backup import recovery
from edda_sync.backup.code import RecoveryCode
from edda_sync.device.control import only_runner
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from tests.cli import meeting
from tests.cli.conftest import Edda
from tests.cli.processes import Machine
from tests.cli.test_taking_back import undo_of


@pytest.fixture(autouse=True)
def in_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")


def titles(edda: Edda) -> list[str]:
    return sorted(task["title"] for task in edda.json("task", "list"))


def lose(edda: Edda) -> None:
    for path in edda.home.glob("edda.db*"):
        path.unlink()


def test_what_was_deleted_comes_back_and_the_rest_stays(edda: Edda) -> None:
    milk, bread = edda.id_of("task", "add", "Buy milk"), edda.id_of("task", "add", "Buy bread")
    edda("backup", "now")
    edda("task", "rm", milk)
    edda("task", "edit", bread, "--title", "Changed")
    before = edda.json("status")["frontier"]
    assert "in the trash here" in edda("backup", "restore", "--dry-run").stdout
    assert edda.json("status")["frontier"] == before
    restored = edda("backup", "restore")
    assert restored.stdout.endswith("1 item restored. Other devices hear of it as of any change.\n")
    assert titles(edda) == ["Buy milk", "Changed"]
    assert "Nothing is missing here of backup 1" in edda("backup", "restore").stdout
    edda(*undo_of(restored.stderr))
    assert titles(edda) == ["Changed"]


def test_a_lost_file_of_a_document_that_is_here_comes_back(edda: Edda, tmp_path: Path) -> None:
    document, file = edda.id_of("doc", "add", "--title", "Plan", "-", stdin="words"), tmp_path / "film.mp4"
    file.write_bytes(b"content")
    edda("attach", document, str(file))
    edda("backup", "now")
    with StorageEngine(edda.home) as store:
        store.initialize(StorageConfig())
        chunks = store.reading.files.chunks
        for name in list(chunks.names()):
            chunks.set_aside(name)
        assert len(store.reading.files.lose_vanished()) == 1
    other = edda.id_of("doc", "add", "--title", "Other", "-", stdin="words")
    assert "Nothing is missing here" in edda("backup", "restore", "--only", "Other", "--dry-run", code=0).stdout
    assert other
    shown = edda("backup", "restore", "--dry-run").stdout
    assert shown.splitlines()[-1].split() == ["file", "-", "film.mp4", "its", "content", "is", "not", "here"]
    assert edda("backup", "restore").stdout.endswith("1 attached file brought back.\n")
    edda("doc", "save", document, "film.mp4", str(tmp_path / "again"))
    assert (tmp_path / "again").read_bytes() == b"content"


def test_everything_becomes_as_it_was_with_exactly(edda: Edda) -> None:
    milk = edda.id_of("task", "add", "Buy milk")
    edda("backup", "now")
    edda("task", "edit", milk, "--title", "Changed")
    edda("task", "add", "Newer")
    shown = edda.json("backup", "restore", "--exactly", "--dry-run")
    assert [(each["how"], each["fields"]) for each in shown] == [
        ("different here", ["title"]),
        ("not in the backup", []),
    ]
    edda("backup", "restore", "--exactly")
    assert titles(edda) == ["Buy milk"]
    assert "Everything here is as in backup 3" in edda("backup", "restore", "--exactly").stdout


def test_one_item_is_restored_alone_also_by_a_short_id_in_the_trash(edda: Edda) -> None:
    ids = [edda.id_of("task", "add", title) for title in ("Buy milk", "Buy bread")]
    edda("backup", "now")
    edda("task", "rm", *ids)
    edda("backup", "restore", "--only", ids[1][-8:])
    assert titles(edda) == ["Buy bread"]


def test_what_is_attached_to_one_document_comes_back_alone(edda: Edda, tmp_path: Path) -> None:
    for title in ("Plan", "Map"):
        (tmp_path / f"{title}.txt").write_text(title)
        edda("doc", "add", "--title", title, "-", stdin="words")
        edda("attach", title, str(tmp_path / f"{title}.txt"))
    edda("backup", "now")
    for title in ("Plan", "Map"):
        edda("doc", "detach", title, f"{title}.txt")
        edda("doc", "edit", title, "--title", f"New {title}")
    shown = edda("backup", "restore", "--files", "--dry-run").stdout
    assert shown.count("lacks 1 attached file") == 2
    assert edda("backup", "restore", "--files", "--only", "Plan").stdout.endswith(
        "1 item restored. Other devices hear of it as of any change.\n"
    )
    assert [each["name"] for each in edda.json("doc", "files", "New Plan")] == ["Plan.txt"]
    assert edda.json("doc", "files", "New Map") == []
    edda("doc", "rm", "New Plan")
    refused = edda("backup", "restore", "--files", "--only", "Plan")
    assert "New Plan" not in refused.stdout
    assert "Plan is not here itself, so nothing of it comes back: leave --files out." in refused.stderr
    assert "--files brings back what was attached" in edda("backup", "restore", "--files", "--exactly", code=2).stderr


def test_one_task_of_another_devices_backup_comes_back_alone(edda: Edda, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    edda("backup", "target", "add", "drive", str(place))
    with StorageEngine(edda.home) as first, StorageEngine(tmp_path / "phone") as second:
        first.initialize(StorageConfig())
        second.open_store(StorageConfig(name="phone"))
        testing.pair(first, second)
        testing.sync(first, second)
    phone = Edda(tmp_path / "phone")
    phone("backup", "target", "add", "drive", str(place))
    phone("task", "add", "Buy milk")
    phone("task", "add", "Buy bread")
    phone("backup", "now")
    assert {(each["device"] == edda.json("status")["device"]) for each in edda.json("backup", "list")["backups"]} == {
        False
    }
    assert "\tphone\tdrive\t" in edda("backup", "list", "--device", "phone").stdout
    assert "There is no backup yet" in edda("backup", "list", "--device", "laptop").stdout
    assert "holds: it gives 2 tasks" in edda("backup", "verify", "--device", "phone").stdout
    assert "no backup of this device at 'drive': `edda backup now` makes" in edda("backup", "restore", code=3).stderr
    assert "There is no device 'tablet' here" in edda("backup", "restore", "--device", "tablet", code=3).stderr
    said = edda("backup", "restore", "--device", "phone", "--only", "Buy bread").stdout
    assert "Compared with backup 1 by phone at drive" in said
    assert titles(edda) == ["Buy bread"]
    assert (
        "There is no task or document 'Buy salt' here"
        in edda("backup", "restore", "--device", "phone", "--only", "Buy salt", code=3).stderr
    )
    assert edda.json("backup", "restore", "--device", "phone", "--dry-run")[0]["how"] == "missing here"
    edda("backup", "restore", "--device", "phone")
    assert titles(edda) == ["Buy bread", "Buy milk"]


def test_the_truth_is_taken_back_with_the_backup_that_was_made_before(edda: Edda) -> None:
    edda("task", "add", "Buy milk")
    edda("backup", "now")
    edda("task", "add", "Newer")
    assert "`edda backup restore 2 --exactly` takes this back" in edda("backup", "restore", "1", "--exactly").stderr
    assert titles(edda) == ["Buy milk"]
    edda("backup", "restore", "2", "--exactly")
    assert titles(edda) == ["Buy milk", "Newer"]


def test_a_tag_becomes_as_it_was_with_exactly(edda: Edda) -> None:
    edda("tag", "add", "home", "--color", "red")
    edda("backup", "now")
    edda("tag", "add", "home", "--color", "blue")
    assert "Nothing is missing here" in edda("backup", "restore", "--dry-run").stdout
    assert edda.json("backup", "restore", "--exactly", "--dry-run") == [
        {"kind": "tag", "id": None, "title": "home", "how": "different", "fields": []}
    ]
    assert "1 item restored." in edda("backup", "restore", "--exactly").stdout
    assert [tag["color"] for tag in edda.json("tag", "list")] == ["red"]


def test_a_time_is_chosen_among_all_backups(edda: Edda) -> None:
    edda("task", "add", "Buy milk")
    edda("backup", "now")
    assert "not in the backup" in edda("backup", "restore", "--exactly", "--dry-run", "--at", "2020-01-01").stdout
    assert "as it was on 2100-01-01 00:00:00Z" in edda("backup", "restore", "--exactly", "--at", "2100-01-01").stdout
    assert "not in the backup" in edda("backup", "restore", "--exactly", "--dry-run", "--at", "yesterday").stdout
    assert "is not a" in edda("backup", "restore", "--at", "soon", code=2).stderr


def test_a_lost_store_comes_back_where_the_identity_is_left(edda: Edda) -> None:
    edda("task", "add", "Buy milk")
    edda("backup", "now")
    device = edda.json("status")["device"]
    lose(edda)
    assert "`edda backup restore`" in edda("task", "list", code=1).stderr
    said = edda("backup", "restore")
    assert said.stdout.startswith("The store is back, from backup 1 of ")
    assert titles(edda) == ["Buy milk"]
    assert edda.json("status")["device"] == device
    edda("task", "add", "Buy bread")
    assert {finding["sound"] for finding in edda.json("doctor")} == {True}


def test_only_one_command_at_a_time_brings_a_lost_store_back(edda: Edda) -> None:
    edda("task", "add", "Buy milk")
    edda("backup", "now")
    lose(edda)
    with only_runner(edda.home):
        assert "Another edda" in edda("backup", "restore", code=2).stderr
        assert not (edda.home / "edda.db").exists()
    edda("backup", "restore")
    assert titles(edda) == ["Buy milk"]


def test_a_machine_that_has_nothing_needs_the_words(edda: Edda, another_edda: Callable[[str], Edda]) -> None:
    new, code = another_edda("new"), RecoveryCode(bytes(range(20)))
    edda("task", "add", "Buy milk")
    with StorageEngine(edda.home) as store:
        store.initialize(StorageConfig())
        recovery.make(store, code)
    edda("backup", "now")
    assert "with a recovery code, type `edda backup restore --recovery`" in new("backup", "restore", code=3).stderr
    assert not new.home.exists()
    looked = new("backup", "restore", "--recovery", "--dry-run", stdin=" ".join(code.words))
    assert "would come back: 1 task and 0 documents. Nothing was made." in looked.stdout
    assert not new.home.exists()
    said = new("backup", "restore", "--recovery", stdin=" ".join(code.words))
    assert "This machine is a new device of the workspace." in said.stdout
    assert titles(new) == ["Buy milk"]
    assert "There is a store in" in new("backup", "restore", "--recovery", stdin=" ".join(code.words), code=2).stderr


def test_what_makes_no_sense_without_a_store_is_refused(another_edda: Callable[[str], Edda]) -> None:
    assert (
        "There is no store here to restore into" in another_edda("new")("backup", "restore", "--exactly", code=2).stderr
    )


def test_a_restored_device_goes_on_in_a_new_life_and_gets_its_own_later_changes_from_others(
    pair: tuple[Machine, Machine],
) -> None:
    """Real processes: the phone has what the laptop wrote after its backup, and both go on; nothing is written twice."""
    laptop, phone = pair
    laptop.run("backup", "now")
    laptop.run("task", "add", "After the backup")
    running, place = laptop.up()
    phone.run("sync", "--at", place)
    assert running.end() == 0
    for path in laptop.home.glob("edda.db*"):
        path.unlink()
    phone.run("task", "add", "Meanwhile on the phone")
    assert "The store is back, from backup 1" in laptop.run("backup", "restore")
    laptop.run("task", "add", "After the loss")
    running, place = laptop.up()
    assert "laptop: proved equal" in phone.run("sync", "--at", place)
    assert running.end() == 0
    everything = {"Buy milk", "After the backup", "Meanwhile on the phone", "After the loss"}
    assert meeting.titles(laptop) == meeting.titles(phone) == everything
    assert len(laptop.json("task", "list", "--all")) == 4
    (lives,) = [found for device, found in laptop.json("status")["lives"].items() if found["all"] > 1]
    assert lives["why"] == {"restored from a backup": 1}
