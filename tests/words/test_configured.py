"""A store without settings costs one look at the disk; one with settings is configured wherever it is opened."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.device import joining
from edda_sync.device.device import Device
from edda_sync.engine.engine import StorageEngine
from edda_sync.words import configured as module
from edda_sync.words.config import DATABASE_FILE, StorageConfig
from edda_sync.words.config_file import CONFIG_FILE
from edda_sync.words.configured import configured, has_settings, resolved
from edda_sync.words.errors import SettingError, UsageError
from edda_sync.words.settings import OTHER_VARIABLES, PREFIX, VARIABLES

PACKAGE = Path(edda.__file__).parent


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def test_variables_that_others_read_are_no_settings(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert set(OTHER_VARIABLES) == module._READ_ELSEWHERE
    assert (module._FILE, module._PREFIX) == (CONFIG_FILE, PREFIX)
    for name in OTHER_VARIABLES:
        monkeypatch.setenv(name, "x")
    assert not has_settings(home)
    monkeypatch.setenv("EDDA_NAME", "laptop")
    assert has_settings(home)


def test_without_settings_what_the_program_says_is_returned(home: Path) -> None:
    said = StorageConfig(name="laptop")
    assert configured(home, said) is said
    assert configured(home) == configured(home / "missing") == StorageConfig()


def test_paths_of_a_program_have_to_fit_each_other_too(home: Path) -> None:
    with pytest.raises(SettingError, match="would contain"):
        configured(home, StorageConfig(rocksdb_path=home))


def test_where_each_value_comes_from_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / CONFIG_FILE).write_text("connection_pool_size = 3\n")
    monkeypatch.setenv("EDDA_NAME", "laptop")
    assert {key: str(each) for key, each in resolved(home).origins.items()} == {
        "connection_pool_size": "config.toml, line 1",
        "name": "EDDA_NAME",
        "state_path": "EDDA_STATE",  # each test has its own
    }


PROGRAM = "import edda_sync, sys; edda_sync.open(sys.argv[1]).close(); print(*sys.modules)"


def test_a_store_without_settings_loads_no_table_of_them(home: Path) -> None:
    loaded = subprocess.run([sys.executable, "-c", PROGRAM, str(home)], capture_output=True, check=True).stdout.split()
    assert b"edda_sync.words.configured" in loaded
    assert not {b"tomllib", b"difflib", b"tomlkit", b"edda_sync.words.settings"} & set(loaded)


@pytest.mark.skipif(sys.platform != "linux", reason="strace counts system calls")
def test_a_store_without_settings_costs_one_look_at_the_disk(home: Path, tmp_path: Path) -> None:
    traced = tmp_path / "traced"
    command = [
        "strace",
        "-f",
        "-e",
        "trace=file",
        "-o",
        str(traced),
        sys.executable,
        "-m",
        "edda_sync.cli",
        "task",
        "add",
        "Buy milk",
    ]
    subprocess.run(command, env=os.environ | {"EDDA_HOME": str(home)}, check=True, capture_output=True)
    assert traced.read_text().count(f'{home / CONFIG_FILE}"') == 1


# --- a path is honoured everywhere ------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database outside the store's folder, by the configuration in that folder; it holds a task."""
    monkeypatch.delenv("EDDA_STATE")
    (home / CONFIG_FILE).write_text('database_path = "../data/notes.db"\nstate_path = "../lives"\n')
    with edda.open(home) as store:
        store.create_task(edda.Task(title="Mine"))
    return tmp_path / "data" / "notes.db"


def test_every_way_to_open_a_store_finds_its_configuration(home: Path, tmp_path: Path, elsewhere: Path) -> None:
    with StorageEngine(home) as store:
        store.initialize(StorageConfig(name="laptop"))
        assert store.database == home / "../data/notes.db"
        assert store.counts()["tasks"] == 1
    held = joining.holdings(home)
    assert held is not None
    assert held.tasks == 1
    assert not (home / DATABASE_FILE).exists()
    assert elsewhere.stat().st_size > 0
    assert len(list((tmp_path / "lives").iterdir())) == 1


async def test_a_device_runs_the_configured_store(home: Path, elsewhere: Path) -> None:
    async with Device(home, discover=False) as device:
        assert (await device.status())["tasks"] == 1
    assert not (home / DATABASE_FILE).exists()


def test_a_store_is_not_begun_anew_where_a_setting_points_when_it_lies_elsewhere(home: Path, tmp_path: Path) -> None:
    with edda.open(home) as store:
        store.create_task(edda.Task(title="Mine"))
    (home / CONFIG_FILE).write_text('database_path = "../data/notes.db"\n')
    with pytest.raises(UsageError, match=r"move that there, with edda\.db-wal if there is one"):
        edda.open(home)
    assert not (tmp_path / "data" / "notes.db").exists()
    (home / DATABASE_FILE).rename(tmp_path / "data" / "notes.db")
    with edda.open(home) as store:
        assert store.counts()["tasks"] == 1


@pytest.mark.parametrize(
    ("place", "why"),
    [
        ("file/notes.db", "file, which is no folder; choose another one"),
        ("folder", "is a folder, and must be a file; choose another one"),
        ("text", "text is no store; nothing was touched"),
        ("/proc/nowhere/notes.db", "no folder can be made there; nothing was touched"),
    ],
)
def test_a_database_path_where_no_store_can_be_is_named(home: Path, place: str, why: str) -> None:
    (home / "file").write_bytes(b"")
    (home / "folder").mkdir()
    (home / "text").write_text("this is no database, although it is long enough to be looked at" * 10)
    (home / CONFIG_FILE).write_text(f'database_path = "{place}"\n')
    before = sorted(path.name for path in home.iterdir())
    with pytest.raises(SettingError) as caught:
        edda.open(home)
    assert caught.value.key == "database_path"
    assert why in str(caught.value)
    assert sorted(path.name for path in home.iterdir()) == before


def test_a_missing_folder_of_a_configured_database_is_made(home: Path) -> None:
    (home / CONFIG_FILE).write_text('database_path = "a/b/notes.db"\n')
    edda.open(home).close()
    assert (home / "a" / "b" / "notes.db").stat().st_size > 0


def test_devices_for_tests_are_kept_apart_from_the_users_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDDA_DATABASE_PATH", str(tmp_path / "mine.db"))
    monkeypatch.setenv("EDDA_NAME", "mine")
    with testing.devices(2) as (laptop, phone):
        laptop.create_task(edda.Task(title="Theirs"))
        testing.sync(laptop, phone)
        assert [laptop.name, phone.name] == ["laptop", "phone"]
    assert not (tmp_path / "mine.db").exists()


def test_a_store_on_disk_is_not_hidden_by_one_in_memory(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edda.open(home).close()
    monkeypatch.setenv("EDDA_BACKEND", "memory")
    with pytest.raises(UsageError, match="what is written would be lost"):
        edda.open(home)
    with edda.open(home.parent / "new") as store:
        assert store.database is None


# --- nobody passes by it ----------------------------------------------------------------------------------------------

SOURCES = {str(path.relative_to(PACKAGE)): path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py"))}
USUAL_PLACE = {
    # modules that name the file of a store where no setting can say otherwise: (why)
    "words/config.py": "it says where the file is by default",
    "engine/opening.py": "a store in the usual place is not given up for one that is configured",
    "engine/aside.py": "a store that was put aside is a plain folder",
    "device/joining.py": "a store that is put aside becomes a plain folder",
    "cli/join.py": "it looks for folders that were put aside",
    "simulations/disk.py": "a simulated disk has one store, which nobody configures",
}


def test_nobody_else_takes_the_usual_place_of_the_database_for_its_place() -> None:
    naming = {name for name, text in SOURCES.items() if re.search(r'DATABASE_FILE|["/]edda\.db["]', text)}
    assert naming == set(USUAL_PLACE)


def test_every_variable_that_the_product_names_is_known_and_documented() -> None:
    named = {each for text in SOURCES.values() for each in re.findall(r"\bEDDA_[A-Z_]*[A-Z]\b", text)}
    assert named <= set(VARIABLES) | set(OTHER_VARIABLES)
