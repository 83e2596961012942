"""Files that somebody waits for, between devices that run in this process."""

from __future__ import annotations

import asyncio
import io
import random
import threading
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

import edda_sync as edda
from edda_sync.device import fetching
from edda_sync.device.device import Device
from edda_sync.engine.engine import StorageEngine
from edda_sync.words import limits
from edda_sync.words.config import FilesConfig, StorageConfig
from tests.device.bench import HOST, PATIENCE_S, Bench, until, until_equal

SIZE = 3 * limits.CHUNK_BYTES + 7
CONTENT = random.Random(3).randbytes(SIZE)


class OnDemand(Bench):
    """Devices that fetch nothing by themselves."""

    def config(self, name: str) -> StorageConfig:
        return super().config(name).changed(files_config=FilesConfig(always_below=0))


@pytest.fixture
def bench(tmp_path: Path) -> OnDemand:
    made = OnDemand(tmp_path)
    made.members("laptop", "phone")
    return made


def attached(store: StorageEngine) -> tuple[str, str]:
    """Attach the file; return the ids of its document and of the attachment."""
    document = store.create_document(edda.Document(title="Trip"))
    return document, store.transact(lambda tx: tx.attach(document, io.BytesIO(CONTENT), name="film"))


async def answers(device: Device, document: str, attachment: str, *at: Device) -> list[dict[str, Any]]:
    places = [(HOST, other.port) for other in at]
    async with asyncio.timeout(PATIENCE_S), aclosing(fetching.fetch(device, document, [attachment], places)) as stream:
        return [answer async for answer in stream]


async def test_what_somebody_asks_for_comes_with_progress_from_a_device_that_is_dialled(bench: OnDemand) -> None:
    async with bench.running("laptop") as laptop:
        async with bench.running("phone", laptop) as phone:
            document, attachment = await laptop.run(attached)
            await until_equal(laptop, phone)
        async with bench.running("phone") as phone:
            said = await answers(phone, document, attachment, laptop)
            assert said[-1]["missing"] == []
            assert {each["of"] for each in said} == {SIZE}
            assert [each["came"] for each in said[:-1]] == sorted(each["came"] for each in said[:-1])
            assert await phone.run(lambda store: store.open_attachment(document, attachment).read()) == CONTENT
            assert phone.files.progress.demanded == {}
            took, gave = (await phone.metrics()).files, (await laptop.metrics()).files
            assert (took.here_bytes, took.bytes_fetched >= SIZE, took.bytes_given) == (SIZE, True, 0)
            assert (gave.bytes_fetched, gave.bytes_given, gave.refused) == (0, took.bytes_fetched, 0)


async def test_what_nobody_has_is_said_at_once(bench: OnDemand) -> None:
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        document, attachment = await laptop.run(attached)
        await until_equal(laptop, phone)
        await laptop.run(lambda store: store.reading.files.chunks.set_aside(_root(store)))
        said = await answers(phone, document, attachment)
        assert said[-1]["missing"] == ["film"]


async def test_a_device_alone_says_that_nobody_has_it(bench: OnDemand) -> None:
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        document, attachment = await laptop.run(attached)
        await until_equal(laptop, phone)
    async with bench.running("phone") as phone:
        assert (await answers(phone, document, attachment))[-1]["missing"] == ["film"]


async def test_nothing_is_fetched_for_somebody_who_has_gone(bench: OnDemand) -> None:
    async with bench.running("laptop") as laptop, bench.running("phone") as phone:
        document, attachment = await laptop.run(attached)
        async with aclosing(fetching.settle(laptop)) as stream:
            assert [each async for each in stream] == []  # no peer is linked: there is nothing to wait for
        await phone.dial(HOST, laptop.port)
        await until_equal(laptop, phone)
        async with aclosing(fetching.fetch(phone, document, [attachment])) as stream:
            await anext(stream)
        assert phone.files.progress.demanded == {}


async def test_a_peer_that_gives_what_is_wrong_is_named(bench: OnDemand) -> None:
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        document, attachment = await laptop.run(attached)
        await until_equal(laptop, phone)
        laptop.store.reading.files.chunks.get = lambda name: b"a lie"  # type: ignore[method-assign]
        said = await answers(phone, document, attachment)
        assert said[-1]["missing"] == ["film"]
        found = (await phone.metrics()).files
        assert (found.refused, found.missing, found.missing_bytes) == (1, 1, SIZE)
        (text,) = [each.text for each in bench.happenings["phone"] if each.what == "trouble"]
        assert text.startswith("laptop sent a part of a file that is not what it should be")


async def test_a_link_that_is_lost_while_a_file_comes_is_waited_for(bench: OnDemand) -> None:
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        document, attachment = await laptop.run(attached)
        await until_equal(laptop, phone)
        gives, chunks = threading.Event(), laptop.store.reading.files.chunks
        get = chunks.get
        chunks.get = lambda name: (gives.wait(PATIENCE_S), get(name))[1]  # type: ignore[method-assign]
        async with asyncio.timeout(PATIENCE_S), aclosing(fetching.fetch(phone, document, [attachment])) as stream:
            await anext(stream)
            await anext(stream)  # a while later: all that could be found is linked
            (peer,) = phone.peers.all.values()
            assert peer.link is not None
            await peer.link.close()
            await until(phone, lambda: not phone.progress)
            await anext(stream)
            gives.set()
            said = [answer async for answer in stream]
        assert said[-1]["missing"] == []


async def test_changes_go_on_while_a_file_comes(bench: OnDemand) -> None:
    async with bench.running("laptop") as laptop, bench.running("phone", laptop) as phone:
        document, attachment = await laptop.run(attached)
        await until_equal(laptop, phone)
        async with aclosing(fetching.fetch(phone, document, [attachment])) as stream:
            await anext(stream)
            await laptop.run(lambda store: store.create_task(edda.Task(title="meanwhile")))
            await until_equal(laptop, phone)
            async for _ in stream:
                pass
        await until(laptop, lambda: laptop.files.progress.peers == 0)
        assert await phone.run(lambda store: store.counts()["tasks"]) == 1


def _root(store: StorageEngine) -> bytes:
    with store.store.read() as reader:
        return next(each.root for _, each in reader.attachments.scan())
