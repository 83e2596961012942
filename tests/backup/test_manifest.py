"""Manifests as bytes: golden, read whole or refused, with room to grow."""

from __future__ import annotations

import msgspec
import pytest

from edda_sync.backup import manifest as manifests
from edda_sync.backup.manifest import PACKED, Included, Manifest, Ref, ext_of
from edda_sync.words.errors import DamagedBackupError

MANIFEST = Manifest(
    b"w" * 16,
    "device",
    7,
    1_700_000_000_000,
    ((b"a" * 16, 3, b"h" * 16),),
    b"c" * 16,
    2,
    1,
    3,
    (Ref(b"r" * 32, 900), Ref(b"s" * 32, 100)),
    (Ref(b"p" * 32, 50),),
    4,
    5,
    100,
    (Included("phone", "Phone", 2, 1_600_000_000_000, False), Included("tablet", "Tablet", 0, 1_700_000_000_000, True)),
)
GOLDEN = (
    "dc0010c41077777777777777777777777777777777a664657669636507cf0000018bcfe568009193c41061616161616161616161616161"
    "61616103c41068686868686868686868686868686868c410636363636363636363636363636363630201039292c4207272727272727272"
    "727272727272727272727272727272727272727272727272cd038492c42073737373737373737373737373737373737373737373737373"
    "73737373737373649192c4207070707070707070707070707070707070707070707070707070707070707070320405649295a570686f6e"
    "65a550686f6e6502cf00000174876e8000c295a67461626c6574a65461626c657400cf0000018bcfe56800c390"
)


def test_its_bytes_stay_as_they_are() -> None:
    assert manifests.encode(MANIFEST).hex() == GOLDEN
    assert manifests.decode(bytes.fromhex(GOLDEN), "It") == MANIFEST


def test_it_tells_who_is_outstanding_and_how_large_it_is() -> None:
    assert [each.device for each in MANIFEST.outstanding] == ["phone"]
    assert MANIFEST.total_bytes == 1_050
    assert MANIFEST.objects == MANIFEST.runs + MANIFEST.packs


def test_the_packs_of_an_index_count_and_a_malformed_size_is_damage() -> None:
    sized = msgspec.structs.replace(MANIFEST, ext=ext_of(None, encrypted=False, packed=[4_000]))
    assert manifests.decode(manifests.encode(sized), "It").total_bytes == 5_050
    assert ext_of(None, encrypted=False) == ()
    for sizes in (b"", msgspec.msgpack.encode([-1]), msgspec.msgpack.encode(["many"])):
        malformed = msgspec.structs.replace(MANIFEST, ext=((PACKED, sizes),))
        with pytest.raises(DamagedBackupError, match="attached files"):
            manifests.decode(manifests.encode(malformed), "It")


def test_a_cut_or_malformed_one_is_damage() -> None:
    encoded = manifests.encode(MANIFEST)
    for end in range(len(encoded)):
        with pytest.raises(DamagedBackupError):
            manifests.decode(encoded[:end], "It")
    for field, value in (("number", 0), ("made_ms", -1), ("workspace", b"short"), ("device", 5)):
        with pytest.raises(DamagedBackupError):
            manifests.decode(manifests.encode(msgspec.structs.replace(MANIFEST, **{field: value})), "It")


def test_what_may_be_ignored_is_and_what_must_be_understood_is_refused() -> None:
    more = msgspec.structs.replace(MANIFEST, ext=((2, b"more"),))
    assert manifests.decode(manifests.encode(more), "It") == more
    for ext in (((3, b"more"),), ((4, b""), (2, b""))):
        with pytest.raises(DamagedBackupError, match="newer version"):
            manifests.decode(manifests.encode(msgspec.structs.replace(MANIFEST, ext=ext)), "It")
