"""
Real processes in a line, with a slow cable at its end: what another device wrote passes a large change on its way there.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from edda_sync.words.model import Document, Task
from edda_sync.words.query import DocumentQuery
from tests.e2e import lan
from tests.e2e.lan import Lan
from tests.e2e.machine import Machine, are_equal, settle_in, store_of, until

RATE_KBIT = 1_500
SYLLABLES = 1_200_000  # of a document that hardly shrinks: eight parts, and over ten seconds on that cable


async def test_a_small_change_of_another_device_arrives_while_a_large_one_is_on_its_way(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    if reason := lan.wire_fault():
        pytest.skip(reason)
    with Lan(3) as places, ExitStack() as stack:
        phone, laptop, tablet = (
            stack.enter_context(Machine(tmp_path, name, place.enter))
            for name, place in zip(("phone", "laptop", "tablet"), places, strict=True)
        )
        settle_in(laptop, phone, tablet)
        stores = [stack.enter_context(store_of(each)) for each in (phone, laptop, tablet)]
        await laptop.up("--no-discovery")
        running = await laptop.status()
        assert running is not None
        at = f"{places[1].address}:{running['port']}"
        for each in (phone, tablet):
            await each.up("--no-discovery", "--at", at)  # so these two know each other by way of the laptop alone
        await until(lambda: are_equal([laptop, phone]))
        await until(lambda: are_equal([laptop, tablet]))
        places[0].spoil(rate_kbit=RATE_KBIT, delay_ms=5)
        places[2].spoil(way="in", rate_kbit=RATE_KBIT / 2)  # so that what it writes does not depend on the large one
        letters = random.Random(7).choices([chr(each) for each in range(0x4E00, 0x9000)], k=SYLLABLES)
        stores[1].create_document(Document(title="Large", content="".join(letters)))

        async def has_begun() -> bool:
            with stores[0].store.read() as reader:
                return any(each.parts for each in reader.incoming.all())

        await until(has_begun)
        began = time.monotonic()
        task = stores[2].create_task(Task(title="Small"))

        async def is_there() -> bool:
            return stores[0].get_task(task) is not None

        await until(is_there)
        took_s = time.monotonic() - began
        assert stores[0].query_documents(DocumentQuery()) == [], "the large one came later"
        for place in places:
            place.mend()
        await until(lambda: are_equal([laptop, phone]))
        record_property("took_s", round(took_s, 2))
        sys.stdout.write(f"it came after {took_s:.2f} s at {RATE_KBIT} kbit/s\n")
        for each in (phone, laptop, tablet):
            assert each.end_up()[0] == 0
