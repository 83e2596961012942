from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.device import joining
from edda_sync.engine import aside as asides
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import identity as identities
from edda_sync.transport import pairing
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import InvalidValueError, NotReachableError, PairingError, StorageError, UsageError
from edda_sync.words.model import Item, as_json
from edda_sync.workspace import welcome as membership
from edda_sync.workspace.welcome import DeviceCard, Welcome

HOST = "127.0.0.1"
PATIENCE_S = 20.0
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
        await joining.find("12-34")
    assert not (tmp_path / "home").exists()


async def test_an_address_where_nobody_invites_is_passed_over_for_the_next_one(tmp_path: Path) -> None:
    with testing.devices(1) as (laptop,):
        code = pairing.make_code(lambda count: bytes(count))
        opened: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        async def admit(card: bytes) -> bytes:
            return membership.encode(laptop.welcome(membership.decode_card(card), 4321))

        inviting = asyncio.ensure_future(
            pairing.invite(laptop.identity, code, admit, host=HOST, opened=opened.set_result)
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


# --- entering ---------------------------------------------------------------------------------------------------------


def test_a_store_that_is_set_aside_is_whole_and_can_be_written(tmp_path: Path) -> None:
    home, aside = tmp_path / "home", tmp_path / "home" / "left"
    with edda.open(home, StorageConfig(name="phone")) as store:
        store.create_task(edda.Task(title="Mine"))
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
        assert left.identity.device == left.members()[0].device


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


# --- bringing along ---------------------------------------------------------------------------------------------------


def everything(store: StorageEngine) -> dict[str, list[tuple[object, ...]]]:
    """All rows, without the times that a new change has of its own."""
    kept = {"tasks": (0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11), "documents": (0, 1, 2, 3, 4, 5, 8, 9)}
    tables = {name: [tuple(row[at] for at in columns) for row in store.table(name)] for name, columns in kept.items()}
    tables["tags"] = [tuple(row[:4]) for row in store.table("tags")]
    tables["task_documents"] = [tuple(row[:3]) for row in store.table("task_documents")]
    tables["entity_tags"] = [tuple(row[:3]) for row in store.table("entity_tags")]
    return tables


def told(item: Item) -> dict[str, object]:
    """What is told about an item, except when it was last written."""
    return {name: value for name, value in as_json(item).items() if name not in ("updated_at", "version")}


def test_all_that_a_store_shows_comes_along_under_the_same_ids(tmp_path: Path) -> None:
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        with old.begin_transaction() as tx:
            child = tx.create_task(edda.Task(title="Child"))
            parent = tx.create_task(edda.Task(title="Parent", description="Words", due_date="2026-03-01"))
            tx.update_task(edda.Task(id=child, parent_id=parent, status="done", metadata={"a": [1, None]}))
            note = tx.create_document(edda.Document(title="Note", content="# Note\n", agent_context={"x": 1}))
            tx.add_tag(note, "Home", "document")
            tx.create_tag("Home", "#ff8800", "What is at home")
            tx.link(child, note, "reference")
        doomed = old.create_task(edda.Task(title="Deleted"))
        old.delete_task(doomed)
        old.edit_text(note, "content", [(7, 0, "More.\n")])
        assert joining.bring(old, new) == joining.Brought(2, 1, 0, 1)
        assert everything(new) == everything(old)
        assert new.get_task(doomed) is None


def test_a_large_store_comes_along_in_transactions_that_are_no_longer_than_those_of_an_import(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BULK_ITEMS_MAX", 3)
    monkeypatch.setattr(limits, "CHANGE_OPERATIONS_MAX", 6)  # each with a tag, or restored and changed
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        note = old.create_document(edda.Document(title="Note"))
        parent = None
        for number in range(10):
            parent = old.create_task(edda.Task(title="T", parent_id=parent or edda.UNSET, tags={f"tag {number}"}))
            with old.begin_transaction() as tx:
                tx.link(parent, note)
        doomed = [old.create_task(edda.Task(title="Deleted")) for _ in range(7)]
        for task in doomed:
            old.delete_task(task)
        changes = new.counts()["changes"]
        assert joining.bring(old, new) == joining.Brought(10, 1, 0, 7)
        assert new.counts()["changes"] == changes + 4 + 4 + 3 + 4
        assert everything(new) == everything(old)
        assert {each.id for each in new.trash("task")} == set(doomed)


class EndedError(Exception):
    """What brings a store along is ended."""


class Ending:
    """A store that ends whoever writes into it more than so many transactions."""

    def __init__(self, store: StorageEngine, transactions: int) -> None:
        self._store, self._left = store, transactions

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def transact(self, work: Callable[[edda.Transaction], Any], reason: str) -> Any:
        """Write, unless it is time to end."""
        if self._left == 0:
            raise EndedError
        self._left -= 1
        return self._store.transact(work, reason=reason)


def test_whenever_bringing_along_is_ended_nothing_is_shown_that_was_in_the_trash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BULK_ITEMS_MAX", 3)
    with edda.open(tmp_path / "old") as old:
        kept = old.create_task(edda.Task(title="Kept"))
        parents = [old.create_task(edda.Task(title="Deleted")) for _ in range(3)]
        below = [old.create_task(edda.Task(title="Below", parent_id=parent)) for parent in parents]
        for task in (*below, *parents):
            old.delete_task(task)
        for number in range(6):
            with edda.open(tmp_path / f"new {number}") as new:
                ending: Any = Ending(new, number)
                with contextlib.suppress(EndedError):
                    joining.bring(old, ending)
                assert {task.id for task in new.query_tasks(edda.TaskQuery())} <= {kept}
        assert {task.id: task.parent_id for task in items_of(tmp_path / "new 5")} == {
            **dict.fromkeys(parents), **dict(zip(below, parents, strict=True))
        }  # fmt: skip


def items_of(home: Path) -> list[edda.Task]:
    """The tasks in the trash of a store."""
    with edda.open(home) as store:
        return [item for item in store.trash("task") if isinstance(item, edda.Task)]


def test_what_the_workspace_knows_already_stays_as_it_is_there(tmp_path: Path) -> None:
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        task_id = old.create_task(edda.Task(title="As it was here", description="Old words"))
        trashed = old.create_task(edda.Task(title="Wanted here", description="Deleted there", tags={"x"}))
        note = old.create_document(edda.Document(title="Note", content="Here"))
        new.create_task(edda.Task(id=task_id, title="As it is there"))
        new.create_task(edda.Task(id=trashed, title="Not wanted", description="There"))
        new.delete_task(trashed)
        new.create_document(edda.Document(id=note, title="Note", content="There"))
        new.delete_document(note)
        assert joining.bring(old, new) == joining.Brought(1, 1, 1)
        found = new.get_task(task_id)
        assert found is not None
        assert found.title == "As it is there"
        back, text = new.get_task(trashed), new.get_document(note)
        assert back is not None
        assert text is not None
        assert (back.title, back.description, back.tags) == ("Wanted here", "Deleted there", {"x"})
        assert text.content == "Here"
        assert joining.bring(old, new) == joining.Brought(0, 0, 3)  # a second time has no effect


def test_what_is_in_the_trash_comes_along_and_can_be_restored(tmp_path: Path) -> None:
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        above = old.create_task(edda.Task(title="Stays"))
        parent = old.create_task(edda.Task(title="Parent", description="Words", parent_id=above, tags={"home"}))
        child = old.create_task(edda.Task(title="Child", parent_id=parent))
        note = old.create_document(edda.Document(title="Note", content="# Note\n"))
        for each in (parent, child):
            old.delete_task(each)
        old.delete_document(note)
        assert joining.bring(old, new) == joining.Brought(1, 0, 0, 3)
        assert [task.id for task in new.query_tasks(edda.TaskQuery())] == [above]
        for kind in ("task", "document"):
            assert [told(item) for item in new.trash(kind)] == [told(item) for item in old.trash(kind)]
        for each in (parent, child):
            new.restore_task(each)
        back = new.get_task(parent)
        assert back is not None
        assert (back.title, back.description, back.parent_id, back.tags) == ("Parent", "Words", above, {"home"})
        assert joining.bring(old, new) == joining.Brought(0, 0, 1, 0)


def test_what_was_deleted_under_a_task_that_is_in_no_store_any_more_has_no_parent_there(tmp_path: Path) -> None:
    with edda.open(tmp_path / "old") as old, edda.open(tmp_path / "new") as new:
        parent = old.create_task(edda.Task(title="Parent"))
        child = old.create_task(edda.Task(title="Child", parent_id=parent))
        new.create_task(edda.Task(id=parent, title="Parent"))
        new.delete_task(parent)
        for each in (child, parent):
            old.delete_task(each)
        assert joining.bring(old, new).trash == 1
        assert {item.title for item in new.trash("task")} == {"Parent", "Child"}


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
