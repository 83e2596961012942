"""``edda bundle``: export, show, import, as a person does it with a memory stick."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from edda_sync import testing
from edda_sync.engine.engine import StorageEngine
from edda_sync.words.config import StorageConfig
from tests.cli.conftest import Edda

Pair = tuple[Edda, Edda]


@pytest.fixture
def two(another_edda: Callable[[str], Edda]) -> Pair:
    """Two members of one workspace that have not met since."""
    laptop, phone = another_edda("laptop"), another_edda("phone")
    with StorageEngine(laptop.home) as first, StorageEngine(phone.home) as second:
        first.initialize(StorageConfig(name="laptop"))
        second.open_store(StorageConfig(name="phone"))
        testing.pair(first, second)
    laptop("task", "add", "Buy milk")
    return laptop, phone


def test_changes_go_by_stick_in_both_directions(two: Pair, tmp_path: Path) -> None:
    laptop, phone = two
    there, back = str(tmp_path / "there.edda"), str(tmp_path / "back.edda")
    said = laptop("bundle", "export", there)
    assert said.stdout.startswith("Wrote 3 changes to ")
    assert "On the other device, type `edda bundle import there.edda`" in said.stderr
    assert "3 of them new here" in phone("bundle", "show", there).stdout
    said = phone("bundle", "import", there)
    assert "3 changes from laptop" in said.stdout
    assert said.stdout.endswith("Took 3 changes to 1 task.\n")
    assert phone("bundle", "import", there).stdout.endswith("Nothing was missing here.\n")
    phone("task", "add", "Buy bread")
    assert "Wrote 1 change that laptop lacks" in phone("bundle", "export", back, "--since", there).stdout
    assert laptop("bundle", "import", back).stdout.endswith("Took 1 change to 1 task.\n")
    assert laptop.json("status")["digest"] == phone.json("status")["digest"]


def test_it_says_what_it_holds_as_json(two: Pair, tmp_path: Path) -> None:
    laptop, phone = two
    path = str(tmp_path / "x.edda")
    laptop("bundle", "export", path)
    shown = phone.json("bundle", "show", path)
    assert (shown["maker"], shown["changes"], shown["new"], shown["since"]) == ("laptop", 3, 3, {})
    assert sum(shown["heads"].values()) == 3


def test_a_device_that_was_proved_equal_can_be_named(two: Pair, tmp_path: Path) -> None:
    laptop, phone = two
    path = str(tmp_path / "x.edda")
    assert "was never proved equal" in laptop("bundle", "export", path, "--since", "phone", code=2).stderr
    from edda_sync.engine import standing

    with StorageEngine(laptop.home) as first, StorageEngine(phone.home) as second:
        first.initialize(StorageConfig())
        second.initialize(StorageConfig())
        testing.sync(first, second)
        proved = standing.Remembered(1_700_000_000.0, standing.count(first.frontier()))
        standing.save(first, {second.identity.device: proved})
    laptop("task", "add", "Buy bread")
    assert "Wrote 1 change that phone lacks" in laptop("bundle", "export", path, "--since", "phone").stdout
    phone("bundle", "import", path)
    assert laptop.json("status")["digest"] == phone.json("status")["digest"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no such file"),
        (b"hello", "is no bundle: `edda bundle export FILE` makes one"),
        (b"", "is no bundle"),
    ],
)
def test_what_is_no_bundle_is_refused_with_what_to_do(
    two: Pair, tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "x.edda"
    if content is not None:
        path.write_bytes(content)
    for command in ("show", "import"):
        assert says in two[1]("bundle", command, str(path), code=1 if content is not None else 3).stderr


def test_an_existing_file_is_replaced_only_when_told_to(two: Pair, tmp_path: Path) -> None:
    path = tmp_path / "x.edda"
    path.write_text("mine")
    assert "--force replaces it" in two[0]("bundle", "export", str(path), code=2).stderr
    assert path.read_text() == "mine"
    two[0]("bundle", "export", str(path), "--force")
    assert path.read_bytes().startswith(b"EDDABNDL")


def test_a_bundle_of_strangers_brings_nothing(two: Pair, another_edda: Callable[[str], Edda], tmp_path: Path) -> None:
    stranger, path = another_edda("stranger"), str(tmp_path / "x.edda")
    stranger("task", "add", "Not yours")
    stranger("bundle", "export", path)
    assert "it is of another workspace" in two[0]("bundle", "import", path, code=1).stderr


def test_since_something_that_is_neither_device_nor_file_says_so(two: Pair, tmp_path: Path) -> None:
    said = two[0]("bundle", "export", str(tmp_path / "x.edda"), "--since", "nobody", code=2).stderr
    assert "nobody is no device of this workspace, and no file" in said


def test_several_are_taken_in_the_order_that_they_need_and_none_if_one_is_damaged(two: Pair, tmp_path: Path) -> None:
    laptop, phone = two
    sticks = [str(tmp_path / f"{number}.edda") for number in range(4)]
    for number, stick in enumerate(sticks):
        laptop("task", "add", f"Task {number}")
        laptop("bundle", "export", stick, *(["--since", sticks[number - 1]] if number else []))
    whole = Path(sticks[3]).read_bytes()
    Path(sticks[3]).write_bytes(whole[:-1] + bytes((whole[-1] ^ 1,)))
    before = phone.json("status")["digest"]
    assert "copy it again" in phone("bundle", "import", *reversed(sticks), code=1).stderr
    assert "import an earlier bundle first" in phone("bundle", "import", sticks[2], sticks[1], code=1).stderr
    assert phone.json("status")["digest"] == before
    Path(sticks[3]).write_bytes(whole)
    phone("bundle", "import", *reversed(sticks), sticks[0])
    assert phone.json("status")["digest"] == laptop.json("status")["digest"]
    assert "is a folder: name the bundles in it" in phone("bundle", "import", str(tmp_path), code=2).stderr
