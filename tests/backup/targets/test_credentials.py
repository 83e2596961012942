"""Credentials: from variables, from a person, and as a line; never shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from edda_sync.backup.targets.credentials import Credentials, asked, from_line, from_variables, variables_of
from edda_sync.backup.targets.place import AZURE, GOOGLE, S3
from edda_sync.words.errors import EddaError, InvalidValueError, UsageError

SECRET = "an-unmistakable-secret"
AWS = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": SECRET}
KEY_FILE = {"type": "service_account", "private_key": SECRET}


def test_they_are_not_shown_when_they_are_printed() -> None:
    made = Credentials({"secret_access_key": SECRET})
    assert SECRET not in f"{made} {made!r} {[made]}"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (S3, {"access_key_id": "key", "secret_access_key": SECRET}),
        (S3, {"access_key_id": "key", "secret_access_key": SECRET, "session_token": "x"}),
        (AZURE, {"account_key": SECRET}),
        (AZURE, {"sas_token": SECRET}),
        (GOOGLE, {"service_account_key": json.dumps(KEY_FILE)}),
    ],
)
def test_a_line_of_them_is_read_again(kind: str, values: dict[str, str]) -> None:
    line = Credentials(values).line()
    assert "\n" not in line
    assert from_line(kind, line) == Credentials(values)


@pytest.mark.parametrize(
    "line", ["", "{", "[]", "null", '"x"', "{}", '{"access_key_id":"a"}', '{"account_key":"a"}',
             '{"access_key_id":"a","secret_access_key":""}', '{"access_key_id":"a","secret_access_key":1}',
             '{"access_key_id":"a","secret_access_key":"b","more":"c"}'],
)  # fmt: skip
def test_a_line_that_is_damaged_or_of_another_kind_is_none(line: str) -> None:
    assert from_line(S3, line) is None


def test_the_usual_variables_are_read(tmp_path: Path) -> None:
    assert from_variables(S3, AWS) == Credentials({"access_key_id": "key", "secret_access_key": SECRET})
    found = from_variables(S3, {**AWS, "AWS_SESSION_TOKEN": "x"})
    assert found is not None
    assert found.values["session_token"] == "x"
    assert from_variables(AZURE, {"AZURE_STORAGE_KEY": SECRET}) == Credentials({"account_key": SECRET})
    assert from_variables(AZURE, {"AZURE_STORAGE_SAS_TOKEN": SECRET}) == Credentials({"sas_token": SECRET})
    (tmp_path / "key.json").write_text(json.dumps(KEY_FILE, indent=4))
    google = from_variables(GOOGLE, {"GOOGLE_APPLICATION_CREDENTIALS": str(tmp_path / "key.json")})
    assert google is not None
    assert json.loads(google.values["service_account_key"]) == KEY_FILE


@pytest.mark.parametrize("variables", [{}, {"AWS_ACCESS_KEY_ID": "key"}, {**AWS, "AWS_SECRET_ACCESS_KEY": ""}])
def test_variables_that_lack_a_part_are_none(variables: dict[str, str]) -> None:
    assert from_variables(S3, variables) is None


@pytest.mark.parametrize("content", [None, "", "no json", "[]", '{"type": "user"}', "x" * 20_000])
def test_a_key_file_that_is_none_is_refused_without_its_content(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "key.json").write_text(content)
    with pytest.raises(UsageError, match="name the"):
        from_variables(GOOGLE, {"GOOGLE_SERVICE_ACCOUNT": str(tmp_path / "key.json")})


def test_a_person_is_asked_for_what_is_needed() -> None:
    prompts = []

    def ask(prompt: str, is_new: bool) -> str:
        prompts.append((prompt, is_new))
        return f" {prompt[:6]}\n"

    assert asked(S3, ask) == Credentials({"access_key_id": "Access", "secret_access_key": "Secret"})
    assert prompts == [("Access key id", False), ("Secret access key", False)]
    assert asked(AZURE, ask) == Credentials({"account_key": "Accoun"})


def test_nobody_who_can_be_asked_is_told_by_none() -> None:
    assert asked(S3, None) is None
    assert asked(S3, lambda *_: None) is None


@pytest.mark.parametrize("typed", ["", "  ", "a\x1b[31m", "schlüssel", "x" * 20_000])
def test_what_can_be_no_secret_is_refused_and_not_repeated(typed: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        asked(S3, lambda *_: typed)
    assert not typed.strip() or typed.strip() not in str(caught.value)
    assert isinstance(caught.value, EddaError)
    assert caught.value.value is None


def test_the_variables_of_each_kind_are_named() -> None:
    assert variables_of(S3) == "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
    assert variables_of(AZURE) == "AZURE_STORAGE_ACCOUNT_KEY"
    assert variables_of(GOOGLE) == "GOOGLE_APPLICATION_CREDENTIALS"
