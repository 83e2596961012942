"""A path keeps its meaning when the current folder changes later, and one place knows the path of the database."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.device import control, joining
from edda_sync.device.device import Device
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.life import open_sidecar
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.transport import identity as identities
from edda_sync.words.config import DATABASE_FILE, StorageConfig, absolute
from edda_sync.words.errors import UsageError
from edda_sync.words.folders import socket_path
from edda_sync.workspace.welcome import DeviceCard

ROOT = Path(edda.__file__).parents[1]
PATIENCE_S = 90.0


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, for the length of a test."""
    (tmp_path / "here").mkdir()
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def move(here: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Makes another folder the current one."""
    return lambda: monkeypatch.chdir(here.parent / "there")


def titles(store: StorageEngine) -> list[str]:
    return sorted(task.title or "" for task in store.query_tasks(edda.TaskQuery()))


def test_a_path_is_made_absolute_from_the_current_folder_or_the_users_home(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(here / "me"))
    assert absolute(Path("notes")) == here / "notes"
    assert absolute(Path("~/notes")) == here / "me" / "notes"
    assert absolute(here / "notes") == here / "notes"
    with pytest.raises(UsageError, match="nobody-of-this-name"):
        absolute(Path("~nobody-of-this-name/notes"))


def test_a_missing_current_folder_is_an_error_that_says_so(here: Path) -> None:
    here.rmdir()
    with pytest.raises(UsageError, match="notes cannot be found from here"):
        edda.open("notes")
    assert absolute(here.parent) == here.parent


def test_a_configuration_keeps_its_paths(here: Path, move: Callable[[], None]) -> None:
    config = StorageConfig(database_path=Path("data/notes.db"), state_path=Path("lives"))
    move()
    assert (config.database_path, config.state_path) == (here / "data" / "notes.db", here / "lives")
    assert config.database(Path("/elsewhere")) == here / "data" / "notes.db"
    assert StorageConfig().database(Path("/elsewhere")) == Path("/elsewhere") / DATABASE_FILE


# --- the current folder changes ---------------------------------------------------------------------------------------


def test_writes_after_a_change_of_folder_go_to_the_opened_store(here: Path, move: Callable[[], None]) -> None:
    edda.open("notes").close()
    move()
    edda.open("notes").close()  # another store, of the same name
    os.chdir(here)
    store = edda.open("notes")
    version = store.store.version()
    move()
    store.create_task(edda.Task(title="meant for here"))
    assert store.store.version() != version
    store.close()
    with edda.open(here / "notes") as found, edda.open("notes") as other:
        assert titles(found) == ["meant for here"]
        assert titles(other) == []


def test_a_change_of_folder_creates_no_second_store(here: Path, move: Callable[[], None]) -> None:
    config = StorageConfig(state_path=Path("lives"))
    edda.open("notes", config).close()
    with edda.open("notes", config) as store:
        move()
        assert store.store.version() > 0
        store.create_task(edda.Task(title="meant for here"))
        assert store.identity.device == store.members()[0].device
    assert list((here.parent / "there").iterdir()) == []
    assert sorted(path.name for path in here.iterdir()) == ["lives", "notes"]


def test_the_home_of_the_environment_is_read_once(
    here: Path, move: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDDA_STATE", "lives")
    edda.open("notes").close()
    with edda.open("notes") as store:
        move()
        store.create_task(edda.Task(title="meant for here"))
    assert [path.name for path in (here.parent / "there").iterdir()] == []
    command = [sys.executable, "-m", "edda_sync.cli", "status", "--json"]
    environment = os.environ | {"EDDA_HOME": "notes", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, cwd=here, capture_output=True, timeout=PATIENCE_S, check=True)
    assert str(here / "notes").encode() in done.stdout


async def test_a_device_runs_the_store_that_was_given_when_it_was_made(here: Path, move: Callable[[], None]) -> None:
    device = Device("notes", config=StorageConfig(state_path=Path("lives")), discover=False)
    move()
    async with device:
        await device.run(lambda store: store.create_task(edda.Task(title="meant for here")))
    assert (here / "notes" / DATABASE_FILE).exists()
    assert list((here.parent / "there").iterdir()) == []


async def test_a_socket_answers_and_is_removed_at_its_original_place(here: Path, move: Callable[[], None]) -> None:
    async def answer(_: control.Answer) -> AsyncIterator[control.Answer]:
        yield {"done": True}

    async with control.serve(Path("notes"), answer):
        move()
        with control.only_runner(here / "notes"), pytest.raises(UsageError), control.only_runner(here / "notes"):
            raise AssertionError("two hold the lock")
        assert [each async for each in control.ask(here / "notes", {})] == [{"done": True}]
    assert not socket_path(here / "notes").exists()
    with control.only_runner(Path("notes")):
        os.chdir(here)
        with pytest.raises(UsageError), control.only_runner(Path("../there/notes")):
            raise AssertionError("two hold the lock")


def test_a_sidecar_stays_where_it_was_opened(here: Path, move: Callable[[], None]) -> None:
    Path(DATABASE_FILE).write_bytes(b"a store")
    sidecar = open_sidecar(Path("lives"), bytes(16), Path(DATABASE_FILE))
    move()
    sidecar.close()
    assert len(list((here / "lives").iterdir())) == 1


def test_a_link_that_is_turned_elsewhere_does_not_take_an_open_store_along(tmp_path: Path) -> None:
    for name in ("one", "other"):
        edda.open(tmp_path / name).close()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "one")
    with edda.open(link) as store:
        link.unlink()
        link.symlink_to(tmp_path / "other")
        store.create_task(edda.Task(title="meant for one"))
        assert store.identity.device == store.members()[0].device
    with edda.open(tmp_path / "one") as one, edda.open(tmp_path / "other") as other:
        assert (titles(one), titles(other)) == (["meant for one"], [])


@pytest.mark.parametrize(
    "name", ["file:notes.db", "file:notes.db?mode=memory", ":memory:", "a%20b#?.db", "bytes \udcff"]
)
def test_a_name_is_never_taken_for_a_uri_or_for_no_file_at_all(here: Path, name: str) -> None:
    for path in (Path(name), here / name):
        store = SqliteStore(path)
        store.transact(lambda tx: tx.meta.set("kept", b"here"))
        store.close()
    assert os.listdir(here) == [name]


# --- the database is elsewhere ----------------------------------------------------------------------------------------


def elsewhere(tmp_path: Path, name: str) -> StorageConfig:
    return StorageConfig(database_path=tmp_path / "data" / f"{name}.db", name=name)


def test_every_command_finds_a_database_elsewhere(tmp_path: Path) -> None:
    home, config = tmp_path / "home", elsewhere(tmp_path, "laptop")
    with edda.open(home, config) as store:
        store.create_task(edda.Task(title="Mine"))
        assert store.database == tmp_path / "data" / "laptop.db"
        facts = standing.facts(store)
        assert facts["database_bytes"] == (tmp_path / "data" / "laptop.db").stat().st_size > 0
        assert facts["wal_bytes"] == (tmp_path / "data" / "laptop.db-wal").stat().st_size > 0
    held = joining.holdings(home, config)
    assert held is not None
    assert (held.name, held.tasks) == ("laptop", 1)
    assert not (home / DATABASE_FILE).exists()


def test_a_store_in_memory_uses_no_disk_space(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home", StorageConfig(backend="memory")) as store:
        assert store.database is None
        assert standing.facts(store)["database_bytes"] == standing.facts(store)["wal_bytes"] == 0
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize("disk", ["tmp_path", "other_disk"])
def test_a_database_elsewhere_is_moved_away_for_a_joined_workspace(
    tmp_path: Path, request: pytest.FixtureRequest, disk: str
) -> None:
    home, config = tmp_path / "home", elsewhere(request.getfixturevalue(disk), "phone")
    with edda.open(home, config) as store:
        store.create_task(edda.Task(title="Mine"))
        before = store.digest()
        identity = store.identity
    with testing.devices(1) as (laptop,):
        welcome = laptop.welcome(DeviceCard(identity.certificate, "phone", identity.sealing_keys))
        joining.enter(home, welcome, "phone", tmp_path / "aside", config)
        with StorageEngine(home) as store:
            store.open_store(config)
            assert store.workspace == laptop.workspace
            assert identities.load(home) == identity
    with edda.open(tmp_path / "aside") as left:
        assert left.digest() == before
