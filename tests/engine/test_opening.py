"""A lost store is not replaced by an empty one, and a user who lost it, or its identity, is told what helps."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.device import bringing, joining
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import identity as identities
from edda_sync.words.config import DATABASE_FILE, StorageConfig
from edda_sync.words.errors import LostIdentityError, LostStoreError, PairingError, ReplacedStoreError, StorageError
from edda_sync.words.folders import KEY_FILE, NOTE_FILE
from edda_sync.workspace.welcome import DeviceCard, Welcome

WAIT_S = 60
KILLED = """
import os, pathlib, sys
import edda_sync as edda
store = edda.open(sys.argv[1])
for number in range(20):
    store.create_task(edda.Task(title=f"{number}"))
os._exit(9)
"""


def made(home: Path) -> str:
    """Make a store with a task in it; return its device."""
    with edda.open(home) as store:
        store.create_task(edda.Task(title="Mine"))
        return store.identity.device


def empty(database: Path) -> None:
    database.write_bytes(b"")


def remove(database: Path) -> None:
    database.unlink()


def image(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def titles(home: Path) -> list[str]:
    with edda.open(home) as store:
        return [task.title or "" for task in store.query_tasks(edda.TaskQuery(order="title"))]


# --- a store whose file is missing or empty ---------------------------------------------------------------------------


@pytest.mark.parametrize("lose", [empty, remove])
def test_a_store_that_was_lost_is_not_replaced_by_an_empty_one(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    made(tmp_path)
    lose(tmp_path / DATABASE_FILE)
    before = image(tmp_path)
    for opens in (
        edda.open,
        lambda home: StorageEngine(home).open_store(),
        lambda home: StorageEngine(home).initialize(),
    ):
        with pytest.raises(LostStoreError, match="edda join") as caught:
            opens(tmp_path)
        assert caught.value.path == str(tmp_path / DATABASE_FILE)
        assert {NOTE_FILE, KEY_FILE} <= set(caught.value.signs)
    assert image(tmp_path) == before


@pytest.mark.parametrize("lose", [empty, remove])
def test_a_backup_that_is_put_back_is_opened(tmp_path: Path, lose: Callable[[Path], None]) -> None:
    home, backup = tmp_path / "home", tmp_path / "backup"
    device = made(home)
    shutil.copy(home / DATABASE_FILE, backup)
    lose(home / DATABASE_FILE)
    shutil.copy(backup, home / DATABASE_FILE)
    with edda.open(home) as store:
        assert store.identity.device == device
    assert titles(home) == ["Mine"]


@pytest.mark.parametrize("lose", [empty, remove])
def test_a_new_store_is_made_after_everything_that_the_error_names_is_moved_away(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    device = made(tmp_path)
    lose(tmp_path / DATABASE_FILE)
    with pytest.raises(LostStoreError) as caught:
        edda.open(tmp_path)
    for name in caught.value.signs:
        (tmp_path / name).unlink()
    with edda.open(tmp_path) as store:
        assert store.identity.device != device
        assert store.counts()["tasks"] == 0


@pytest.mark.parametrize("name", [NOTE_FILE, KEY_FILE])
def test_half_an_identity_shows_that_there_was_a_store(tmp_path: Path, name: str) -> None:
    made(tmp_path)
    (tmp_path / name).unlink()
    remove(tmp_path / DATABASE_FILE)
    with pytest.raises(LostStoreError):
        edda.open(tmp_path)


def test_an_empty_file_that_a_sidecar_knows_is_a_store_that_was_lost(tmp_path: Path) -> None:
    home = tmp_path / "home"
    made(home)
    for name in (NOTE_FILE, KEY_FILE):
        (home / name).unlink()
    empty(home / DATABASE_FILE)
    with pytest.raises(LostStoreError) as caught:
        edda.open(home)
    assert caught.value.signs == [DATABASE_FILE]
    shutil.rmtree(tmp_path / "state")
    with edda.open(home) as store:
        assert store.counts()["tasks"] == 0


def test_an_empty_file_that_nobody_knows_becomes_a_store(tmp_path: Path) -> None:
    made(tmp_path / "another")  # whose sidecar is of another file
    home = tmp_path / "home"
    home.mkdir()
    empty(home / DATABASE_FILE)
    made(home)
    assert titles(home) == ["Mine"]


def test_a_database_elsewhere_that_was_lost_is_missed_as_well(tmp_path: Path) -> None:
    config = StorageConfig(database_path=tmp_path / "data" / "notes.db")
    edda.open(tmp_path / "home", config).close()
    remove(tmp_path / "data" / "notes.db")
    with pytest.raises(LostStoreError, match=r"notes\.db is missing"):
        edda.open(tmp_path / "home", config)
    with pytest.raises(LostStoreError):
        edda.open(tmp_path / "home")


@pytest.mark.parametrize("lose", [empty, remove])
def test_a_journal_without_its_file_is_protected_from_everybody_even_from_a_join(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    home = tmp_path / "home"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(home)], timeout=WAIT_S, check=False)
    assert killed.returncode == 9
    whole = (home / DATABASE_FILE).read_bytes()
    lose(home / DATABASE_FILE)
    before = image(home)
    for name in (NOTE_FILE, KEY_FILE):
        (home / name).unlink()
    for opens in (edda.open, joining.holdings):
        with pytest.raises(LostStoreError) as caught:
            opens(home)
        assert f"{DATABASE_FILE}-wal" in caught.value.signs
    for name, content in before.items():
        if "identity" not in name:
            assert (home / name).read_bytes() == content
    (home / DATABASE_FILE).write_bytes(whole)
    assert len(titles(home)) == 20


def test_a_store_that_another_process_is_making_is_waited_for(tmp_path: Path) -> None:
    made(tmp_path)
    whole = (tmp_path / DATABASE_FILE).read_bytes()
    empty(tmp_path / DATABASE_FILE)
    found: list[list[str]] = []
    opening = threading.Thread(target=lambda: found.append(titles(tmp_path)))
    opening.start()
    (tmp_path / DATABASE_FILE).write_bytes(whole)
    opening.join(WAIT_S)
    assert found == [["Mine"]]


# --- a file that is taken away from whoever uses it -------------------------------------------------------------------


def replace(database: Path) -> None:
    copy = database.with_name("copy")
    shutil.copy(database, copy)
    copy.replace(database)


@pytest.mark.parametrize(
    ("lose", "error"), [(empty, LostStoreError), (remove, LostStoreError), (replace, ReplacedStoreError)]
)
async def test_a_running_device_ends_when_its_file_is_taken_away(
    tmp_path: Path, lose: Callable[[Path], None], error: type[StorageError]
) -> None:
    made(tmp_path)
    told = []

    async def run() -> None:
        async with edda.Device(tmp_path, discover=False) as device:
            await device.status()
            lose(tmp_path / DATABASE_FILE)
            try:
                await device.status()
            except StorageError as asked:
                told.append(str(asked))
            await asyncio.Event().wait()

    with pytest.raises(error) as ended:
        await run()
    assert told == [str(ended.value)]


@pytest.mark.parametrize(
    ("lose", "error"), [(empty, LostStoreError), (remove, LostStoreError), (replace, ReplacedStoreError)]
)
def test_nothing_is_acknowledged_in_a_file_that_was_taken_away(
    tmp_path: Path, lose: Callable[[Path], None], error: type[StorageError]
) -> None:
    made(tmp_path)
    with edda.open(tmp_path) as store:
        lose(tmp_path / DATABASE_FILE)
        with pytest.raises(error):
            store.create_task(edda.Task(title="Nobody would find it"))


async def test_a_running_device_notices_by_itself_that_its_file_is_gone(tmp_path: Path) -> None:
    made(tmp_path)

    async def run() -> None:
        async with edda.Device(tmp_path, discover=False):
            remove(tmp_path / DATABASE_FILE)
            await asyncio.Event().wait()

    with pytest.raises(LostStoreError):
        await run()


def test_a_file_that_is_no_store_beside_an_identity_is_a_store_that_was_lost(tmp_path: Path) -> None:
    made(tmp_path)
    garbage = b"no store " * 910 + b"no"
    (tmp_path / DATABASE_FILE).write_bytes(garbage)
    for opens in (edda.open, joining.holdings):
        with pytest.raises(LostStoreError, match="no store any more, although a store was here") as caught:
            opens(tmp_path)
        assert "keep edda.db elsewhere first" in str(caught.value)
    assert (tmp_path / DATABASE_FILE).read_bytes() == garbage
    (tmp_path / DATABASE_FILE).unlink()
    assert joining.holdings(tmp_path) is None, "as the message said, joining brings it back"


# --- joining ----------------------------------------------------------------------------------------------------------


def welcome_of(inviter: StorageEngine, identity: identities.Identity) -> Welcome:
    return inviter.welcome(DeviceCard(identity.certificate, "phone", identity.sealing_keys))


@pytest.mark.parametrize("lose", [empty, remove])
def test_a_device_whose_store_was_lost_joins_again_as_itself_and_gets_all_back(
    tmp_path: Path, lose: Callable[[Path], None]
) -> None:
    with testing.devices(2) as (laptop, phone):
        phone.create_task(edda.Task(title="Mine"))
        testing.sync(laptop, phone)
        identity, home = phone.identity, phone.home
        phone.close()
        lose(home / DATABASE_FILE)
        assert joining.holdings(home) is None
        joining.enter(home, welcome_of(laptop, identity), "phone", None)
        with StorageEngine(home) as again:
            again.open_store()
            assert again.identity == identity
            testing.sync(laptop, again)
            assert again.digest() == laptop.digest()


async def test_a_failed_pairing_is_no_sign_of_a_store(tmp_path: Path) -> None:
    with pytest.raises(PairingError):
        await joining.pair(tmp_path, "12-3456-7890", "phone", [])
    assert identities.load(tmp_path / joining.PAIRING_FOLDER) is None, "no other device has heard of it"
    kept = identities.Identity.create()
    identities.save(tmp_path / joining.PAIRING_FOLDER, kept)  # as of a pairing that was interrupted
    with pytest.raises(PairingError):
        await joining.pair(tmp_path, "12-3456-7890", "phone", [])
    assert identities.load(tmp_path / joining.PAIRING_FOLDER) == kept, "it may be a member by now"
    made(tmp_path)
    assert titles(tmp_path) == ["Mine"]


def test_the_identity_of_a_pairing_becomes_the_store_s_when_it_enters(tmp_path: Path) -> None:
    home = tmp_path / "home"
    paired = identities.Identity.create()
    identities.save(home / joining.PAIRING_FOLDER, paired)
    with testing.devices(1) as (laptop,):
        joining.enter(home, welcome_of(laptop, paired), "phone", None)
        with StorageEngine(home) as store:
            store.open_store()
            assert store.identity == paired
            assert store.workspace == laptop.workspace
    assert not (home / joining.PAIRING_FOLDER).exists()


# --- a store without its identity -------------------------------------------------------------------------------------


def lose_identity(home: Path) -> None:
    for name in (NOTE_FILE, KEY_FILE):
        (home / name).unlink()


def test_a_store_without_its_identity_is_read_and_written_and_says_what_is_missing(tmp_path: Path) -> None:
    made(tmp_path / "home")
    shutil.copytree(tmp_path / "home", tmp_path / "backup")
    lose_identity(tmp_path / "home")
    with edda.open(tmp_path / "home") as store:
        store.create_task(edda.Task(title="Written without"))
        for look in (lambda: store.identity, store.own.check_identity):
            with pytest.raises(LostIdentityError, match=r"identity\.key.*edda join --bring") as caught:
                look()
            assert caught.value.path == str(tmp_path / "home")
    assert not (tmp_path / "home" / NOTE_FILE).exists()
    for name in (NOTE_FILE, KEY_FILE):
        shutil.copy(tmp_path / "backup" / name, tmp_path / "home")
    with edda.open(tmp_path / "home") as store:
        store.own.check_identity()
        assert store.identity.device == store.members()[0].device
    assert titles(tmp_path / "home") == ["Mine", "Written without"]


def test_a_copy_without_its_identity_is_read_and_written_too_and_its_doctor_looks_at_all_of_it(tmp_path: Path) -> None:
    made(tmp_path / "home")
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    lose_identity(tmp_path / "copy")
    made(tmp_path / "home")
    with edda.open(tmp_path / "copy") as store:
        store.create_task(edda.Task(title="Written in a life of its own"))
        findings = {each.check: each for each in doctor.check(store)}
        assert [name for name, each in findings.items() if not each.sound] == ["identity"]
        assert "edda join --bring" in findings["identity"].detail
        assert "2 lives of the stores of 1 device" in findings["lives"].detail
    assert titles(tmp_path / "copy") == ["Mine", "Written in a life of its own"]


def test_a_store_without_its_identity_is_put_aside_whole_by_a_new_device_that_brings_its_content(
    tmp_path: Path,
) -> None:
    home, aside = tmp_path / "home", tmp_path / "aside"
    lost = made(home)
    lose_identity(home)
    held = joining.holdings(home)
    assert held is not None
    assert (held.device, held.tasks, held.others) == (lost, 1, 0)
    with testing.devices(1) as (laptop,):
        fresh = identities.Identity.create()
        identities.save(home / joining.PAIRING_FOLDER, fresh)
        welcome = welcome_of(laptop, fresh)
        assert not joining.stays(home, held, welcome)
        joining.enter(home, welcome, "phone", aside)
        with StorageEngine(home) as store, edda.open(aside) as old:
            store.open_store()
            assert bringing.bring(old, store) == bringing.Brought(1, 0, 0)
            testing.sync(laptop, store)
            assert laptop.digest() == store.digest()
    assert titles(aside) == ["Mine"]
    assert not (aside / NOTE_FILE).exists(), "the new device's key is not the old store's"


def test_a_store_without_its_identity_cannot_stay_in_its_own_workspace_under_another_key(tmp_path: Path) -> None:
    with testing.devices(2) as (laptop, phone):
        phone.create_task(edda.Task(title="Mine"))
        home = phone.home
        phone.close()
        lose_identity(home)
        fresh = identities.Identity.create()
        identities.save(home / joining.PAIRING_FOLDER, fresh)
        joining.enter(home, welcome_of(laptop, fresh), "phone again", home / "aside")
        with StorageEngine(home) as store, edda.open(home / "aside") as old:
            store.open_store()
            testing.sync(laptop, store)
            bringing.bring(old, store)
            testing.sync(laptop, store)
            assert [task.title for task in laptop.query_tasks(edda.TaskQuery())] == ["Mine"]
            assert store.identity == fresh
            assert len(laptop.members()) == 3
