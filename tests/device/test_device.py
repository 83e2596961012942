from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path
from typing import cast

import pytest

import edda_sync as edda
from edda_sync.device.device import Device, QueryChange
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Effect
from edda_sync.sync.orders import Duty, Written
from edda_sync.sync.replica import Replica
from edda_sync.sync.steward import EVENTS
from edda_sync.transport.dial import dial
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import EddaError, UsageError
from edda_sync.workspace.keys import WORKSPACE_KEY
from tests.device.bench import HOST, PATIENCE_S, Bench, add, titles, until, until_equal


async def following(changes: AsyncIterator[QueryChange]) -> QueryChange:
    async with asyncio.timeout(PATIENCE_S):
        return await anext(changes)


# --- live -------------------------------------------------------------------------------------------------------------


async def test_what_one_device_writes_is_on_the_other_as_soon_as_it_is_durable(bench: Bench) -> None:
    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        await until_equal(laptop, phone)
        changes = phone.watch(edda.TaskQuery())
        assert await following(changes) == QueryChange([], [], [])
        task_id = await laptop.run(add("Buy milk"))
        assert [item.title for item in (await following(changes)).added] == ["Buy milk"]
        await phone.run(lambda store: store.update_task(edda.Task(id=task_id, status="done")))
        await until_equal(laptop, phone)
        found = await laptop.run(lambda store: store.get_task(task_id))
        assert found is not None
        assert found.status == "done"
        assert await laptop.run(StorageEngine.digest) == await phone.run(StorageEngine.digest)


async def test_watch_yields_what_is_new_what_reads_otherwise_and_what_has_gone(bench: Bench) -> None:
    bench.members("laptop")
    async with bench.running("laptop") as laptop:
        await laptop.run(add("Here already"))
        changes = laptop.watch(edda.TaskQuery(status="open"))
        assert [item.title for item in (await following(changes)).added] == ["Here already"]
        task_id = await laptop.run(add("New"))
        assert [item.title for item in (await following(changes)).added] == ["New"]
        await laptop.run(lambda store: store.update_task(edda.Task(id=task_id, title="Newer")))
        change = await following(changes)
        assert ([item.title for item in change.changed], change.added, change.removed) == (["Newer"], [], [])
        await laptop.run(lambda store: store.update_task(edda.Task(id=task_id, status="done")))
        change = await following(changes)
        assert ([item.title for item in change.removed], change.added, change.changed) == (["Newer"], [], [])


async def test_watch_of_documents_ignores_what_its_query_does_not_find(bench: Bench) -> None:
    bench.members("laptop")
    async with bench.running("laptop") as laptop:
        changes = laptop.watch(edda.DocumentQuery(doc_type="spec"))
        assert await following(changes) == QueryChange([], [], [])
        await laptop.run(lambda store: store.create_document(edda.Document(title="A note")))
        await laptop.run(lambda store: store.create_document(edda.Document(title="A spec", doc_type="spec")))
        assert [item.title for item in (await following(changes)).added] == ["A spec"]


async def test_a_commit_of_another_process_is_noticed_and_passed_on(bench: Bench) -> None:
    bench.members("laptop", "phone")
    script = "import sys, edda_sync as edda\nfrom pathlib import Path\n"
    script += "with edda.open(sys.argv[1]) as store: store.create_task(edda.Task(title='From elsewhere'))"
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        await until_equal(laptop, phone)
        here, there = laptop.watch(edda.TaskQuery()), phone.watch(edda.TaskQuery())
        await following(here)
        await following(there)
        command = [sys.executable, "-c", script, str(bench.folder / "laptop")]
        await asyncio.to_thread(subprocess.run, command, check=True, timeout=PATIENCE_S)
        assert [item.title for item in (await following(here)).added] == ["From elsewhere"]
        assert [item.title for item in (await following(there)).added] == ["From elsewhere"]


async def test_a_commit_is_told_by_the_thread_that_made_it_and_else_by_the_replicas_own(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[int] = []

    def committed(replica: Replica, now: float) -> list[Effect]:
        told.append(threading.get_ident())
        return replica.committed(now)

    def commit(store: StorageEngine) -> int:
        store.create_task(edda.Task(title="Buy milk"))
        return threading.get_ident()

    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        await until_equal(laptop, phone)
        monkeypatch.setitem(cast(dict[Duty, object], EVENTS), Duty.TELLING, committed)
        turns = laptop._runner._turns
        with turns._taken:
            busy = await laptop.run(commit)
            assert told == []
        await until_equal(laptop, phone)
        assert busy not in told
        free = busy
        async with asyncio.timeout(PATIENCE_S):
            while free not in told:  # the replica may still be busy with what the phone has answered
                free = await laptop.run(commit)
                await until_equal(laptop, phone)


async def test_what_a_peer_sent_is_not_taken_for_what_another_process_wrote(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    passed_on: list[str] = []
    looked: defaultdict[str, threading.Event] = defaultdict(threading.Event)
    written = standing.written

    def committed(replica: Replica, now: float) -> list[Effect]:
        told.append(replica.device)
        return replica.committed(now)

    def grown(replica: Replica, now: float) -> list[Effect]:
        passed_on.append(replica.device)
        return replica.grown(now)

    def looking(store: StorageEngine) -> Written:
        found = written(store)
        looked[store.identity.device].set()
        return found

    monkeypatch.setitem(cast(dict[Duty, object], EVENTS), Duty.TELLING, committed)
    monkeypatch.setitem(cast(dict[Duty, object], EVENTS), Duty.PASSING_ON, grown)
    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        here, there = laptop.store.identity.device, phone.store.identity.device
        await until_equal(laptop, phone)
        monkeypatch.setattr(standing, "written", looking)
        await laptop.run(add("Buy milk"))
        await until_equal(laptop, phone)
        assert await asyncio.to_thread(looked[there].wait, PATIENCE_S)
        for _ in range(5):  # what followed from the look has had its turn
            await phone.run(StorageEngine.counts)
            await phone._runner.ask_peers()
        assert told == [here]
        assert there not in passed_on
        await phone.run(add("Own"))
        await until_equal(laptop, phone)
    assert told == [here, there]


async def test_three_devices_in_a_row_relay_and_are_all_proved_equal(bench: Bench) -> None:
    bench.members("laptop", "phone", "tablet")
    async with (
        bench.running("phone") as phone,
        bench.running("laptop", phone) as laptop,
        bench.running("tablet", phone) as tablet,
    ):
        await asyncio.gather(laptop.run(add("One")), tablet.run(add("Two")))
        everything = 5  # the workspace, two members that were added, two tasks
        middle = phone.store.identity.device
        await until(laptop, lambda: standing.count(laptop.proved.get(middle, {})) == everything)
        await until(tablet, lambda: standing.count(tablet.proved.get(middle, {})) == everything)
        assert await laptop.run(titles) == await tablet.run(titles) == {"One", "Two"}


# --- proof ------------------------------------------------------------------------------------------------------------


async def test_a_device_that_leaves_once_it_is_proved_lets_the_other_prove_it_too(bench: Bench) -> None:
    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop:
        async with bench.running("phone", laptop) as phone:
            await phone.run(add("Buy milk"))
            async with asyncio.timeout(PATIENCE_S):
                await phone.equal()
            device = phone.store.identity.device
        async with asyncio.timeout(PATIENCE_S):
            await laptop.equal({device})
        assert await laptop.run(titles) == {"Buy milk"}
    with StorageEngine(bench.folder / "laptop") as store:
        store.open_store(bench.config("laptop"))
        (known,) = (each for each in standing.devices(store) if not each["this"])
        assert known["proved_at"] is not None


async def test_status_says_of_a_running_device_what_it_says_of_one_that_is_not(bench: Bench) -> None:
    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop:
        async with bench.running("phone", laptop) as phone:
            await until_equal(laptop, phone)
            there = (await laptop.status())["peers"][0]
            assert (there["name"], there["connected"], there["equal"], there["behind"]) == ("phone", True, True, 0)
        await until(laptop, lambda: not laptop.progress)
        await laptop.run(add("Since then"))
        gone = await laptop.status()
        assert (gone["peers"][0]["connected"], gone["peers"][0]["equal"]) == (False, False)
        assert gone["peers"][0]["ahead"] == 1
    with StorageEngine(bench.folder / "laptop") as store:
        store.open_store(bench.config("laptop"))
        found = standing.status(store)
    assert found.keys() == gone.keys()
    assert found["peers"][0].keys() == there.keys()
    assert found["peers"][0]["ahead"] == 1
    assert found["digest"] == gone["digest"]


def test_a_device_whose_store_is_in_memory_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    def device() -> Device:
        return Device(tmp_path / "home", config=StorageConfig(backend="memory"), discover=False)

    async def run() -> None:
        async with device(), device():
            pass

    asyncio.run(run())
    assert list(tmp_path.iterdir()) == []


# --- links that come and go -------------------------------------------------------------------------------------------


async def test_a_peer_that_is_restarted_is_met_again_without_anybodys_help(bench: Bench) -> None:
    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop:
        async with bench.running("phone", laptop) as phone:
            await until_equal(laptop, phone)
        await laptop.run(add("While it was away"))
        async with bench.running("phone") as phone:  # it knows the address from last time
            await until_equal(laptop, phone)
            assert await phone.run(titles) == {"While it was away"}
        await until(laptop, lambda: not laptop.progress)
    assert bench.what("laptop").count("connected") == bench.what("laptop").count("lost") == 2
    assert "equal" in bench.what("phone")


async def test_happenings_tell_the_story_of_a_link(bench: Bench) -> None:
    bench.members("laptop", "phone")
    async with bench.running("laptop") as laptop:
        await laptop.run(add("Buy milk"))
        async with bench.running("phone", laptop) as phone:
            await until_equal(laptop, phone)
    told = bench.happenings["phone"]
    assert bench.what("phone") == ["connected", "applied", "equal", "lost"]
    assert told[0].text.startswith(HOST)
    assert told[1].count == 1
    assert {each.device for each in told} == {laptop.store.identity.device}
    assert phone.name_of(laptop.store.identity.device) == "laptop"


async def test_two_that_do_not_get_along_say_so_once_however_often_they_try(bench: Bench) -> None:
    bench.members("laptop", "phone")
    with StorageEngine(bench.folder / "phone") as phone:
        phone.open_store(bench.config("phone"))
        phone.store.transact(lambda tx: tx.meta.set(WORKSPACE_KEY, bytes(16)))
    async with bench.running("laptop") as running, bench.running("phone", running):
        await bench.until_told("laptop", "trouble")
        peer = next(iter(running.peers.all.values()))
        await until(running, lambda: peer.failures >= 2)
    assert bench.what("laptop") == ["trouble"]
    assert "another workspace" in bench.happenings["laptop"][0].text


async def test_an_address_at_which_a_stranger_answers_is_named_once_and_dialled_on(bench: Bench) -> None:
    bench.members("laptop")
    bench.members("stranger")
    async with bench.running("stranger") as stranger, bench.running("laptop", stranger):
        await bench.until_told("laptop", "trouble")
    assert bench.what("laptop") == ["trouble"]
    assert "not members of one workspace" in bench.happenings["laptop"][0].text


async def test_a_device_listens_where_it_did_last_time_unless_that_is_taken(bench: Bench) -> None:
    bench.members("laptop")
    async with bench.running("laptop") as laptop:
        port = laptop.port
    async with bench.running("laptop") as laptop:
        assert laptop.port == port
    server = await asyncio.start_server(lambda *_: None, "0.0.0.0", port)
    async with server, bench.running("laptop") as laptop:
        assert laptop.port != port


def test_a_device_that_ran_before_runs_again_and_what_it_writes_is_told_to_no_former_loop(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.members("laptop")
    device = Device(bench.folder / "laptop", config=bench.config("laptop"), discover=False)

    async def run(title: str) -> set[str]:
        async with device:
            await device.run(add(title))
            assert device.fault == ""
            return await device.run(titles)

    assert asyncio.run(run("Buy milk")) == {"Buy milk"}
    assert asyncio.run(run("Buy bread")) == {"Buy milk", "Buy bread"}
    assert "What is committed" not in caplog.text


async def test_a_port_that_was_asked_for_and_is_taken_is_an_error(bench: Bench) -> None:
    bench.members("laptop")
    async with bench.running("laptop") as laptop:
        other = Device(bench.folder / "other", port=laptop.port, config=bench.config("other"), discover=False)
        with pytest.raises(UsageError, match="in use"):
            await other.__aenter__()


# --- members ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frame", [b"", b"\x00garbage", b"\x01" + b"\xff" * 100, b"\x07", bytes(1000)])
async def test_a_member_that_sends_garbage_is_shown_out_and_nothing_changes(bench: Bench, frame: bytes) -> None:
    bench.members("laptop", "phone", "rogue")
    with StorageEngine(bench.folder / "rogue") as rogue:
        rogue.open_store(bench.config("rogue"))
        identity = rogue.own.make_identity()
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        await until_equal(laptop, phone)
        before = await laptop.run(StorageEngine.digest)
        own = laptop.store.identity
        link = await dial(identity, own.device, own.certificate, HOST, laptop.port)
        await link.send(frame)
        async with asyncio.timeout(PATIENCE_S):
            try:
                async for _ in link:  # a hello, a goodbye, and the end
                    pass
            except EddaError:
                pass
        assert await laptop.run(StorageEngine.digest) == before
        trouble = [each for each in bench.happenings["laptop"] if each.what == "trouble"]
        assert [each.device for each in trouble] == [identity.device]
        await phone.run(add("Life goes on"))
        await until_equal(laptop, phone)
        assert await laptop.run(titles) == {"Life goes on"}


async def test_a_device_that_is_cancelled_lets_go_of_everything(bench: Bench) -> None:
    bench.members("laptop", "phone")
    entered = asyncio.Event()

    async def run_for_ever() -> None:
        async with bench.running("laptop") as laptop:
            await laptop.run(add("Buy milk"))
            entered.set()
            await laptop.equal({"nobody"})

    before = asyncio.all_tasks()
    task = asyncio.ensure_future(run_for_ever())
    async with asyncio.timeout(PATIENCE_S):
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert asyncio.all_tasks() == before
    with StorageEngine(bench.folder / "laptop") as store:
        store.open_store(bench.config("laptop"))
        assert titles(store) == {"Buy milk"}


async def test_a_device_whose_store_cannot_be_opened_leaves_nothing_running(bench: Bench) -> None:
    (bench.folder / "laptop").mkdir()
    (bench.folder / "laptop" / "edda.db").write_text("Dear diary")
    before = asyncio.all_tasks()
    with pytest.raises(EddaError, match="not an edda store"):
        async with bench.running("laptop"):
            raise AssertionError("it opened")
    assert asyncio.all_tasks() == before
