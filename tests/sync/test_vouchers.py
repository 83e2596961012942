"""Vouchers: what was taken before its signature can be passed on, and nothing without a signature is believed."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes.chains import names_of
from edda_sync.changes.change import HASH_BYTES
from edda_sync.sync.messages import Changes
from edda_sync.sync.vouchers import beyond, voucher_of
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from tests.sync.batches import batches, dots, exchange_of, trace
from tests.sync.copies import add, copier, meet_all


def test_what_was_taken_ahead_of_its_signature_can_be_passed_on_though_the_rest_never_comes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The author signed the third change; its relay died after the first. A device with the first can still pass it on."""
    with devices(4) as (laptop, phone, tablet, desktop):
        known = desktop.frontier()
        for title in ("one", "two", "three"):
            laptop.create_task(edda.Task(title=title))
        exchange_of(phone).taking.take(batches(exchange_of(laptop), known)[0])
        monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1)
        first, *rest = batches(exchange_of(phone), known)
        assert rest
        assert first.heads[0].seq > dots(first)[-1][1]
        exchange_of(tablet).taking.take(first)
        passed_on = batches(exchange_of(tablet), known)
        assert [dot for message in passed_on for dot in dots(message)] == dots(first)
        exchange_of(desktop).taking.take(passed_on[0])
        assert [task.title for task in desktop.query_tasks(edda.TaskQuery())] == ["one"]
        exchange_of(desktop).taking.take(rest[0])  # and the way to the signature goes on from there
        assert len(batches(exchange_of(desktop), known)) == 2


def test_a_voucher_is_of_the_change_after_which_its_way_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    with devices(3, backend="memory") as (laptop, phone, tablet):
        known = tablet.frontier()
        for title in ("one", "two", "three"):
            laptop.create_task(edda.Task(title=title))
        sync(laptop, phone)
        monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 1)
        made = batches(exchange_of(phone), known)
        ((actor, seq),) = dots(made[0])
        exchange_of(tablet).taking.take(made[0])
        with tablet.store.read() as reader:
            found = voucher_of(reader, actor, seq)
            assert found is not None
            assert (found.seq, len(found.proof)) == (seq + 2, 2 * HASH_BYTES)
            assert voucher_of(reader, actor, seq + 1) is None
            assert voucher_of(reader, b"somebody unknown", seq) is None


@pytest.mark.parametrize("lie", ["signature", "seq", "actor", "proof", "none", "two"])
def test_a_batch_that_its_signature_does_not_reach_is_refused_and_leaves_no_trace(lie: str) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        for title in ("one", "two", "three"):
            laptop.create_task(edda.Task(title=title))
        (message,) = batches(exchange_of(laptop), phone.frontier())
        (head,) = message.heads
        heads = {
            "signature": (msgspec.structs.replace(head, signature=bytes(64)),),
            "seq": (msgspec.structs.replace(head, seq=head.seq + 1),),
            "actor": (msgspec.structs.replace(head, actor=b"x" * 16),),
            "proof": (msgspec.structs.replace(head, seq=head.seq + 1, proof=bytes(32)),),
            "none": (),
            "two": (msgspec.structs.replace(head, signature=bytes(64)), msgspec.structs.replace(head, seq=1)),
        }[lie]
        before = trace(phone)
        with pytest.raises(RemoteProtocolError):
            exchange_of(phone).taking.take(Changes(message.changes, heads))
        assert trace(phone) == before
        assert exchange_of(phone).taking.take(Changes(message.changes, (*heads, head))).applied == 3, "one is enough"


@pytest.mark.parametrize("backend", ["memory", "sqlite"])
def test_a_signature_on_a_branch_vouches_for_what_is_below_it(backend: str, tmp_path: Path) -> None:
    """A fork that is learned later cuts a chain below its last signature."""
    with devices(4, backend=backend) as (laptop, phone, tablet, desktop), copier(tmp_path) as copy:
        add("one")(laptop)
        with laptop.store.read() as reader:
            ((name, head),) = reader.log.heads().items()
        twin = copy(laptop)
        add("two")(laptop)
        add("another two")(twin)
        sync(laptop, phone)
        sync(twin, tablet)
        sync(phone, tablet)
        with phone.store.read() as reader:
            assert reader.signatures.next(name, head.seq) is None, "nobody signed the trunk by itself"
            found = beyond(reader, names_of(reader), name, head.seq)
        assert found is not None
        assert found.signed.seq == head.seq + 1
        sync(phone, desktop)
        meet_all([laptop, twin, phone, tablet, desktop])
