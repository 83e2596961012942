"""Where credentials are kept: a keyring that is one, or a private file, or only variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from keyring.backends import fail, null

from edda_sync.backup.targets import keeping
from edda_sync.backup.targets.credentials import Credentials
from edda_sync.backup.targets.keeping import SECRETS_FILE, drop, find, keep
from edda_sync.backup.targets.known import ENVIRONMENT, FILE, KEYRING, Known
from edda_sync.backup.targets.place import S3, Place
from edda_sync.words.errors import DamagedBackupError, TargetError, UsageError
from tests.keyrings import DeafKeyring, PlainKeyring, ShelfKeyring, using

SECRET = "an-unmistakable-secret"
AWS = Credentials({"access_key_id": "key", "secret_access_key": SECRET})
ID, OTHER = "0" * 32, "1" * 32


def cloud(where: str, id_: str = ID) -> Known:
    return Known("cloud", Place(S3, "bucket"), id_, where, "2026-11-30T12:00:00.000Z", ())


@pytest.fixture
def shelf(monkeypatch: pytest.MonkeyPatch) -> ShelfKeyring:
    monkeypatch.delenv("EDDA_KEYRING")
    return ShelfKeyring()


def test_a_keyring_is_used_if_there_is_one(tmp_path: Path, shelf: ShelfKeyring) -> None:
    with using(shelf):
        assert keep(tmp_path, ID, AWS, None) == KEYRING
        assert shelf.entries == {("edda-sync", f"backup-target-{ID}"): AWS.line()}
        assert find(tmp_path, cloud(KEYRING), {}) == AWS
        drop(tmp_path, cloud(KEYRING))
    assert shelf.entries == {}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("backend", [null.Keyring, fail.Keyring, PlainKeyring, DeafKeyring])
def test_a_keyring_that_keeps_nothing_or_plain_text_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, backend: type
) -> None:
    monkeypatch.delenv("EDDA_KEYRING")
    with using(backend()):
        assert keep(tmp_path, ID, AWS, None) == FILE
        with pytest.raises(UsageError, match="--credentials file"):
            keep(tmp_path, ID, AWS, KEYRING)


def test_a_private_file_has_these_bytes_and_goes_with_its_last_entry(tmp_path: Path) -> None:
    assert keep(tmp_path, ID, AWS, FILE) == FILE
    path = tmp_path / SECRETS_FILE
    golden = (
        '{\n "format": 1,\n "secrets": {\n'
        f'  "{ID}": "{{\\"access_key_id\\":\\"key\\",\\"secret_access_key\\":\\"{SECRET}\\"}}"\n }}\n}}\n'
    )
    assert path.read_text() == golden
    assert path.stat().st_mode & 0o777 == 0o600
    keep(tmp_path, OTHER, AWS, FILE)
    assert find(tmp_path, cloud(FILE), {}) == AWS
    drop(tmp_path, cloud(FILE))
    with pytest.raises(TargetError, match=r"its credentials are missing from backup-secrets.json, or damaged there"):
        find(tmp_path, cloud(FILE), {})
    assert find(tmp_path, cloud(FILE, OTHER), {}) == AWS
    drop(tmp_path, cloud(FILE, OTHER))
    assert list(tmp_path.iterdir()) == []


def test_variables_are_read_each_time_and_nothing_is_kept(tmp_path: Path) -> None:
    assert keep(tmp_path, ID, AWS, ENVIRONMENT) == ENVIRONMENT
    assert list(tmp_path.iterdir()) == []
    variables = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET}
    assert find(tmp_path, cloud(ENVIRONMENT), variables) == AWS
    with pytest.raises(TargetError, match=r"not in the environment.: set AWS_ACCESS_KEY_ID and"):
        find(tmp_path, cloud(ENVIRONMENT), {})
    drop(tmp_path, cloud(ENVIRONMENT))


def test_a_keyring_that_is_locked_or_gone_says_what_to_do(tmp_path: Path, shelf: ShelfKeyring) -> None:
    with using(shelf):
        keep(tmp_path, ID, AWS, None)
        shelf.locked = True
        with pytest.raises(
            TargetError, match=r"its credentials are in the system's keyring, which failed.: unlock it and try again"
        ):
            find(tmp_path, cloud(KEYRING), {})
        shelf.locked = False
        shelf.entries.clear()
        with pytest.raises(TargetError, match="missing from the keyring"):
            find(tmp_path, cloud(KEYRING), {})


@pytest.mark.parametrize("raw", ["", "{", "[]", '{"format": 2, "secrets": {}}', '{"format": 1, "secrets": {"a": 1}}'])
def test_a_damaged_file_is_refused_and_stays(tmp_path: Path, raw: str) -> None:
    (tmp_path / SECRETS_FILE).write_text(raw)
    for work in (lambda: keep(tmp_path, ID, AWS, FILE), lambda: drop(tmp_path, cloud(FILE))):
        with pytest.raises(DamagedBackupError, match=r"backup-secrets.json is damaged"):
            work()
    assert (tmp_path / SECRETS_FILE).read_text() == raw


def test_no_error_shows_a_secret(tmp_path: Path) -> None:
    (tmp_path / SECRETS_FILE).write_text(f'{{"format": 1, "secrets": {{"{ID}": "{SECRET}"}}}}')
    with pytest.raises(TargetError) as caught:
        find(tmp_path, cloud(FILE), {})
    assert SECRET not in f"{caught.value} {vars(caught.value)}"
    assert keeping.SECRETS_FILE in str(caught.value)
