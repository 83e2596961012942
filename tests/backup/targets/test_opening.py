"""Where a backup gets its targets: added, opened, replaced, removed; and the usual folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from edda_sync.backup.targets import opening
from edda_sync.backup.targets.credentials import Credentials
from edda_sync.backup.targets.keeping import SECRETS_FILE
from edda_sync.backup.targets.known import ENVIRONMENT, FILE, NOWHERE, USUAL, Known, load
from edda_sync.backup.targets.place import FOLDER, MEMORY, Place, parse
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import NotFoundError, TargetError, UsageError
from tests.backup.targets.stores import AWS, SECRET, Asked, answering, careless, make_bucket, refusing

NONE = Credentials()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def test_without_targets_backups_go_to_the_usual_folder(home: Path, tmp_path: Path) -> None:
    config = StorageConfig(state_path=tmp_path / "state")
    (target,) = opening.named(home, config)
    assert target.name == USUAL
    target.put("edda/a", b"x")
    assert (tmp_path / "state" / "backups" / "edda" / "a").read_bytes() == b"x"


def test_a_folder_is_proved_remembered_and_opened(home: Path, tmp_path: Path) -> None:
    added = opening.add(home, "stick", Place(FOLDER, str(tmp_path / "stick")), NONE)
    assert (added.credentials, added.lacks) == (NOWHERE, ("disk",))
    assert load(home) == [added]
    (target,) = opening.named(home, StorageConfig())
    target.put("edda/a", b"x")
    assert opening.named(home, StorageConfig(), "stick")[0].get("edda/a") == b"x"
    assert [each.name for each in opening.named(home, StorageConfig(), USUAL)] == [USUAL]
    with pytest.raises(NotFoundError):
        opening.named(home, StorageConfig(), "none")


def test_a_folder_on_another_disk_is_not_said_to_be_on_the_same(home: Path, other_disk: Path) -> None:
    assert opening.add(home, "stick", Place(FOLDER, str(other_disk / "x")), NONE).lacks == ()


def test_a_bucket_is_proved_with_its_credentials_which_are_found_again(home: Path, s3: str) -> None:
    place = make_bucket(s3, "opened")
    added = opening.add(home, "cloud", place, AWS)
    assert (added.credentials, added.lacks) == (FILE, ())
    opening.named(home, StorageConfig())[0].put("edda/a", b"x")
    assert opening.opened(home, added).get("edda/a") == b"x"
    assert SECRET not in (home / "backup-targets.json").read_text()
    opening.remove(home, "cloud")
    assert (load(home), (home / SECRETS_FILE).exists()) == ([], False)
    again = opening.add(home, "cloud", place, AWS, where=ENVIRONMENT)
    variables = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET}
    assert opening.opened(home, again, variables).get("edda/a") == b"x", "what lies there stays"


def test_what_was_refused_is_not_remembered(home: Path) -> None:
    with answering(refusing(403, "AccessDenied")) as url, pytest.raises(TargetError):
        opening.add(home, "cloud", parse("s3://bucket", endpoint=url), AWS)
    assert not home.exists()


def test_a_name_is_used_once_unless_it_is_to_be_replaced(home: Path, tmp_path: Path) -> None:
    with answering(careless()) as url:
        opening.add(home, "one", parse("s3://bucket", endpoint=url), AWS)
        with pytest.raises(UsageError, match="--force replaces it"):
            opening.add(home, "one", Place(FOLDER, str(tmp_path / "x")), NONE)
        assert (home / SECRETS_FILE).exists()
        new = Credentials({"access_key_id": "new", "secret_access_key": "newer"})
        renewed = opening.add(home, "one", parse("s3://bucket", endpoint=url), new, force=True)
        assert "newer" in (home / SECRETS_FILE).read_text()
        assert SECRET not in (home / SECRETS_FILE).read_text()
        assert load(home) == [renewed]
    replaced = opening.add(home, "one", Place(FOLDER, str(tmp_path / "x")), NONE, force=True)
    assert load(home) == [replaced]
    assert not (home / SECRETS_FILE).exists()


@pytest.mark.parametrize("inside", ["", "backups", "deep/er"])
def test_the_store_does_not_hold_its_own_backups(home: Path, tmp_path: Path, inside: str) -> None:
    home.mkdir()
    (tmp_path / "linked").symlink_to(home)
    for path in (home / inside, tmp_path / "linked" / inside):
        with pytest.raises(UsageError, match="in the store's own"):
            opening.add(home, "stick", Place(FOLDER, str(path)), NONE)
    assert list(home.iterdir()) == []


def test_memory_is_no_target_that_lasts(home: Path) -> None:
    with pytest.raises(UsageError, match="ends with the command"):
        opening.add(home, "memory", Place(MEMORY, "x"), NONE)


def test_credentials_go_again_if_another_process_took_the_name_meanwhile(home: Path) -> None:
    store = careless()
    faster: list[Known] = []

    def answer(asked: Asked) -> tuple[int, bytes] | None:
        if not faster:
            faster.append(opening.add(home, "cloud", Place(FOLDER, str(home.parent / "x")), NONE))
        return store(asked)

    with answering(answer) as url, pytest.raises(UsageError, match="--force replaces it"):
        opening.add(home, "cloud", parse("s3://bucket", endpoint=url), AWS)
    assert load(home) == faster
    assert not (home / SECRETS_FILE).exists()


def test_a_place_that_no_store_remembers_is_read_and_not_written(home: Path, tmp_path: Path) -> None:
    opening.add(home, "stick", Place(FOLDER, str(tmp_path / "stick")), NONE)
    opening.named(home, StorageConfig())[0].put("edda/a", b"x")
    before = sorted(tmp_path.rglob("*"))
    assert opening.unremembered(Place(FOLDER, str(tmp_path / "stick")), NONE).get("edda/a") == b"x"
    assert sorted(tmp_path.rglob("*")) == before
    with pytest.raises(TargetError, match="its folder is not here"):
        opening.unremembered(Place(FOLDER, str(tmp_path / "none")), NONE)
    with answering(careless()) as url:
        place = parse("s3://bucket/mine", endpoint=url)
        opening.add(home, "cloud", place, AWS)
        opening.named(home, StorageConfig(), "cloud")[0].put("edda/a", b"y")
        assert opening.unremembered(place, AWS).get("edda/a") == b"y"


def test_a_token_that_would_be_sent_in_plain_text_is_refused(home: Path) -> None:
    place = parse("az://container", endpoint="http://nas:10000/account", account="account")
    with pytest.raises(UsageError, match="without TLS"):
        opening.add(home, "cloud", place, Credentials({"sas_token": SECRET}))


def test_a_target_whose_credentials_are_missing_does_not_keep_backups_from_the_others(
    home: Path, tmp_path: Path
) -> None:
    with answering(careless()) as url:
        opening.add(home, "cloud", parse("s3://bucket", endpoint=url), AWS)
    opening.add(home, "stick", Place(FOLDER, str(tmp_path / "stick")), NONE)
    (home / SECRETS_FILE).unlink()
    cloud, stick = opening.named(home, StorageConfig())
    stick.put("edda/a", b"x")
    for work in (lambda: cloud.put("edda/a", b"x"), lambda: list(cloud.list("edda/"))):
        with pytest.raises(TargetError, match="`edda backup target add cloud s3://bucket --force`"):
            work()
