"""Places, as people name them."""

from __future__ import annotations

from pathlib import Path

import pytest

from edda_sync.backup.targets.place import AZURE, FOLDER, GOOGLE, MEMORY, S3, Place, completed, parse
from edda_sync.words.errors import EddaError, InvalidValueError, UsageError


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("/media/stick/backups", Place(FOLDER, "/media/stick/backups")),
        ("/media/../mnt//a b/", Place(FOLDER, "/mnt/a b")),
        ("file:///media/a%20b", Place(FOLDER, "/media/a b")),
        ("file://localhost/media/x", Place(FOLDER, "/media/x")),
        ("s3://bucket", Place(S3, "bucket")),
        ("S3://my.bucket-1/a/b/", Place(S3, "my.bucket-1", "a/b")),
        ("gs://bucket/x", Place(GOOGLE, "bucket", "x")),
        ("az://container", Place(AZURE, "container")),
        ("memory://test", Place(MEMORY, "test")),
    ],
)
def test_an_address_is_a_place_and_its_own_address_is_the_same_place(url: str, place: Place) -> None:
    assert parse(url) == place
    assert parse(place.url) == place


def test_a_folder_may_be_relative_or_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    assert parse("backups").root == str(tmp_path / "backups")
    assert parse("~/backups").root == "/home/me/backups"


SECRET = "wJalrXUtnFEMI"
BAD = [
    "", "/", "file://", "file://host/share", "ftp://x/y", "http://host/bucket", "https://s3.amazonaws.com/bucket", "s3://",
    "s3:///x", "s3://b", "s3://a b", "s3://bucket/../x", "s3://bucket/a//b", "s3://bucket/a b", "s3://bucket/\n", "s3://bücket",
    f"s3://key:{SECRET}@bucket", f"s3://bucket?secret={SECRET}", f"s3://key:{SECRET}/x@bucket", f"az://c/x?sig={SECRET}",
    f"s3://bucket#{SECRET}", f"https://key:{SECRET}@host", "a\0b", f"file:///x?{SECRET}", f"nonsense://{SECRET}",
]  # fmt: skip


@pytest.mark.parametrize("url", BAD, ids=ascii)
def test_what_is_no_place_is_refused_and_what_may_be_secret_in_it_is_not_repeated(url: str) -> None:
    with pytest.raises(EddaError) as caught:
        parse(url)
    assert SECRET not in f"{caught.value} {vars(caught.value)}"


@pytest.mark.parametrize(
    "endpoint", ["x", "ftp://h", "https://", "https://u:p@h", "https://h?x=1", "https://h:99999", "http://h\n"]
)
def test_a_server_is_an_address_without_more(endpoint: str) -> None:
    with pytest.raises(InvalidValueError):
        parse("s3://bucket", endpoint=endpoint)


def test_what_a_kind_of_place_does_not_have_is_refused() -> None:
    for url, option in [
        ("/x", "region"),
        ("gs://bucket", "endpoint"),
        ("s3://bucket", "account"),
        ("az://cc", "region"),
    ]:
        with pytest.raises(UsageError, match=f"--{option} says nothing about"):
            parse(url, **{option: "something"})
    for option in ("region", "account"):
        with pytest.raises(InvalidValueError):
            parse("s3://bucket" if option == "region" else "az://cc", **{option: "NO good"})


def test_the_usual_variables_complete_what_a_person_left_out() -> None:
    variables = {
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "https://s3.example.org/",
        "AZURE_STORAGE_ACCOUNT": "mine",
    }
    assert completed(parse("s3://bucket"), variables) == Place(
        S3, "bucket", "", "eu-central-1", "https://s3.example.org"
    )
    assert completed(parse("s3://bucket", region="x"), variables).region == "x"
    assert completed(parse("az://container"), variables).account == "mine"
    assert completed(parse("/folder"), variables) == Place(FOLDER, "/folder")
    with pytest.raises(UsageError, match="--account"):
        completed(parse("az://container"), {})


def test_a_server_without_tls_is_known_as_such() -> None:
    assert parse("s3://bucket", endpoint="http://nas:9000").is_plain
    assert not parse("s3://bucket", endpoint="https://nas:9000").is_plain
    assert not parse("s3://bucket").is_plain
