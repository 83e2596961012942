"""Closings: signed by the life's own device, with the same bytes everywhere, and never with too few fields."""

from __future__ import annotations

import msgspec
import pytest

from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth
from edda_sync.crdt.operation import Put
from edda_sync.store.seams import StoreWriter
from edda_sync.transport.identity import verify
from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.workspace import closing
from edda_sync.workspace.closing import Closing
from tests.crdt.authors import LAPTOP, PHONE, founded

WORKSPACE = b"w" * 16
BIRTH = changes.encode_birth(Birth(LAPTOP.public_key, b"n" * 16))
ACTOR = changes.actor_of(BIRTH)
SIGNED = LAPTOP.sign(closing.signed_message(WORKSPACE, ACTOR, 7, b"h" * 32))
SOUND = Closing(BIRTH, 7, b"h" * 32, SIGNED)


def test_a_closing_and_its_signed_message_have_their_published_bytes() -> None:
    made = Closing(b"birth", 7, b"h" * 32, b"s" * 64)
    encoded = "95" + "c4056269727468" + "07" + "c420" + "68" * 32 + "c440" + "73" * 64 + "90"
    assert closing.encode(made).hex() == encoded
    assert closing.decode(bytes.fromhex(encoded)) == made
    message = closing.signed_message(b"w" * 16, b"a" * 16, 7, b"h" * 32)
    assert message == b"edda closing 1" + b"w" * 16 + b"a" * 16 + bytes(7) + b"\x07" + b"h" * 32


def test_a_closing_signed_by_its_device_is_valid_and_names_the_life() -> None:
    closing.check(SOUND, WORKSPACE, verify)
    assert SOUND.actor == ACTOR
    assert closing.decode(closing.encode(SOUND)) == SOUND


@pytest.mark.parametrize(
    "changed",
    [
        {"seq": 8},
        {"hash": bytes(32)},
        {"signature": bytes(64)},
        {"signature": PHONE.sign(closing.signed_message(WORKSPACE, ACTOR, 7, b"h" * 32))},
        {"signature": LAPTOP.sign(changes.signed_message(WORKSPACE, ACTOR, 7, b"h" * 32))},  # as a head
        {"birth": changes.encode_birth(Birth(LAPTOP.public_key, b"m" * 16))},  # another life of the device
        {"birth": changes.encode_birth(Birth(PHONE.public_key, b"n" * 16))},
        {"birth": b"none"},
    ],
)
def test_a_closing_that_says_anything_else_is_refused(changed: dict[str, object]) -> None:
    with pytest.raises(RemoteProtocolError):
        closing.check(msgspec.structs.replace(SOUND, **changed), WORKSPACE, verify)


def test_a_closing_has_a_maximal_length_since_everybody_keeps_and_passes_it_on() -> None:
    def with_room(size: int) -> bytes:
        return closing.encode(msgspec.structs.replace(SOUND, ext=((2, bytes(size)),)))

    most = closing.CLOSING_BYTES_MAX - len(with_room(300)) + 300  # the length's own bytes counted
    assert len(with_room(most)) == closing.CLOSING_BYTES_MAX
    closing.decode(with_room(most))
    with pytest.raises(RemoteProtocolError):
        closing.decode(with_room(most + 1))
    assert limits.BIRTH_BYTES_MAX + len(closing.encode(SOUND)) <= closing.CLOSING_BYTES_MAX


def test_a_closing_has_one_encoding() -> None:
    encoded = closing.encode(SOUND)
    with pytest.raises(RemoteProtocolError):
        closing.decode(encoded.replace(b"\x07\xc4\x20", b"\xcc\x07\xc4\x20"))


def test_a_closing_is_valid_only_in_its_workspace() -> None:
    with pytest.raises(RemoteProtocolError):
        closing.check(SOUND, b"x" * 16, verify)


def test_what_a_later_version_adds_is_kept_and_does_not_change_the_verdict() -> None:
    later = msgspec.structs.replace(SOUND, ext=((2, b"even"), (3, b"odd")))
    assert closing.decode(closing.encode(later)) == later
    closing.check(later, WORKSPACE, verify)
    assert closing.name_of(later) == closing.name_of(SOUND)


@pytest.mark.parametrize(
    "fields",
    [
        [],
        [BIRTH, 0, b"h" * 32, SIGNED, []],
        [BIRTH, 1 << 48, b"h" * 32, SIGNED, []],
        [BIRTH, 7.0, b"h" * 32, SIGNED, []],
        [BIRTH, 7, b"h" * 31, SIGNED, []],
        [BIRTH, 7, b"h" * 32, SIGNED[:-1], []],
        [BIRTH, 7, b"h" * 32, SIGNED, [[3, b""], [2, b""]]],
        [BIRTH, 7, b"h" * 32, SIGNED, [[2, b""], [2, b""]]],
        {"birth": BIRTH},
    ],
)
def test_an_invalid_closing_is_refused(fields: object) -> None:
    with pytest.raises(RemoteProtocolError):
        closing.decode(msgspec.msgpack.encode(fields))


def test_each_life_and_change_has_one_name() -> None:
    other_head = msgspec.structs.replace(SOUND, hash=bytes(32))
    later = msgspec.structs.replace(SOUND, seq=8)
    elsewhere = msgspec.structs.replace(SOUND, birth=changes.encode_birth(Birth(LAPTOP.public_key, b"m" * 16)))
    assert len({closing.name_of(each) for each in (SOUND, other_head, later, elsewhere)}) == 4
    assert len(closing.name_of(SOUND)) == 32


def test_a_closing_of_a_missing_change_is_forgotten_and_one_of_a_present_change_stays() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(Put("task", bytes(16), {"title": "t"})))
    here = Closing(changes.encode_birth(laptop.birth), laptop.seq, laptop.hash, bytes(64))
    gone = Closing(changes.encode_birth(Birth(PHONE.public_key, b"n" * 16)), 3, b"h" * 32, bytes(64))

    def work(tx: StoreWriter) -> None:
        assert closing.keep(tx, here)
        assert closing.keep(tx, gone)
        closing.drop_gone(tx)
        assert closing.held(tx) == [here]
        assert closing.of(tx, here.actor) == here
        assert closing.of(tx, gone.actor) is None
        assert closing.keep(tx, gone), "it may come back"

    peer.store.transact(work)
