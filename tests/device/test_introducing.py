"""A copy that became a device of its own meets its original, though nobody else tells the original of it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.device.device import Device
from edda_sync.engine import separating
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import former
from edda_sync.transport import identity as identities
from edda_sync.transport.dial import dial
from edda_sync.transport.identity import Identity
from edda_sync.transport.link import COPY_PATH, PATH, Link
from edda_sync.words.errors import RemoteError
from edda_sync.words.folders import FORMER_FOLDER
from tests.device.bench import HOST, PATIENCE_S, Bench


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    """A laptop, and a copy of it that became a workstation. Both have written since the copy was made."""
    monkeypatch.setenv("EDDA_KEYRING", "off")
    made = Bench(tmp_path)
    with StorageEngine(tmp_path / "laptop") as laptop:
        laptop.initialize(made.config("laptop"))
        laptop.create_task(edda.Task(title="Before"))
    shutil.copytree(tmp_path / "laptop", tmp_path / "workstation")
    with StorageEngine(tmp_path / "workstation") as copy:
        copy.open_store(made.config("laptop"))
        copy.create_task(edda.Task(title="From the copy", description=random.Random(1).randbytes(700_000).hex()))
        separating.separate(copy, "workstation")
    with StorageEngine(tmp_path / "laptop") as laptop:
        laptop.open_store(made.config("laptop"))
        laptop.create_task(edda.Task(title="From the laptop"))
    return made


def titles(store: StorageEngine) -> set[str]:
    return {task.title for task in store.query_tasks(edda.TaskQuery())}


async def equal(*devices: Device) -> None:
    async with asyncio.timeout(PATIENCE_S):
        for device in devices:
            await device.equal()


async def test_the_two_meet_directly_and_the_former_key_is_forgotten(bench: Bench) -> None:
    (kept,) = former.load(bench.folder / "workstation")
    assert kept == identities.load(bench.folder / "laptop")
    async with bench.running("laptop") as laptop, bench.running("workstation", laptop) as copy:
        await equal(copy, laptop)
        assert await laptop.run(titles) == await copy.run(titles) == {"Before", "From the copy", "From the laptop"}
        assert laptop.name_of(copy.store.identity.device) == "workstation"
        assert copy.store.identity.device in laptop.progress
    assert "joined" in bench.what("laptop")
    assert not (bench.folder / "workstation" / FORMER_FOLDER).exists()
    async with bench.running("laptop") as laptop, bench.running("workstation", laptop) as copy:
        await equal(copy, laptop)  # without that key


async def test_only_who_has_the_devices_own_key_comes_in_that_way_and_only_that_way(bench: Bench) -> None:
    own = identities.load(bench.folder / "laptop")
    assert own is not None
    async with bench.running("laptop") as laptop:
        for caller, path in ((own, PATH), (Identity.create(), COPY_PATH)):
            with pytest.raises(RemoteError):
                await dial(caller, own.device, own.certificate, HOST, laptop.port, path=path)
        assert laptop.progress == {}


async def _rest(link: Link) -> AsyncIterator[bytes]:
    """The frames that still come on a link."""
    with contextlib.suppress(RemoteError):
        async for frame in link:
            yield frame


@pytest.mark.parametrize("frame", [b"\1no run of changes", b"\0" + bytes(900_000)], ids=["malformed", "too long"])
async def test_what_is_no_run_of_changes_ends_the_link_and_changes_nothing(bench: Bench, frame: bytes) -> None:
    own = identities.load(bench.folder / "laptop")
    assert own is not None
    async with bench.running("laptop") as laptop:
        before = await laptop.run(lambda store: store.frontier())
        link = await dial(own, own.device, own.certificate, HOST, laptop.port, path=COPY_PATH)
        assert await anext(link)
        with contextlib.suppress(RemoteError):  # it may be closed by then
            for _ in range(20):
                await link.send(frame)
        assert [each async for each in _rest(link)] == []
        assert await laptop.run(lambda store: store.frontier()) == before
    assert "joined" not in bench.what("laptop")


async def test_a_copy_of_a_copy_meets_the_first_original(bench: Bench) -> None:
    """It was split off twice, and the device in between has no store. The key of the first one is still here."""
    with StorageEngine(bench.folder / "workstation") as copy:
        copy.open_store(bench.config("workstation"))
        separating.separate(copy, "another")
    assert len(former.load(bench.folder / "workstation")) == 2
    async with bench.running("laptop") as laptop, bench.running("workstation", laptop) as copy:
        await equal(copy, laptop)
        assert laptop.name_of(copy.store.identity.device) == "another"
    assert len(former.load(bench.folder / "workstation")) == 1
