"""``edda backup target``: add, list, remove; and no secret in anything that it says or writes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.backup.targets import mounts
from edda_sync.backup.targets.credentials import FIELDS
from edda_sync.backup.targets.folder import MARKER
from edda_sync.backup.targets.keeping import SECRETS_FILE
from edda_sync.backup.targets.known import KNOWN_FILE
from edda_sync.cli import targets
from edda_sync.words import limits
from tests.backup.targets.stores import SECRET, answering, careless, refusing
from tests.cli.conftest import Edda
from tests.cli.processes import on_a_terminal


@pytest.fixture
def server() -> Iterator[str]:
    with answering(careless()) as url:
        yield url


@pytest.fixture
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)


def test_without_a_target_the_list_says_where_backups_go_and_what_that_helps_against(edda: Edda) -> None:
    said = edda("backup", "target", "list")
    assert said.stdout == ""
    assert "that helps against mistakes, and not against a lost disk; `edda backup target add NAME URL`" in said.stderr
    assert edda.json("backup", "target", "list") == []


def test_a_drive_is_added_listed_missed_and_removed(edda: Edda, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    said = edda("backup", "target", "add", "stick", str(stick), "--make")
    assert said.stdout == f"Backups can go to stick: {stick} has proved it.\n"
    assert (
        said.stderr
        == "It lies on the same disk as the store, which helps against mistakes and not against a lost disk.\n"
    )
    assert edda("backup", "target", "list").stdout.split() == ["stick", str(stick), "-", edda_day(edda), "-"]
    stick.rename(tmp_path / "unplugged")
    assert "its folder is not here" in edda("backup", "target", "list").stdout
    assert edda.json("backup", "target", "list")[0]["here"] is False
    (tmp_path / "unplugged").rename(stick)
    assert edda.json("backup", "target", "list")[0]["here"] is True
    said = edda("backup", "target", "remove", "stick")
    assert f"Forgot the backup target stick. What lies in {stick} stays there." in said.stderr
    assert (stick / "edda-target").exists()
    assert "edda backup target list" in edda("backup", "target", "remove", "stick", code=3).stderr


def edda_day(edda: Edda) -> str:
    found: str = edda.json("backup", "target", "list")[0]["proved_at"]
    return found[:10]


def test_status_says_that_backups_on_this_disk_help_against_mistakes_only(edda: Edda, tmp_path: Path) -> None:
    edda("task", "add", "Buy milk")
    assert "mistakes" not in edda("status").stdout
    assert edda.json("status")["backups_only_here"] is None
    edda("backup", "now")
    said = edda("status").stdout
    assert "on this disk: that helps against mistakes, and not against a lost disk; `edda backup target add" in said
    (tmp_path / "stick").mkdir()
    edda("backup", "target", "add", "stick", str(tmp_path / "stick"))
    assert str(tmp_path / "stick") in edda.json("status")["backups_only_here"]
    targets_file = edda.home / KNOWN_FILE
    known = json.loads(targets_file.read_text())
    known["targets"][0]["lacks"] = []  # as of a drive
    targets_file.write_text(json.dumps(known))
    assert "mistakes" not in edda("status").stdout
    targets_file.write_text("damaged")
    assert "is damaged" in edda("status").stdout


def test_a_folder_that_is_missing_is_made_on_this_disk_only_if_told(edda: Edda, tmp_path: Path) -> None:
    stick = tmp_path / "mount point" / "backups"
    stick.parent.mkdir()
    said = edda("backup", "target", "add", "stick", str(stick), code=2).stderr
    assert "nothing was made: connect the drive if it is on one, or add --make." in said
    assert list(stick.parent.iterdir()) == []
    for answer, code in ((b"n\n", 130), (b"y\n", 0)):
        ended, printed = on_a_terminal(edda.home, "backup", "target", "add", "stick", str(stick), typed=answer)
        assert f"There is no folder {stick}." in printed
        assert (ended, stick.exists()) == (code, code == 0), printed
    assert [each["name"] for each in edda.json("backup", "target", "list")] == ["stick"]


def test_a_place_of_a_drive_that_is_not_mounted_is_refused(
    edda: Edda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "fstab").write_text(f"UUID=1 {tmp_path / 'stick'} vfat noauto 0 0\n")
    (tmp_path / "stick").mkdir()
    monkeypatch.setattr(mounts, "TABLE", tmp_path / "fstab")
    for folder in (tmp_path / "stick", tmp_path / "stick" / "backups"):
        said = edda("backup", "target", "add", "stick", str(folder), "--make", code=2).stderr
        assert f"Nothing is mounted at {tmp_path / 'stick'}, where /etc/fstab has a drive" in said
    assert list((tmp_path / "stick").iterdir()) == []


def test_status_does_not_tell_of_a_target_that_was_removed_or_is_another_one_now(edda: Edda, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    edda("backup", "target", "add", "stick", str(tmp_path / "one"))
    edda("backup", "now")
    edda("backup", "target", "add", "stick", str(tmp_path / "one"), "--force")
    assert "backup 1 at stick" in edda("status").stdout
    edda("backup", "target", "add", "stick", str(tmp_path / "two"), "--force")
    assert "at stick" not in edda("status").stdout
    edda("backup", "now")
    edda("backup", "target", "remove", "stick")
    assert "at stick" not in edda("status").stdout


@pytest.mark.usefixtures("variables")
def test_new_credentials_of_a_bucket_forget_no_backups_and_another_bucket_does(edda: Edda, server: str) -> None:
    def add(url: str) -> None:
        edda("backup", "target", "add", "cloud", url, "--endpoint", server, "--force")

    add("s3://bucket/mine")
    edda("backup", "now")
    add("s3://bucket/mine")
    assert "backup 1 at cloud" in edda("status").stdout
    add("s3://bucket/other")
    assert "at cloud" not in edda("status").stdout
    assert "Backups are missing" not in edda("backup", "list").stderr


def test_a_share_that_hangs_does_not_hang_the_list(edda: Edda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edda("backup", "target", "add", "share", str(tmp_path / "share"), "--make")
    monkeypatch.setattr(targets, "_LOOK_S", 0.0)
    monkeypatch.setattr("edda_sync.backup.targets.folder.FolderTarget.check", lambda _: __import__("time").sleep(0.2))
    assert "it does not answer" in edda("backup", "target", "list").stdout


@pytest.mark.usefixtures("variables")
def test_a_bucket_is_added_with_the_usual_variables_and_its_secret_is_shown_nowhere(edda: Edda, server: str) -> None:
    said = edda("backup", "target", "add", "cloud", "s3://bucket/mine", "--endpoint", server)
    assert said.stdout == "Backups can go to cloud: s3://bucket/mine has proved it.\n"
    assert "spoken to without TLS" in said.stderr
    assert "It overwrites even where a condition forbids it; backups rely on no condition.\n" in said.stderr
    kept = edda.home / "backup-secrets.json"
    assert f"Its credentials are in {kept}, which only you can read.\n" in said.stderr
    assert SECRET in kept.read_text()
    listed = edda("backup", "target", "list", "--json").stdout
    found = json.loads(listed)[0]
    assert (found["root"], found["prefix"], found["endpoint"], found["here"]) == ("bucket", "mine", server, None)
    shown = (
        said.output + listed + edda("backup", "target", "list").output + (edda.home / "backup-targets.json").read_text()
    )
    assert SECRET not in shown + edda("backup", "target", "remove", "cloud").output
    assert not kept.exists()


def test_credentials_are_asked_for_without_a_word_of_them(
    edda: Edda, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = []

    def ask(prompt: str, is_new: bool) -> str:
        prompts.append((prompt, is_new))
        return SECRET

    monkeypatch.setattr(targets, "asker", lambda: ask)
    said = edda("backup", "target", "add", "cloud", "s3://bucket", "--endpoint", server)
    assert [prompt for prompt, _ in prompts] == ["Access key id", "Secret access key"]
    assert SECRET not in said.output


def test_nobody_is_asked_before_what_is_wrong_anyway_is_told(
    edda: Edda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(*_: object) -> str:
        raise AssertionError("nobody should be asked")

    monkeypatch.setattr(targets, "asker", lambda: ask)
    edda("backup", "target", "add", "one", str(tmp_path / "one"), "--make")
    assert "--force replaces it" in edda("backup", "target", "add", "one", "s3://bucket", code=2).stderr
    edda("backup", "target", "add", "-x", "s3://bucket", code=2)
    edda("backup", "target", "add", "two", "s3://b", code=2)


def test_without_a_terminal_and_variables_it_says_which_to_set(edda: Edda) -> None:
    said = edda("backup", "target", "add", "cloud", "s3://bucket", code=2).stderr
    assert "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or use a terminal" in said
    said = edda("backup", "target", "add", "cloud", "s3://bucket", "--credentials", "environment", code=2).stderr
    assert "set AWS_ACCESS_KEY_ID" in said
    assert "--account" in edda("backup", "target", "add", "cloud", "az://container", code=2).stderr
    assert (
        "leave --credentials out"
        in edda("backup", "target", "add", "x", "/tmp/x", "--credentials", "file", code=2).stderr
    )


@pytest.mark.usefixtures("variables")
def test_a_place_that_refuses_is_told_in_one_line_without_secrets(edda: Edda) -> None:
    with answering(refusing(403, "SignatureDoesNotMatch")) as url:
        said = edda("backup", "target", "add", "cloud", "s3://bucket", "--endpoint", url, code=1)
    assert "its secret key is not the right one" in said.stderr
    assert SECRET not in said.output
    assert edda.json("backup", "target", "list") == []
    assert not (edda.home / "backup-secrets.json").exists()


def test_the_page_about_backups_names_every_place_variable_and_file() -> None:
    page = (Path(__file__).parents[2] / "docs" / "backups.md").read_text(encoding="utf-8")
    variables = {each.variables[0] for sets in FIELDS.values() for fields in sets for each in fields}
    for name in {*variables, "s3://", "gs://", "az://", "file://", SECRETS_FILE, KNOWN_FILE, MARKER, "32 KiB a second"}:
        assert name in page, name
    assert (limits.TARGET_BYTES_S_MIN, limits.TARGET_ANSWER_S) == (32 * 2**10, 30)
    for command in re.findall(r"`?edda backup target (\w+)", page):
        assert command in targets.target.commands


def test_a_place_alone_is_enough_and_the_answer_says_how_it_is_called(edda: Edda, tmp_path: Path) -> None:
    (tmp_path / "stick" / "backups").mkdir(parents=True)
    (tmp_path / "other" / "stick").mkdir(parents=True)
    said = edda("backup", "target", "add", str(tmp_path / "stick" / "backups"))
    assert said.stdout.startswith("Backups can go to stick: ")
    assert edda("backup", "target", "add", str(tmp_path / "other" / "stick")).stdout.startswith(
        "Backups can go to stick-2: "
    )
    assert [each["name"] for each in edda.json("backup", "target", "list")] == ["stick", "stick-2"]
    assert (
        "There is a backup target"
        in edda("backup", "target", "add", str(tmp_path / "stick" / "backups"), code=2).stderr
    )


def test_a_folder_here_is_a_place_and_another_word_is_not(
    edda: Edda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = edda("backup", "target", "add", "drive", code=2).stderr
    assert "`edda backup target add drive /media/drive`" in said
    (tmp_path / "drive").mkdir()
    assert (
        edda("backup", "target", "add", "drive").stdout
        == f"Backups can go to drive: {tmp_path / 'drive'} has proved it.\n"
    )


def test_a_name_behind_its_place_is_answered_with_the_right_order(edda: Edda, tmp_path: Path) -> None:
    said = edda("backup", "target", "add", str(tmp_path), "stick", code=2).stderr
    assert f"`edda backup target add stick {tmp_path}`" in said
    assert edda.json("backup", "target", "list") == []


def test_one_place_has_one_name_also_where_its_drive_is_away_or_elsewhere(edda: Edda, tmp_path: Path) -> None:
    stick = tmp_path / "stick"
    stick.mkdir()
    edda("backup", "target", "add", "stick", str(stick))
    assert (
        "That is the backup target 'stick' already" in edda("backup", "target", "add", "b", str(stick), code=2).stderr
    )
    stick.rename(tmp_path / "elsewhere")
    stick.mkdir()  # as an empty mount point
    edda("backup", "target", "add", "b", str(stick), code=2)
    assert list(stick.iterdir()) == []
    said = edda("backup", "target", "add", "b", str(tmp_path / "elsewhere"), code=2).stderr
    assert "`edda backup target add stick PLACE --force`" in said
    edda("backup", "target", "add", "stick", str(tmp_path / "elsewhere"), "--force")
    (found,) = edda.json("backup", "target", "list")
    assert (found["name"], found["root"]) == ("stick", str(tmp_path / "elsewhere"))


def test_a_target_with_a_space_in_its_name_stands_in_quotes_in_the_command_that_is_shown(edda: Edda) -> None:
    said = edda("backup", "target", "add", "my stick", code=2).stderr
    assert "`edda backup target add 'my stick' '/media/my stick'`" in said
