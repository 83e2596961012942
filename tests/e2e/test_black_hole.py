"""
Real processes on a LAN where large packets vanish without a word: the link is lost once, and then edda sends smaller ones.
"""

from __future__ import annotations

import asyncio
import itertools
import random
import signal
import sys
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest

from edda_sync.words.model import Document
from tests.e2e import lan
from tests.e2e.lan import Lan
from tests.e2e.machine import Facts, Machine, are_equal, settle_in, store_of, until

HOLE_BYTES = 1_300  # longer frames vanish; 1,200 bytes of content with all headers are shorter
LARGE_BYTES = 300_000
SENTENCE = "Large packets do not get through to"


async def _peer_of(machine: Machine) -> Facts:
    said = await machine.status()
    assert said is not None
    (peer,) = said["peers"]
    return dict(peer)


async def test_large_packets_that_vanish_are_noticed_and_smaller_ones_sent_by_either_side(tmp_path: Path) -> None:
    # Two pairs at once, since each waits ten seconds for TCP: in one the sender dials, in the other it is called.
    if reason := lan.wire_fault():
        pytest.skip(reason)
    with Lan(4) as places, ExitStack() as stack:
        names = ("laptop", "phone", "desk", "tablet")
        machines = [
            stack.enter_context(Machine(tmp_path, name, place.enter)) for name, place in zip(names, places, strict=True)
        ]
        pairs = [machines[:2], machines[2:]]
        for couple in pairs:
            settle_in(*couple)
        running = dict(zip(names, await asyncio.gather(*(machine.up() for machine in machines)), strict=True))
        await asyncio.gather(*(until(partial(are_equal, couple)) for couple in pairs))
        for place in places[::2]:
            place.spoil(longest_bytes=HOLE_BYTES)

        async def get_through(couple: list[Machine], *, lower: bool) -> None:
            said = {str((await each.status() or {})["device"]): each for each in couple}
            sender = said[(min if lower else max)(said)]  # the lower id dials
            (receiver,) = (each for each in couple if each is not sender)
            with store_of(sender) as store:
                store.create_document(Document(title="Large", content=_words(LARGE_BYTES)))
            took_s = await until(lambda: are_equal(couple))
            peer = await _peer_of(sender)
            assert peer["note"].startswith(f"{SENTENCE} {receiver.name}, ")

            async def is_shown() -> bool:  # on a busy machine a device may not answer a command at once
                return peer["note"] in await asyncio.to_thread(sender.edda, "status")

            await until(is_shown)
            assert (await _peer_of(receiver))["note"] == "", "it has sent nothing large"
            with store_of(receiver) as store:  # what it sends now is small from the beginning
                store.create_document(Document(title="Back", content=_words(LARGE_BYTES)))
            back_s = await until(lambda: are_equal(couple))
            sys.stdout.write(f"through after {took_s:.1f} s, back after {back_s:.1f} s\n")
            for each, peer_name in ((sender, receiver.name), (receiver, sender.name)):
                process = running[each.name]
                process.send_signal(signal.SIGINT)
                said_there, complaints = await asyncio.to_thread(process.communicate)
                assert process.returncode == 0, complaints
                stalled = said_there.count(f"lost {peer_name} (what was sent did not arrive")
                assert stalled == (each is sender), f"one link stalled, and no other one did: {said_there}"
                if each is sender:  # the receiver loses the sender's last link as well, or ends before it notices
                    assert said_there.count(f"lost {peer_name}") == 1, said_there

        await asyncio.gather(*(get_through(each, lower=not number) for number, each in enumerate(pairs)))


def _words(size: int) -> str:
    letters = random.Random(7)
    return "".join(itertools.islice(iter(lambda: chr(letters.randrange(0x4E00, 0x9000)), ""), size // 3))
