from __future__ import annotations

import msgspec
import pytest

from edda_sync.backup import keys as sealed_keys
from edda_sync.backup.keys import Keys, open_with, receiver_of, seal, sound
from edda_sync.backup.sealed import padded
from edda_sync.engine.engine import StorageEngine
from edda_sync.sealing.hpke import OVERHEAD_BYTES, seal_for
from edda_sync.testing import devices
from edda_sync.transport.identity import Identity
from edda_sync.words import limits
from edda_sync.words.errors import BackupError, BackupKeyError, DamagedBackupError, LimitError, NewerBackupError
from edda_sync.workspace import authority
from edda_sync.workspace import members as workspaces
from edda_sync.workspace.members import Ring

LAPTOP, PHONE = (Identity.from_private(bytes([number]) * 32) for number in (1, 2))
FOR_LAPTOP = LAPTOP.sealing_keys[0][1]
KEYS = Keys(b"w" * 16, ((b"1" * 32, b"a" * 32),), (b"p" * 16, 3, b"h" * 32), PHONE.public_key, 1_800_000_000_000)
HEAD = 26


def open_it(data: bytes, identity: Identity = LAPTOP) -> Keys:
    return open_with(identity, data, "The box")


GOLDEN = (
    "454444414b4559010020252f3def94d5a93e4eb6d18ec0f7418b71898071b70e53871f99223b3f62124a4d0c29d7c276e193"
    "c9528ce2ff801d71a0855a535a8999600bd9aca4d7d83e84d2a2c3f4b391c7e86bb655f907fffd3a3dab49cd41c6b2fb5cc2"
    "620815cda9ae6f6cc20f57e5ef6c370c540e57b673b65624ef6a72087372488b89e1753752ba9f060c576020bc4ee2ff1bc6"
    "b9e3af2c3fadd5b8b7f7dd98274533404c2c0238717ccca02a081dad4a2e08ec7803cdaf7a841eba7693e3fd6842a3999681"
    "600b8f57dcf00989578dd4cf39b9993b48a4863fffd9bf42b78983f291d38fb925b81503f7471676a1c3faf12ae795fcb653"
    "a721e841e8ee21cb295ff8f29b2afcb35dda99feda2843c8a142a5b13ccf86f8ebfcccc8b03a4c0cc7710b903fa8e8cc4033"
    "e1a4c39561d99bc381ee5a5d3e1438212a84868a02d6780d039d152c282ec5df66c0735eb7ce4a2968f90711c6d6"
)
"""What :data:`KEYS` was when the first version sealed it, by the phone for the laptop."""


def test_keys_that_the_first_version_sealed_open_in_every_version() -> None:
    data = bytes.fromhex(GOLDEN)
    assert data[:HEAD] == b"EDDAKEY\x01\x00\x20" + receiver_of(FOR_LAPTOP)
    assert open_it(data) == KEYS


def test_keys_open_for_their_receiver_and_nobody_else() -> None:
    data = seal(KEYS, FOR_LAPTOP, PHONE)
    assert open_it(data) == KEYS
    with pytest.raises(BackupKeyError, match="sealed for another device, or another recovery code"):
        open_it(data, PHONE)
    assert b"a" * 8 not in data


@pytest.mark.parametrize("count", [1, 2, 40])
def test_the_length_is_rounded_so_that_it_tells_little(count: int) -> None:
    size = len(seal(msgspec.structs.replace(KEYS, ring=KEYS.ring * count), FOR_LAPTOP, PHONE)) - HEAD - OVERHEAD_BYTES
    assert size == padded(size)


def test_flipped_bits_are_all_found() -> None:
    data = seal(KEYS, FOR_LAPTOP, PHONE)
    for bit in range(0, 8 * len(data), 7):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(BackupError):
            open_it(bytes(flipped))


def test_keys_that_are_cut_or_longer_are_found() -> None:
    data = seal(KEYS, FOR_LAPTOP, PHONE)
    for cut in (*(data[:size] for size in range(len(data))), data + b"\0"):
        with pytest.raises(DamagedBackupError):
            open_it(cut)
    with pytest.raises(DamagedBackupError, match="more than any keys have"):
        open_it(data + bytes(2 * limits.BACKUP_KEYS_BYTES_MAX))


def test_more_keys_than_fit_are_not_sealed() -> None:
    with pytest.raises(LimitError):
        seal(msgspec.structs.replace(KEYS, ring=KEYS.ring * 16_000), FOR_LAPTOP, PHONE)


@pytest.mark.parametrize(("at", "said"), [(7, "format 9"), (9, "suite 9")])
def test_keys_of_a_newer_version_say_to_update(at: int, said: str) -> None:
    data = bytearray(seal(KEYS, FOR_LAPTOP, PHONE))
    data[at] = 9
    with pytest.raises(NewerBackupError, match=said):
        open_it(bytes(data))


@pytest.mark.parametrize("number", [1, 2])
def test_what_keys_say_beyond_their_fields_is_ignored_or_understood_by_its_number(number: int) -> None:
    data = seal(msgspec.structs.replace(KEYS, ext=((number, b"more"),)), FOR_LAPTOP, PHONE)
    if number % 2 == 0:
        assert open_it(data).ring == KEYS.ring
    else:
        with pytest.raises(NewerBackupError):
            open_it(data)


def test_keys_that_somebody_sealed_in_anothers_name_are_refused() -> None:
    """Anybody can seal for a public key; so what is inside is signed, together with that key."""
    forged = msgspec.structs.replace(KEYS, maker=LAPTOP.public_key)
    said = msgspec.msgpack.encode(forged)
    for signature in (bytes(64), PHONE.sign(sealed_keys._signed(FOR_LAPTOP, said)), LAPTOP.sign(said), b""):
        inner = msgspec.msgpack.encode((said, signature))
        head = sealed_keys._HEAD.pack(b"EDDAKEY", 1, 0x20, receiver_of(FOR_LAPTOP))
        sealed = seal_for(FOR_LAPTOP, len(inner).to_bytes(4, "big") + inner, sealed_keys._about(head))
        with pytest.raises(DamagedBackupError, match="its maker did not sign it"):
            open_it(head + sealed)


@pytest.mark.parametrize("inner", [b"", b"\0\0\0\x09", b"\0\0\0\x02\xc0\xc0", b"\xff\xff\xff\xff" + bytes(40)])
def test_what_cannot_be_read_inside_is_damage(inner: bytes) -> None:
    head = sealed_keys._HEAD.pack(b"EDDAKEY", 1, 0x20, receiver_of(FOR_LAPTOP))
    with pytest.raises(DamagedBackupError, match="what is inside cannot be read"):
        open_it(head + seal_for(FOR_LAPTOP, inner, sealed_keys._about(head)))


# --- the log ----------------------------------------------------------------------------------------------------------


def keys_of(store: StorageEngine) -> Keys:
    with store.store.read() as reader:
        added = authority.added_by(reader, store.identity.public_key)
        assert added is not None
        return Keys(store.workspace, workspaces.ring(reader), added, store.identity.public_key, 0)


def test_the_log_says_which_keys_are_those_of_the_workspace() -> None:
    with devices(1) as (laptop,), devices(1) as (stranger,):
        keys = keys_of(laptop)
        (own,) = keys.ring
        later = (b"later" + bytes(27), b"k" * 32)
        lied = (own[0], b"other than it committed to......")
        with laptop.store.read() as reader:
            known: Ring
            for known in ((own,), (own, later), (lied, own)):
                assert sound(reader, laptop.workspace, known) == (own,)
            for known in ((lied,), (later,), keys_of(stranger).ring):
                with pytest.raises(DamagedBackupError, match="no key of the workspace in the backup"):
                    sound(reader, laptop.workspace, known)
            with pytest.raises(DamagedBackupError):
                sound(reader, stranger.workspace, keys.ring)
