"""A real device over a store that fails: its duties go on, and damage is mended."""

from __future__ import annotations

import asyncio
import logging
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import testing
from edda_sync.device.device import Device, Happening
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport.dial import dial
from edda_sync.transport.identity import Identity
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import BusyError, CorruptError, DiskFullError, EddaError
from edda_sync.workspace.welcome import DeviceCard
from tests.faulty import COMMIT, FaultyEngine, FaultyStore, rot

PATIENCE_S = 90.0
HOST = "127.0.0.1"
BUSY, FULL, DAMAGED = BusyError("edda.db"), DiskFullError("edda.db"), CorruptError("A row")
FAULTS: list[EddaError] = [BUSY, FULL, DAMAGED]
NAME_OF_FAULT: Callable[[object], str] = lambda error: type(error).__name__  # noqa: E731 - of a parameter


class Bench:
    """A laptop over a faulty store and a phone over a sound one, members of one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "laptop"
        self.happened: list[Happening] = []
        self._told = asyncio.Event()
        with self.engine("laptop") as laptop, StorageEngine(folder / "phone") as phone:
            laptop.initialize(self.config("laptop"))
            phone.open_store(self.config("phone"))
            testing.pair(laptop, phone)
            laptop.create_task(edda.Task(title="Buy milk"))
            testing.sync(laptop, phone)

    def config(self, name: str) -> StorageConfig:
        return StorageConfig(name=name, state_path=self.folder / "state")

    def engine(self, name: str) -> StorageEngine:
        return StorageEngine(self.folder / name)

    def elsewhere(self, work: Callable[[StorageEngine], object]) -> None:
        """Change the laptop's store as another process does, over connections of its own."""
        with self.engine("laptop") as engine:
            engine.open_store(self.config("laptop"))
            work(engine)

    @asynccontextmanager
    async def laptop(self) -> AsyncIterator[tuple[Device, FaultyStore]]:
        """Run the laptop, and wait until it has scrubbed everything that it holds."""

        def tell(happening: Happening) -> None:
            self.happened.append(happening)
            self._told.set()

        device = Device(self.home, config=self.config("laptop"), discover=False, tell=tell)
        device.store = engine = FaultyEngine(self.home)
        async with device:
            await asyncio.to_thread(engine.faulty.wait_until_called, "tables.counts")  # after the slice
            yield device, engine.faulty

    @asynccontextmanager
    async def phone(self, *at: Device) -> AsyncIterator[Device]:
        """Run the phone."""
        endpoints = tuple((HOST, other.port) for other in at)
        async with Device(self.folder / "phone", config=self.config("phone"), at=endpoints, discover=False) as device:
            yield device

    @property
    def troubles(self) -> list[str]:
        """What a person was told about this device's own trouble."""
        return [each.text for each in self.happened if each.what == "trouble" and not each.device]

    async def until_told(self, condition: Callable[[], bool]) -> None:
        """Wait until the reports meet a condition."""
        async with asyncio.timeout(PATIENCE_S):
            while not condition():
                self._told.clear()
                await self._told.wait()


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


async def until(device: Device, condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        await device.until(condition)


async def until_equal(*devices: Device) -> None:
    """Wait until both are proved equal: after that only its duties use a store."""
    async with asyncio.timeout(PATIENCE_S):
        for device in devices:
            await device.equal()


def titles(store: StorageEngine) -> set[str]:
    return {task.title for task in store.query_tasks(edda.TaskQuery())}


def add(title: str) -> Callable[[StorageEngine], str]:
    return lambda store: store.create_task(edda.Task(title=title))


# --- duties -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["log.position", "version"])
@pytest.mark.parametrize("error", FAULTS, ids=NAME_OF_FAULT)
async def test_a_device_that_could_not_look_once_still_notices_what_other_processes_write(
    bench: Bench, method: str, error: EddaError
) -> None:
    async with bench.laptop() as (laptop, faulty), bench.phone(laptop) as phone:
        await until_equal(laptop, phone)
        faulty.fail(method, error)
        bench.elsewhere(add("In the moment of the fault"))
        await bench.until_told(lambda: bool(bench.troubles))
        assert bench.troubles[0] == str(error)
        bench.elsewhere(add("After it"))
        async with asyncio.timeout(PATIENCE_S):
            async for _ in phone.watch(edda.TaskQuery()):
                if await phone.run(titles) >= {"In the moment of the fault", "After it"}:
                    break
        await until(laptop, lambda: laptop.fault != str(error))  # it may have met a talk, and no proof has followed yet
    assert bench.troubles.count(str(error)) == 1


async def test_a_lasting_fault_is_reported_once_and_shown_until_it_is_over(bench: Bench) -> None:
    async with bench.laptop() as (laptop, faulty):
        faulty.fail("version", FULL, times=4)
        await bench.until_told(lambda: bool(bench.troubles))
        assert laptop.fault == (await laptop.status())["fault"] == str(FULL)
        calls = faulty.calls["version"]
        await asyncio.to_thread(faulty.wait_until_called, "version", calls + 5)
        assert laptop.fault == ""
    assert bench.troubles == [str(FULL)]


@pytest.mark.parametrize("error", FAULTS, ids=NAME_OF_FAULT)
async def test_a_member_that_the_device_could_not_read_at_first_is_trusted_later(
    bench: Bench, error: EddaError
) -> None:
    newcomer = Identity.create()
    async with bench.laptop() as (laptop, faulty):
        faulty.fail("states.scan", error)  # in which the members are, with certificates and with names
        bench.elsewhere(admit(newcomer))
        await until(laptop, lambda: newcomer.device in laptop.peers.all)
        assert laptop.name_of(newcomer.device) == "tablet"
    assert bench.troubles[0] == str(error)


async def test_a_member_whom_the_open_port_could_not_let_in_at_first_is_let_in_later(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    newcomer = Identity.create()
    async with bench.laptop() as (laptop, _):
        with monkeypatch.context() as patch:
            patch.setattr(
                tempfile, "tempdir", str(bench.folder / "missing")
            )  # a key that is used lies there for a moment
            bench.elsewhere(admit(newcomer))
            await bench.until_told(lambda: bool(bench.troubles))
            assert "missing" in laptop.fault
        await until(laptop, lambda: newcomer.device in laptop.peers.all)
        own = laptop.store.identity
        link = await dial(newcomer, own.device, own.certificate, HOST, laptop.port)
        await link.close()
    assert len(bench.troubles) == 1


def admit(newcomer: Identity) -> Callable[[StorageEngine], object]:
    return lambda store: store.welcome(DeviceCard(newcomer.certificate, "tablet"))


@pytest.mark.parametrize("method", ["tables.counts", "states.scan", "index.digest"])
async def test_a_scrub_that_failed_goes_on_and_finds_the_damage(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    monkeypatch.setattr(limits, "SCRUB_INTERVAL_S", 0.05)
    async with bench.laptop() as (laptop, faulty):
        faulty.fail(method, BUSY)
        await bench.until_told(lambda: bench.troubles == [str(BUSY)])
        rot(bench.home, "Buy milk", "Buy mule")
        await bench.until_told(lambda: "restored from the log" in bench.troubles[-1])
        assert laptop.fault == bench.troubles[-1]


async def test_a_bug_in_a_duty_ends_the_device_and_is_raised(bench: Bench) -> None:
    async def run() -> None:
        async with bench.laptop() as (_, faulty):
            faulty.fail("version", ZeroDivisionError("a bug"))
            await asyncio.Event().wait()

    before = asyncio.all_tasks()
    await until_it_fails(run())
    assert asyncio.all_tasks() == before
    bench.elsewhere(add("The store was closed in order"))


async def test_a_bug_that_a_peer_brings_to_light_ends_that_talk_which_begins_anew(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    async with bench.laptop() as (laptop, faulty):
        # A hello tells of it, after this device has read it itself for the new talk; nothing else here does.
        faulty.fail("evidence.names", ZeroDivisionError("a bug"), after=1)
        async with bench.phone(laptop) as phone:
            await bench.until_told(lambda: any("has a bug" in each.text for each in bench.happened))
            await until_equal(laptop, phone)
    (told,) = [each for each in bench.happened if "has a bug" in each.text]
    assert (told.what, told.device) == ("trouble", phone.store.identity.device)
    assert "ZeroDivisionError: a bug" in told.text
    assert "Traceback" in caplog.text, "a developer needs the traceback to mend it"
    assert bench.troubles == []


class Panic(BaseException):
    """What native code with a bug raises: not an ``Exception``."""


@pytest.mark.parametrize("what", ["connected", "applied", "equal", "lost"])
@pytest.mark.parametrize(
    "raised",
    [ZeroDivisionError("a bug of whoever listens"), BrokenPipeError(), Panic("at x.rs:1"), asyncio.CancelledError(),
     GeneratorExit()],
)  # fmt: skip
async def test_a_listener_that_raises_is_not_called_again_and_the_device_goes_on(
    bench: Bench, caplog: pytest.LogCaptureFixture, what: str, raised: BaseException
) -> None:
    told: list[str] = []

    def tell(happening: Happening) -> None:
        told.append(happening.what)
        if happening.what == what:
            raise raised

    laptop = Device(bench.home, config=bench.config("laptop"), discover=False, tell=tell)
    async with laptop:
        async with bench.phone(laptop) as phone:
            await phone.run(add("Buy bread"))
            await until_equal(laptop, phone)
        async with bench.phone(laptop) as phone:
            await phone.run(add("Buy butter"))
            await until_equal(laptop, phone)
            assert "Buy butter" in await laptop.run(titles)
        await until(laptop, lambda: not laptop.progress)
        assert told.count(what) == 1
        assert told[-1] == what
        assert type(raised).__name__ in laptop.fault
        assert (await laptop.status())["fault"] == laptop.fault
    assert caplog.text.count("is not told any more") == 1


async def test_a_listener_that_is_called_in_a_cancelled_task_may_end_it(bench: Bench) -> None:
    def tell(happening: Happening) -> None:
        if happening.what == "joined":
            raise asyncio.CancelledError

    laptop = Device(bench.home, config=bench.config("laptop"), discover=False, tell=tell)
    async with laptop:
        task = asyncio.create_task(cancel_and_tell(laptop))
        with pytest.raises(asyncio.CancelledError):
            await task
        assert laptop.fault == ""


async def cancel_and_tell(device: Device) -> None:
    task = asyncio.current_task()
    assert task is not None
    task.cancel()
    device._tell(Happening("joined"))
    raise AssertionError("it went on")


@pytest.mark.parametrize(
    "raised", [ZeroDivisionError("a bug of whoever listens"), asyncio.CancelledError(), GeneratorExit()]
)
async def test_a_listener_to_commits_that_raises_fails_no_write_and_the_device_reports_it(
    bench: Bench, raised: BaseException
) -> None:
    def listener() -> None:
        raise raised

    async with bench.laptop() as (laptop, _), bench.phone(laptop) as phone:
        laptop.store.writing.on_commit(listener)
        await laptop.run(add("Buy bread"))
        await laptop.run(add("Buy butter"))
        await until_equal(laptop, phone)
        assert await phone.run(titles) == {"Buy milk", "Buy bread", "Buy butter"}
        await bench.until_told(lambda: bool(bench.troubles))
        assert "What is committed is not told any more" in laptop.fault
    assert len(bench.troubles) == 1
    assert type(raised).__name__ in bench.troubles[0]


class BrokenHandler(logging.Handler):
    """A handler of the program's log, which raises."""

    def emit(self, _: logging.LogRecord) -> None:
        raise ZeroDivisionError("a bug of the handler")


async def test_a_handler_of_the_log_that_raises_ends_neither_the_device_nor_a_link(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    def tell(happening: Happening) -> None:
        raise OSError("a bug of whoever listens")

    logger, handler = logging.getLogger("edda_sync"), BrokenHandler()
    logger.addHandler(handler)
    try:
        laptop = Device(bench.home, config=bench.config("laptop"), discover=False, tell=tell)
        async with laptop, bench.phone(laptop) as phone:
            await phone.run(add("Buy bread"))
            await until_equal(laptop, phone)
            assert await laptop.run(titles) == {"Buy milk", "Buy bread"}
            assert "What happens is not told any more" in laptop.fault
    finally:
        logger.removeHandler(handler)
    said = capsys.readouterr().err
    assert "What happens is not told any more" in said
    assert "A handler of the log raised ZeroDivisionError" in said


async def test_an_error_of_the_function_that_shows_an_invitation_ends_only_that_invitation(bench: Bench) -> None:
    def show(*_: object) -> None:
        raise ZeroDivisionError("a bug of whoever shows the code")

    async with bench.laptop() as (laptop, _), bench.phone(laptop) as phone:
        async with asyncio.timeout(PATIENCE_S):
            with pytest.raises(ZeroDivisionError):
                await laptop.invite(show)
        await phone.run(add("Buy bread"))
        await until_equal(laptop, phone)
    assert bench.troubles == []


async def test_a_fault_in_a_programs_call_is_raised_to_the_program_and_damage_is_mended(bench: Bench) -> None:
    async with bench.laptop() as (laptop, faulty):
        faulty.fail("tables.rows", DAMAGED)
        with pytest.raises(CorruptError):
            await laptop.run(titles)
        await bench.until_told(lambda: "restored from the log" in bench.troubles[-1])
        assert await laptop.run(titles) == {"Buy milk"}
    assert bench.troubles[0] == str(DAMAGED)


async def until_it_fails(running: Coroutine[None, None, None]) -> None:
    """Wait until a bug has ended what would run for ever."""
    task = asyncio.ensure_future(running)
    done, _ = await asyncio.wait({task}, timeout=PATIENCE_S)
    assert done, "it goes on as if nothing were wrong"
    with pytest.raises(ZeroDivisionError):
        await task


# --- talks ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", FAULTS, ids=NAME_OF_FAULT)
@pytest.mark.parametrize("method", ["log.heads", "log.positions_after", "log.read"])
async def test_a_talk_that_a_fault_of_the_disk_ended_begins_again(bench: Bench, method: str, error: EddaError) -> None:
    async with bench.laptop() as (laptop, faulty), bench.phone(laptop) as phone:
        await until_equal(laptop, phone)
        faulty.fail(method, error)
        bench.elsewhere(add("Buy bread"))  # so that only the talk meets the fault
        async with asyncio.timeout(PATIENCE_S):
            async for _ in phone.watch(edda.TaskQuery()):
                if "Buy bread" in await phone.run(titles):
                    break
        await until_equal(phone)


@pytest.mark.parametrize("method", ["transact", COMMIT, "log.append"])
async def test_changes_of_a_peer_that_a_full_disk_refused_come_again(bench: Bench, method: str) -> None:
    async with bench.laptop() as (laptop, faulty), bench.phone(laptop) as phone:
        await until_equal(laptop, phone)
        faulty.fail(method, FULL)
        await phone.run(add("Buy bread"))
        async with asyncio.timeout(PATIENCE_S):
            async for _ in laptop.watch(edda.TaskQuery()):
                if "Buy bread" in await laptop.run(titles):
                    break
        await until_equal(laptop)
    assert any(str(FULL) in each.text for each in bench.happened if each.what == "trouble")


# --- damage -----------------------------------------------------------------------------------------------------------


async def test_damage_that_a_talk_meets_is_mended_and_the_talk_goes_on(bench: Bench) -> None:
    async with bench.laptop() as (laptop, _), bench.phone(laptop) as phone:
        await until_equal(laptop, phone)
        rot(bench.home, "Buy milk", "Buy mule")
        (task,) = await phone.run(lambda store: store.query_tasks(edda.TaskQuery()))
        await phone.run(lambda store: store.update_task(edda.Task(id=task.id, status="done")))
        await bench.until_told(lambda: "restored from the log" in "".join(bench.troubles))
        await until_equal(laptop, phone)
        assert await laptop.run(lambda store: store.reading.scrub()) == ([], None)
        assert await laptop.run(StorageEngine.digest) == await phone.run(StorageEngine.digest)
    assert laptop.fault in bench.troubles


@pytest.mark.parametrize("fault", [None, BUSY, FULL, DAMAGED], ids=NAME_OF_FAULT)
async def test_damage_that_the_scrub_finds_is_mended_even_if_the_first_try_fails(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, fault: EddaError | None
) -> None:
    monkeypatch.setattr(limits, "SCRUB_INTERVAL_S", 0.05)
    async with bench.laptop() as (laptop, faulty):
        digest = await laptop.run(StorageEngine.digest)
        if fault is not None:
            faulty.fail("forget", fault)
        rot(bench.home, "Buy milk", "Buy mule")
        await bench.until_told(lambda: "restored from the log" in "".join(bench.troubles))
        assert await laptop.run(lambda store: store.reading.scrub()) == ([], None)
        assert await laptop.run(StorageEngine.digest) == digest
        assert await laptop.run(titles) == {"Buy milk"}
    assert bench.troubles == [*([] if fault is None else [str(fault)]), laptop.fault]


async def test_damage_of_the_log_itself_is_fetched_from_a_peer_and_then_everything_is_mended(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SCRUB_INTERVAL_S", 0.05)
    async with bench.laptop() as (laptop, _), bench.phone(laptop) as phone:
        await until_equal(laptop, phone)
        rot(bench.home, "Buy milk", "Buy mule", place="_log.body")
        rot(bench.home, "Buy milk", "Buy mule")
        await bench.until_told(lambda: "restored from the log" in "".join(bench.troubles))
        assert await laptop.run(lambda store: store.reading.scrub()) == ([], None)
        await laptop.run(StorageEngine.rebuild)
        assert await laptop.run(titles) == {"Buy milk"}
        await until_equal(laptop, phone)


# --- ends -------------------------------------------------------------------------------------------------------------


async def test_the_last_proof_is_remembered_when_a_device_ends(bench: Bench) -> None:
    async with bench.laptop() as (laptop, faulty), bench.phone(laptop) as phone:
        await until_equal(laptop)
        await asyncio.to_thread(faulty.wait_until_called, "meta.set")  # the first proof is written down at once
        await laptop.run(add("Buy bread"))
        await until_equal(laptop, phone)
    bench.elsewhere(check_that_nothing_is_ahead)


def check_that_nothing_is_ahead(store: StorageEngine) -> None:
    (peer,) = standing.status(store)["peers"]
    assert peer["ahead"] == 0


async def test_a_device_that_cannot_write_down_its_proofs_says_so_and_ends_in_order(bench: Bench) -> None:
    async with bench.laptop() as (laptop, faulty), bench.phone(laptop) as phone:
        await until_equal(laptop, phone)
        await asyncio.to_thread(faulty.wait_until_called, "meta.set")
        await laptop.run(add("Buy bread"))
        await until_equal(laptop, phone)  # which is not written down yet
        faulty.fail("meta.set", FULL)
    assert bench.troubles == [str(FULL)]
    bench.elsewhere(add("The store was closed in order"))


async def test_proofs_that_could_not_be_saved_are_saved_later(bench: Bench) -> None:
    async with bench.laptop() as (laptop, faulty), bench.phone(laptop) as phone:
        faulty.fail("meta.set", BUSY)
        await until_equal(laptop, phone)
        await asyncio.to_thread(faulty.wait_until_called, "meta.set", 2)
    assert bench.troubles == [str(BUSY)]
