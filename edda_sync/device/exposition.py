"""
The figures of a running device for Prometheus, over HTTP. ``edda up --metrics`` serves them.

They are gathered when somebody asks for them, so nothing that the device does meanwhile costs more. They are numbers only:
no title, name or id is among them.

Source: Prometheus text exposition format, version 1.0.0; names as in https://prometheus.io/docs/practices/naming.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Final, Protocol

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.registry import Collector

from edda_sync.words import limits
from edda_sync.words.addresses import host_port
from edda_sync.words.errors import EddaError, UsageError
from edda_sync.words.metrics import FilesMetrics, StorageMetrics

PATH: Final = "/metrics"


class Measured(Protocol):
    """The part of a running device that is used here; see :class:`~edda_sync.device.device.Device`."""

    async def metrics(self) -> StorageMetrics:
        """Return the figures."""
        ...


@contextlib.asynccontextmanager
async def serve(device: Measured, host: str, port: int) -> AsyncIterator[str]:
    """
    Serve the figures of a device for as long as the context lasts.

    Args:
        device: The device; it runs on this event loop.
        host: The address to listen on, or its name.
        port: TCP port; 0 for any.

    Yields:
        The URL.

    Raises:
        UsageError: Nothing can listen there.
    """
    loop = asyncio.get_running_loop()

    def gather() -> StorageMetrics:
        asked = asyncio.run_coroutine_threadsafe(device.metrics(), loop)
        try:
            return asked.result(limits.METRICS_S_MAX)
        finally:
            asked.cancel()

    registry = CollectorRegistry()
    registry.register(Figures(gather))
    try:
        server, thread = await asyncio.to_thread(start_http_server, port, host, registry)
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(
            f"Nothing can listen on {host_port(host, port)} ({why}): choose another address for --metrics."
        ) from None
    handler = server.RequestHandlerClass
    assert isinstance(handler, type), "wsgiref makes requests by a class"
    # Who connects and says nothing is not waited for without end.
    server.RequestHandlerClass = type(handler.__name__, (handler,), {"timeout": limits.METRICS_S_MAX})

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    try:
        yield f"http://{host_port(host, server.server_port)}{PATH}"
    finally:
        await asyncio.to_thread(stop)  # beside the loop: an answer may be waiting for it


class Figures(Collector):
    """
    Gathers figures whenever they are asked for.

    Args:
        gather: Returns them; called on the thread of each request.
    """

    def __init__(self, gather: Callable[[], StorageMetrics]) -> None:
        self._gather = gather

    def collect(self) -> Iterator[Metric]:
        """Yield the figures, or only that they cannot be had now."""
        try:
            found = self._gather()
        except (EddaError, TimeoutError):  # the device tells a person, and is asked again soon
            yield _gauge("store_readable", "Whether the store could be read for these figures.", 0)
            return
        yield _gauge("store_readable", "Whether the store could be read for these figures.", 1)
        yield from families(found)


def families(found: StorageMetrics) -> Iterator[Metric]:
    """Yield figures as Prometheus has them: counters only grow, and sizes and times are in bytes and seconds."""
    yield _gauge(
        "database_size_bytes",
        "Size of the database, its journal, RocksDB folder and attached files.",
        found.database_size,
    )
    yield _gauge("tasks", "Tasks, without the trash.", found.task_count)
    yield _gauge("documents", "Documents, without the trash.", found.document_count)
    yield _counter("transactions", "Transactions in the log, of all devices.", found.transaction_count)
    seconds = found.avg_query_time.total_seconds()
    yield SummaryMetricFamily(
        "edda_query_seconds", "How long queries took.", found.query_count, found.query_count * seconds
    )
    yield _gauge("query_average_seconds", "How long a query took on average.", seconds)
    yield _gauge("backups", "Backups that are kept.", found.backup_count)
    if found.last_backup is not None:
        yield _gauge("last_backup_timestamp_seconds", "When the last backup was taken.", found.last_backup.timestamp())
    yield from _cache(found)
    sync = found.sync
    yield _gauge("peers", "Other devices of the workspace.", sync.peers)
    yield _gauge("peers_connected", "Other devices with a link.", sync.peers_connected)
    yield _gauge("peers_equal", "Other devices that are proved equal.", sync.peers_equal)
    yield _counter("changes_sent", "Changes that peers were sent.", sync.changes_sent)
    yield _counter("changes_received", "Changes of peers that were applied.", sync.changes_received)
    yield _counter("sent_bytes", "What was sent over links, as frames.", sync.bytes_sent)
    yield _counter("received_bytes", "What came over links, as frames.", sync.bytes_received)
    yield _gauge("waiting_operations", "Operations that only a newer version can apply.", sync.waiting)
    yield _gauge("refused_operations", "Operations that are refused for good.", sync.refused)
    yield from _files(found.files)


def _files(files: FilesMetrics) -> Iterator[Metric]:
    yield _gauge("files_attached", "Attached files, equal ones once.", files.attached)
    yield _gauge("files_attached_bytes", "Their size.", files.attached_bytes)
    yield _gauge("files_here", "Attached files that are complete on this device.", files.here)
    yield _gauge("files_here_bytes", "Size of those that are complete on this device.", files.here_bytes)
    yield _gauge("files_missing", "Attached files that are not complete on this device.", files.missing)
    yield _gauge("files_missing_bytes", "Size of those that are not complete on this device.", files.missing_bytes)
    yield _counter("files_fetched_bytes", "Content of files that came from other devices.", files.bytes_fetched)
    yield _counter("files_given_bytes", "Content of files that other devices were given.", files.bytes_given)
    yield _counter("files_refused_parts", "Parts of files that were not what they are called.", files.refused)
    yield _counter("files_mended", "Damaged files that are complete again.", files.mended)


def _cache(found: StorageMetrics) -> Iterator[Metric]:
    yield _gauge("cache_hit_ratio", "The part of the reads that the cache answered.", found.cache_hit_rate)
    if found.cache is not None:
        yield _counter("cache_hits", "Reads that the cache answered.", found.cache.hits)
        yield _counter("cache_misses", "Reads that the cache could not answer.", found.cache.misses)
        yield _counter("cache_evictions", "Entries that the cache dropped.", found.cache.evictions)
        yield _gauge("cache_entries", "Entries in the cache.", found.cache.entries)
        yield _gauge("cache_size_bytes", "Size of the entries in the cache.", found.cache.size)


def _gauge(name: str, about: str, value: float) -> Metric:
    return GaugeMetricFamily(f"edda_{name}", about, value)


def _counter(name: str, about: str, value: float) -> Metric:
    return CounterMetricFamily(f"edda_{name}", about, value)
