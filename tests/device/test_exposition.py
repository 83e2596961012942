"""The figures of a running device, scraped over a real socket and read with the library's own parser."""

from __future__ import annotations

import asyncio
import dataclasses
import socket
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

import edda_sync as edda
from edda_sync.device.device import Device
from edda_sync.device.exposition import families, serve
from edda_sync.words.errors import BusyError, UsageError
from edda_sync.words.metrics import CacheMetrics, FilesMetrics, StorageMetrics, SyncMetrics

HOST = "127.0.0.1"


def scrape(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=")
        text = answer.read().decode()
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


async def test_a_scrape_has_what_the_store_holds_at_that_moment(tmp_path: Path) -> None:
    async with Device(tmp_path / "home", discover=False) as device, serve(device, HOST, 0) as url:
        assert urlsplit(url).hostname == HOST
        before = await asyncio.to_thread(scrape, url)
        await device.run(lambda store: store.create_task(edda.Task(title="Buy milk")))
        await device.run(lambda store: store.query_tasks(edda.TaskQuery()))
        after = await asyncio.to_thread(scrape, url)
        assert (before["edda_tasks"], after["edda_tasks"]) == (0, 1)
        assert after["edda_transactions_total"] == before["edda_transactions_total"] + 1
        assert after["edda_query_seconds_count"] == 1
        assert after["edda_query_seconds_sum"] == pytest.approx(after["edda_query_average_seconds"])
        assert after["edda_database_size_bytes"] > 0
        assert (after["edda_store_readable"], after["edda_peers"], after["edda_backups"]) == (1, 0, 0)
        found = await device.metrics()
        assert (found.task_count, found.query_count) == (1, 1)
    with pytest.raises(OSError, match="refused"):
        await asyncio.to_thread(scrape, url)


class Silent:
    """A device whose store cannot be read."""

    async def metrics(self) -> StorageMetrics:
        raise BusyError("edda.db")


async def test_a_store_that_cannot_be_read_is_said_to_be_so() -> None:
    async with serve(Silent(), HOST, 0) as url:
        assert await asyncio.to_thread(scrape, url) == {"edda_store_readable": 0.0}


async def test_many_scrapes_at_once_are_each_answered(tmp_path: Path) -> None:
    async with Device(tmp_path / "home", discover=False) as device, serve(device, HOST, 0) as url:
        loop = asyncio.get_running_loop()
        with ThreadPoolExecutor(8) as scrapers:  # not the loop's own threads, on which the store is read
            found = await asyncio.gather(*(loop.run_in_executor(scrapers, scrape, url) for _ in range(8)))
        assert {each["edda_store_readable"] for each in found} == {1}


async def test_who_connects_and_says_nothing_holds_nothing_up(tmp_path: Path) -> None:
    async with Device(tmp_path / "home", discover=False) as device, serve(device, HOST, 0) as url:
        port = urlsplit(url).port
        assert port is not None
        silent = socket.create_connection((HOST, port))
        with closing(silent):
            assert (await asyncio.to_thread(scrape, url))["edda_store_readable"] == 1


@pytest.mark.parametrize("host", ["203.0.113.7", "nobody.invalid"])
async def test_an_address_that_is_not_here_is_an_error_that_says_what_to_do(host: str) -> None:
    with pytest.raises(UsageError, match=r"^Nothing can listen on .*: choose another address for --metrics\.$"):
        async with serve(Silent(), host, 0):
            raise AssertionError("it listens")


async def test_a_port_that_is_taken_is_told() -> None:
    async with serve(Silent(), HOST, 0) as url:
        port = urlsplit(url).port
        assert port is not None
        with pytest.raises(UsageError, match="Address already in use"):
            async with serve(Silent(), HOST, port):
                raise AssertionError("two listen there")


# --- what is exposed --------------------------------------------------------------------------------------------------


def numbered(kind: type, first: int) -> dict[str, int]:
    return {each.name: first + number for number, each in enumerate(dataclasses.fields(kind)) if each.type == "int"}


FULL = StorageMetrics(
    **numbered(StorageMetrics, 1_000),
    cache_hit_rate=0.75,
    avg_query_time=timedelta(milliseconds=2),
    last_backup=datetime(2026, 11, 30, tzinfo=UTC),
    cache=CacheMetrics(**numbered(CacheMetrics, 2_000)),
    sync=SyncMetrics(**numbered(SyncMetrics, 3_000)),
    files=FilesMetrics(**numbered(FilesMetrics, 4_000)),
)


def exposed(found: StorageMetrics) -> dict[str, Metric]:
    return {each.name: each for each in families(found)}


def test_every_figure_is_exposed_with_its_own_value() -> None:
    values = [sample.value for each in exposed(FULL).values() for sample in each.samples]
    for section in (FULL, FULL.cache, FULL.sync, FULL.files):
        for each in dataclasses.fields(section):  # type: ignore[arg-type]
            value = getattr(section, each.name)
            if isinstance(value, int | float):
                assert value in values, each.name
    assert 0.002 in values
    assert datetime(2026, 11, 30, tzinfo=UTC).timestamp() in values
    assert len({(sample.name) for each in exposed(FULL).values() for sample in each.samples}) == len(values)


def test_a_figure_that_does_not_exist_is_left_out() -> None:
    gone = exposed(FULL).keys() - exposed(dataclasses.replace(FULL, cache=None, last_backup=None)).keys()
    assert gone == {
        "edda_cache_hits", "edda_cache_misses", "edda_cache_evictions", "edda_cache_entries", "edda_cache_size_bytes",
        "edda_last_backup_timestamp_seconds",
    }  # fmt: skip


def test_the_document_lists_every_name() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    for name, each in exposed(FULL).items():
        shown = f"{name}_total" if each.type == "counter" else name
        assert f"| `{shown}` | {each.type} | {each.documentation} |" in text
    assert text.count("| `edda_") == len(exposed(FULL)) + 1  # and whether the store could be read
