from __future__ import annotations

import asyncio
import contextlib
import io
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.device import joining
from edda_sync.engine import aside as asides
from edda_sync.engine import backend
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import identity as identities
from edda_sync.transport import pairing
from edda_sync.transport.discovery import announce_pairing, find_pairing
from edda_sync.words.config import StorageBackend, StorageConfig
from edda_sync.words.errors import InvalidValueError, NotReachableError, PairingError, StorageError, UsageError
from edda_sync.workspace import welcome as membership
from edda_sync.workspace.welcome import DeviceCard, Welcome
from tests.encrypted import config_of, holds
from tests.transport.announcing import loopback, loopback_fault

HOST = "127.0.0.1"
PATIENCE_S = 90.0
OF_ANOTHER_WORKSPACE = Welcome(bytes(16), ((bytes(32), bytes(32)),), {}, 0, (bytes(16), 1, bytes(32)))


def welcome_of(inviter: StorageEngine, home: Path, name: str = "phone") -> Welcome:
    """What a device is told after it was let in."""
    identity = identities.load(home)
    if identity is None:
        identity = identities.Identity.create()
        identities.save(home, identity)
    return inviter.welcome(DeviceCard(identity.certificate, name, identity.sealing_keys))


# --- what is there ----------------------------------------------------------------------------------------------------


def test_a_folder_without_a_store_holds_nothing(tmp_path: Path) -> None:
    assert joining.holdings(tmp_path / "nowhere") is None
    assert not (tmp_path / "nowhere").exists()
    with StorageEngine(tmp_path / "half") as store:
        store.open_store()  # a store that belongs to no workspace yet
    assert joining.holdings(tmp_path / "half") is None


def test_holdings_count_what_would_be_missed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with edda.open(home, StorageConfig(name="phone")) as store:
        held = joining.holdings(home)
        assert held is not None
        assert (held.name, held.is_empty, held.workspace) == ("phone", True, store.workspace)
        store.create_task(edda.Task(title="One", tags={"home"}))
        held = joining.holdings(home)
        assert held is not None
        assert (held.tasks, held.documents, held.tags, held.others, held.is_empty) == (1, 0, 1, 0, False)


def test_a_workspace_with_other_devices_is_not_nothing() -> None:
    with testing.devices(2) as (laptop, _):
        held = joining.holdings(laptop.home)
        assert held is not None
        assert (held.others, held.is_empty) == (1, False)


# --- pairing ----------------------------------------------------------------------------------------------------------


async def test_what_is_no_code_asks_nobody_and_makes_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidValueError):
        await joining.pair(tmp_path / "home", "12-34", "phone", [(HOST, 1)])
    with pytest.raises(InvalidValueError):
        await joining.search(tmp_path / "home", "12-34", "phone")
    assert not (tmp_path / "home").exists()


Answer = Callable[[bytes], Awaitable[bytes]]


def answers(laptop: StorageEngine) -> tuple[Answer, Answer]:
    """How a device that listens at port 4321 invites."""

    async def offer(card: bytes) -> bytes:
        return membership.encode(laptop.membership.offer(membership.decode_card(card), 4321))

    async def admit(card: bytes) -> bytes:
        return membership.encode(laptop.membership.admit(membership.decode_card(card)))

    return offer, admit


async def test_an_address_where_nobody_invites_is_passed_over_for_the_next_one(tmp_path: Path) -> None:
    with testing.devices(1) as (laptop,):
        code = pairing.make_code(lambda count: bytes(count))
        opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        offer, admit = answers(laptop)

        inviting = asyncio.ensure_future(
            pairing.invite(laptop.identity, code, offer, admit, host=HOST, opened=opened.set_result)
        )
        with socket.create_server((HOST, 0)) as taken:
            closed = taken.getsockname()[1]
        async with asyncio.timeout(PATIENCE_S):
            endpoints = [(HOST, closed), (HOST, await opened)]
            welcome, inviter = await joining.pair(tmp_path / "home", code, "phone", endpoints)
            await inviting
        assert inviter == (HOST, 4321)
        assert welcome.workspace == laptop.workspace
        kept = identities.load(tmp_path / "home" / joining.PAIRING_FOLDER)
        assert kept is not None
        assert kept.certificate == welcome.members[kept.device].certificate
        assert welcome.key == laptop.membership.workspace_key


async def test_the_last_failure_is_told_when_no_address_will_do(tmp_path: Path) -> None:
    with socket.create_server((HOST, 0)) as taken:
        closed = taken.getsockname()[1]
    with pytest.raises(PairingError, match="no invitation is open there"):
        await joining.pair(tmp_path, "12-3456-7890", "phone", [("no.such.host.invalid", 1), (HOST, closed)])
    with pytest.raises(NotReachableError):
        await joining.pair(tmp_path, "12-3456-7890", "phone", [("no.such.host.invalid", 1)])
    with pytest.raises(
        PairingError,
        match=r"nobody on this network.*a device has tried already.*a new one with `edda invite`.*first two digits",
    ):
        await joining.pair(tmp_path, "12-3456-7890", "phone", [])


@contextlib.asynccontextmanager
async def announced(laptop: StorageEngine, code: str, nameplate: str) -> AsyncIterator[asyncio.Task[bytes]]:
    """Invite with a code, announced on the loopback under a nameplate that may be another one's."""
    opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    offer, admit = answers(laptop)

    inviting = asyncio.create_task(
        pairing.invite(laptop.identity, code, offer, admit, host=HOST, opened=opened.set_result)
    )
    async with announce_pairing(await opened, nameplate, look=loopback):
        yield inviting
    inviting.cancel()
    await asyncio.gather(inviting, return_exceptions=True)


@pytest.fixture
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    if fault := loopback_fault():
        pytest.skip(fault)
    monkeypatch.setattr(joining, "find_pairing", partial(find_pairing, look=loopback))


async def test_an_invitation_of_somebody_else_under_the_same_digits_keeps_nobody_out(
    tmp_path: Path, only_loopback: None
) -> None:
    code, others = pairing.make_code(os.urandom), pairing.make_code(os.urandom)
    nameplate = pairing.parse_code(code).nameplate
    with testing.devices(1) as (laptop,), testing.devices(1) as (stranger,):
        async with announced(stranger, others, nameplate), announced(laptop, code, nameplate) as inviting:
            welcome, _ = await joining.search(tmp_path / "home", code, "phone")
            await inviting
        assert welcome.workspace == laptop.workspace


async def test_it_is_said_how_each_of_several_invitations_failed(tmp_path: Path, only_loopback: None) -> None:
    code = pairing.make_code(os.urandom)
    nameplate = pairing.parse_code(code).nameplate
    with testing.devices(1) as (one,), testing.devices(1) as (other,), socket.create_server((HOST, 0)) as taken:
        closed = taken.getsockname()[1]
        taken.close()
        async with (
            announced(one, pairing.make_code(os.urandom), nameplate),
            announced(other, pairing.make_code(os.urandom), nameplate),
            announce_pairing(closed, nameplate, look=loopback),
        ):
            with pytest.raises(PairingError) as caught:
                await joining.search(tmp_path / "home", code, "phone")
    assert caught.value.reason.startswith(
        "3 devices announce an invitation with this code's first two digits: at 127.0.0.1:"
    )
    assert caught.value.reason.count("the code was wrong") == 2
    assert caught.value.reason.count("no invitation is open there") == 1


# --- entering ---------------------------------------------------------------------------------------------------------


def attach(store: StorageEngine) -> str:
    made = store.create_document(edda.Document(title="D"))
    store.transact(lambda tx: tx.attach(made, io.BytesIO(b"attached, and may read this"), name="a"))
    return made


def test_a_store_that_is_set_aside_is_whole_and_can_be_written(tmp_path: Path) -> None:
    home, aside = tmp_path / "home", tmp_path / "home" / "left"
    with edda.open(home, StorageConfig(name="phone")) as store:
        store.create_task(edda.Task(title="Mine"))
        made = attach(store)
        before = store.digest()
    with testing.devices(1) as (laptop,):
        joining.enter(home, welcome_of(laptop, home), "phone", aside)
        with StorageEngine(home) as store:
            store.open_store()
            assert store.workspace == laptop.workspace
            assert store.counts()["tasks"] == 0
    with edda.open(aside) as left:
        assert left.digest() == before
        left.create_task(edda.Task(title="Still mine"))
        assert left.open_attachment(made, "a").read() == b"attached, and may read this"
        assert left.identity.device == left.members()[0].device


def test_of_an_encrypted_store_both_the_one_set_aside_and_the_new_one_are_encrypted(tmp_path: Path) -> None:
    home, aside = tmp_path / "home", tmp_path / "home" / "left"
    with edda.open(home, StorageConfig(encryption_config=config_of(home / "edda.db"))) as store:
        store.create_task(edda.Task(title="Nobody may read this"))
        made = attach(store)
        before = store.digest()
    with testing.devices(1) as (laptop,):
        laptop.create_task(edda.Task(title="Nor may anybody read this"))
        joining.enter(home, welcome_of(laptop, home), "phone", aside)
        with StorageEngine(home) as store:
            store.open_store()
            testing.sync(laptop, store)
            assert store.digest() == laptop.digest()
            assert store.reading.encryption() is not None
            assert holds(home, b"may read this") == holds(home, b"anybody read this") == []
    with edda.open(aside) as left:
        assert left.digest() == before
        assert left.reading.encryption() is not None
        assert left.open_attachment(made, "a").read() == b"attached, and may read this"


def test_a_store_in_rocksdb_goes_aside_with_its_states_and_the_new_one_is_in_rocksdb_too(tmp_path: Path) -> None:
    home, aside = tmp_path / "home", tmp_path / "home" / "left"
    with edda.open(home, StorageConfig(backend=StorageBackend.ROCKSDB)) as store:
        store.create_task(edda.Task(title="Mine"))
        store.store.settle()  # type: ignore[attr-defined]
        before = store.digest()
    (folder,) = (home / "edda.rocks").iterdir()
    with testing.devices(1) as (laptop,):
        joining.enter(home, welcome_of(laptop, home), "phone", aside)
    assert not folder.exists()
    assert (aside / "edda.rocks" / folder.name).exists()
    for place in (home, aside):
        with StorageEngine(place) as store:
            store.open_store()
            assert backend.name(store.store) == "rocksdb"
            assert [is_sound for is_sound, _ in backend.look(store.store)] == [True]
            assert (store.digest() == before) is (place == aside)


def test_an_empty_store_makes_room_and_one_with_content_does_not_without_a_word(tmp_path: Path) -> None:
    home = tmp_path / "home"
    edda.open(home).close()
    with testing.devices(2) as (laptop, phone):
        joining.enter(home, welcome_of(laptop, home), "tablet", None)
        with StorageEngine(home) as store:
            store.open_store()
            testing.sync(laptop, store)
            assert store.digest() == laptop.digest()
        with pytest.raises(UsageError, match="--bring or --leave"):
            joining.enter(phone.home, OF_ANOTHER_WORKSPACE, "phone", None)
        assert phone.workspace == laptop.workspace


def test_entering_the_workspace_that_a_store_belongs_to_changes_nothing() -> None:
    with testing.devices(2) as (laptop, phone):
        phone.create_task(edda.Task(title="Mine"))
        joining.enter(phone.home, welcome_of(laptop, phone.home), "phone", None)
        assert [task.title for task in phone.query_tasks(edda.TaskQuery())] == ["Mine"]


def test_a_store_of_nothing_but_trash_and_kept_values_is_missed_too(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        store.delete_task(store.create_task(edda.Task(title="Deleted")))
        held = joining.holdings(tmp_path / "home")
        assert held is not None
        assert (held.tasks, held.trash, held.kept, held.is_empty) == (0, 1, 0, False)
    with testing.devices(2) as (laptop, phone):
        task = laptop.create_task(edda.Task(title="One"))
        testing.sync(laptop, phone)
        laptop.update_task(edda.Task(id=task, title="Two"))
        phone.update_task(edda.Task(id=task, title="Three"))
        testing.sync(laptop, phone)
        held = joining.holdings(laptop.home)
        assert held is not None
        assert held.kept == 1


def test_what_is_to_come_along_is_noted_before_the_store_is_moved(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with edda.open(home, StorageConfig(name="phone")) as store:
        store.create_task(edda.Task(title="Mine"))
    with testing.devices(1) as (laptop,):
        welcome = welcome_of(laptop, home)
        (home / "left-1").mkdir()
        (home / "left-1" / asides.NOTE_FILE).mkdir()  # so that the note cannot be written
        with pytest.raises(StorageError):
            joining.enter(home, welcome, "phone", home / "left-1", along=True)
        with edda.open(home) as store:
            assert store.counts()["tasks"] == 1, "it was not moved"
        joining.enter(home, welcome, "phone", home / "left-2", along=True)
        assert asides.outstanding(home) == {home / "left-2": laptop.workspace}
        with StorageEngine(home) as store:
            store.open_store()
            assert store.workspace == laptop.workspace


def test_a_device_whose_first_sync_was_interrupted_was_not_refused(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with testing.devices(1) as (laptop,):
        joining.enter(home, welcome_of(laptop, home), "phone", None)
    held = joining.holdings(home)
    assert held is not None
    assert (held.is_shut_out, held.is_refused) == (True, False)
