from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.sealing import passphrase
from edda_sync.words import asking
from edda_sync.words.errors import InvalidValueError, NotPrivateError, UsageError

STORE = Path("/home/ada/edda.db")


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv(passphrase.VARIABLE, raising=False)
    yield
    asking.ask_with(None)


def written(path: Path, raw: bytes) -> Path:
    path.touch(0o600)
    path.write_bytes(raw)
    return path


def test_a_person_is_asked_and_for_a_new_one_twice() -> None:
    asked: list[tuple[str, bool]] = []

    def ask(prompt: str, new: bool) -> str:
        asked.append((prompt, new))
        return "correct horse"

    asking.ask_with(ask)
    assert passphrase.existing(STORE) == passphrase.new(STORE) == "correct horse"
    assert asked == [(f"Passphrase of {STORE}", False), (f"New passphrase for {STORE}", True)]


@pytest.mark.parametrize("raw", [b"correct horse", b"correct horse\n", b"correct horse\r\n", b"correct horse\nmore"])
def test_the_first_line_of_a_file_is_the_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: bytes
) -> None:
    monkeypatch.setenv(passphrase.VARIABLE, str(written(tmp_path / "file", raw)))
    assert passphrase.existing(STORE) == "correct horse"


def test_a_pipe_is_as_good_as_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    out, into = os.pipe()
    monkeypatch.setenv(passphrase.VARIABLE, f"/dev/fd/{out}")
    os.write(into, b"correct horse\n")
    os.close(into)
    assert passphrase.existing(STORE) == "correct horse"
    os.close(out)


@pytest.mark.parametrize("raw", [b"", b"\n", b"\xff\xfe\n"])
def test_a_file_without_a_passphrase_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raw: bytes) -> None:
    monkeypatch.setenv(passphrase.VARIABLE, str(written(tmp_path / "file", raw)))
    with pytest.raises(UsageError, match="no passphrase in its first line"):
        passphrase.existing(STORE)


def test_a_file_that_others_can_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "file", b"correct horse")
    path.chmod(0o644)
    monkeypatch.setenv(passphrase.VARIABLE, str(path))
    with pytest.raises(NotPrivateError, match="chmod"):
        passphrase.existing(STORE)


def test_a_missing_file_and_nobody_to_ask_say_what_to_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="set EDDA_PASSPHRASE_FILE"):
        passphrase.existing(STORE)
    monkeypatch.setenv(passphrase.VARIABLE, str(tmp_path / "missing"))
    with pytest.raises(UsageError, match="which EDDA_PASSPHRASE_FILE names"):
        passphrase.existing(STORE)


def test_a_new_passphrase_must_not_be_short_and_an_old_one_may(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(passphrase.VARIABLE, str(written(tmp_path / "file", b"short")))
    assert passphrase.existing(STORE) == "short"
    with pytest.raises(InvalidValueError, match="8 to"):
        passphrase.new(STORE)
