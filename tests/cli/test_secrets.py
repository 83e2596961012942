"""Asking for passphrases, and the options that say where a key is kept. ``test_store`` has a person who types one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.cli.secrets import Doing, ask, chosen
from edda_sync.sealing import datakeys
from edda_sync.words.config import EncryptionConfig, KeyStorage
from edda_sync.words.errors import UsageError
from tests.cli.conftest import Edda


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    datakeys.forget_unlocked()
    yield
    datakeys.forget_unlocked()


def test_without_a_terminal_nobody_is_asked() -> None:
    assert ask("Passphrase", False) is None


@pytest.mark.parametrize(
    ("given", "storage"),
    [
        ((True, False, None), KeyStorage.KEYRING),
        ((False, True, None), KeyStorage.PASSPHRASE),
        ((False, False, Path("/mnt/key")), KeyStorage.FILE),
        ((False, False, None), KeyStorage.PASSPHRASE),
    ],
    ids=["--keyring", "--passphrase", "--key-file", "as configured"],
)
def test_an_option_says_where_the_key_is_kept(given: tuple[bool, bool, Path | None], storage: KeyStorage) -> None:
    usual = EncryptionConfig(key_storage=KeyStorage.PASSPHRASE)
    assert chosen(*given, usual).key_storage is storage


def test_two_places_are_one_too_many() -> None:
    with pytest.raises(UsageError, match="Say one of"):
        chosen(True, True, None, EncryptionConfig())


def test_a_device_that_needs_a_passphrase_and_has_none_says_what_to_set(
    edda: Edda, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "passphrase"
    file.touch(0o600)
    file.write_text("correct horse")
    monkeypatch.setenv("EDDA_PASSPHRASE_FILE", str(file))
    edda("store", "encrypt", "--passphrase")
    monkeypatch.delenv("EDDA_PASSPHRASE_FILE")
    for command in (("up",), ("sync",), ("invite",), ("task", "list"), ("status",), ("doctor",)):
        datakeys.forget_unlocked()
        said = edda(*command, code=2)
        assert "nobody can be asked here; nothing was changed: set EDDA_PASSPHRASE_FILE" in said.stderr, command
        assert len(said.stderr.splitlines()) == 1, command


def test_a_plain_store_loads_nothing_of_this(edda: Edda) -> None:
    code = (
        "import sys\nfrom edda_sync.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code\n"
        "assert not [name for name in sys.modules if name.startswith(('edda_sync.sealing', 'edda_sync.cli.secrets'))]"
    )
    subprocess.run([sys.executable, "-c", code, "--home", str(edda.home), "task", "add", "a"], check=True)


def test_what_is_being_done_is_shown_from_the_first_word_on(capfd: pytest.CaptureFixture[str]) -> None:
    with Doing() as doing:
        assert doing._waiting is None
        doing("Copying")
        shown = doing._waiting
        doing("Comparing")
        assert doing._waiting is shown is not None
