"""Naming: a place that nobody gave a name is called after what people see of it, and never as another one is."""

from __future__ import annotations

import pytest

from edda_sync.backup.targets.known import USUAL, check_name
from edda_sync.backup.targets.naming import is_place, name_of
from edda_sync.backup.targets.place import Place, parse
from edda_sync.words import limits


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("/media/stick", "stick"),
        ("/media/stick/backups", "stick"),
        ("/media/stick/.hidden", "hidden"),
        ("/mnt/My Drive/edda", "My Drive"),
        (f"/mnt/nas/{USUAL}", "nas"),
        ("/backups", "backups"),
        ("s3://my-bucket", "my-bucket"),
        ("s3://my-bucket/edda", "my-bucket"),
        ("gs://bucket/laptops/ana", "ana"),
        ("/mnt/" + "x" * 200, "x" * limits.TARGET_NAME_CHARACTERS_MAX),
    ],
)
def test_a_place_is_called_after_what_people_see_of_it(url: str, name: str) -> None:
    assert name_of(parse(url)) == check_name(name) == name


def test_two_places_never_get_one_name() -> None:
    place = Place("file", "/media/stick")
    assert name_of(place, ["stick"]) == "stick-2"
    assert name_of(place, ["stick", "stick-2"]) == "stick-3"


@pytest.mark.parametrize("word", ["/media/stick", "s3://b/c", "./here", "~/backups", "a/b", "..", "~"])
def test_a_path_or_an_address_is_a_place(word: str) -> None:
    assert is_place(word)


@pytest.mark.parametrize("word", ["stick", "my-bucket", "My Drive"])
def test_a_plain_word_is_a_name(word: str) -> None:
    assert not is_place(word)
