from __future__ import annotations

import random
from hashlib import blake2b

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.backup import sealed
from edda_sync.backup.sealed import OBJECT_BYTES_MAX, Kind, Objects, Sealed, name_of, padded
from edda_sync.sealing.kdf import purpose_key
from edda_sync.words import limits
from edda_sync.words.config import EncryptionAlgorithm
from edda_sync.words.errors import BackupError, BackupKeyError, DamagedBackupError, LimitError, NewerBackupError

AES, CHACHA, XCHACHA = EncryptionAlgorithm
FIRST = (b"1" * 32, b"a" * 32)
SECOND = (b"2" * 32, b"b" * 32)
HEAD, SALT, COMMITMENT = 43, 32, 32
WORDS = b"buy milk, " * 40


def objects(algorithm: EncryptionAlgorithm = AES, *, compresses: bool = True) -> Objects:
    return Objects((FIRST,), algorithm, compresses=compresses, random=bytes)


def renamed(data: bytes) -> Sealed:
    """What somebody may put at the target who can write there: any bytes, under the name that is theirs."""
    return Sealed(name_of(data), data)


# --- the format -------------------------------------------------------------------------------------------------------

GOLDEN = {
    AES: (
        "454444414f424a01013131313131313131313131313131313131313131313131313131313131313131000000000000000000"
        "0000000000000000000000000000000000000000000000000016548275640dd2d5defff672af6d4577c462316b95a096e08f"
        "c767e43788a11f69117835cc24d766617bad68fbea93e6e5ba04a849d628c7154c1d45d649d0a9067cf128229bc24dc17e9b"
        "08df703f23c7ba0925f311fe6100274b29ce16ece4"
    ),
    CHACHA: (
        "454444414f424a01023131313131313131313131313131313131313131313131313131313131313131000000000000000000"
        "000000000000000000000000000000000000000000000000004d1ee174128169b322d48020b3a16e78d2ab35e208da60d6fe"
        "ea70e392f9e4afce9e7d6d4cb62e3e990f09ec6558b2a03cbbc8afa90322c919c5d96635b461f3126e7cb7918d54e7d99c01"
        "601d0bc0bf8693f8a8aa70a434efc54595558c72fd"
    ),
    XCHACHA: (
        "454444414f424a01033131313131313131313131313131313131313131313131313131313131313131000000000000000000"
        "00000000000000000000000000000000000000000000000000a9bfbf00d4d18705a118cd2da85946a0a042b687a664618da5"
        "855fc9f6361c7b9cea57839452e7b651a4e075f78ccb0d1c24f4b6ac34e765c2f3213726df6cb4163512784871df56541019"
        "2c9e77c45516668816823616124346ffc4e456c322"
    ),
}


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_an_object_has_the_same_bytes_in_every_version(algorithm: EncryptionAlgorithm) -> None:
    name, data = objects(algorithm, compresses=False).seal(Kind.MANIFEST, b"plain")
    assert data.hex() == GOLDEN[algorithm]
    assert data[:HEAD] == b"EDDAOBJ" + bytes((1, [AES, CHACHA, XCHACHA].index(algorithm) + 1)) + FIRST[0] + b"\0\0"
    assert data[HEAD : HEAD + SALT] == bytes(SALT)
    assert name == blake2b(data, digest_size=32).hexdigest()
    assert objects(XCHACHA).open(name, data, Kind.MANIFEST) == b"plain"


def test_the_bytes_inside_are_as_the_protocol_says(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[bytes] = []
    inside = sealed._inside

    def noted(inner: bytes, kind: Kind, what: str) -> bytes:
        opened.append(inner)
        return inside(inner, kind, what)

    monkeypatch.setattr(sealed, "_inside", noted)
    for compresses in (False, True):
        made = objects(compresses=compresses).seal(Kind.PACK, WORDS)
        assert objects().open(*made, Kind.PACK) == WORDS
    plain, compressed = opened
    commitment = blake2b(b"\x02" + WORDS, digest_size=32, person=b"edda-object").digest()
    assert plain == b"\x02\x00" + bytes((0, 0, 1, 144)) * 2 + commitment + WORDS + bytes(padded(442) - 442)
    assert compressed[:10] == b"\x02\x01" + bytes((0, 0, 1, 144, 0, 0, 0, compressed[9]))
    assert len(compressed) == padded(42 + compressed[9]) < 100


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
@given(plain=st.binary(max_size=3_000), kind=st.sampled_from(Kind), compresses=st.booleans())
def test_what_is_sealed_is_opened(algorithm: EncryptionAlgorithm, plain: bytes, kind: Kind, compresses: bool) -> None:
    made = Objects((FIRST, SECOND), algorithm, compresses=compresses).seal(kind, plain)
    assert Objects((FIRST, SECOND)).open(*made, kind) == plain
    assert len(plain) < 8 or plain not in made.data


def test_the_same_bytes_sealed_twice_are_two_objects_of_one_length() -> None:
    made = Objects((FIRST,))
    one, other = made.seal(Kind.RUN, WORDS), made.seal(Kind.RUN, WORDS)
    assert one.name != other.name
    assert one.data[HEAD:] != other.data[HEAD:]
    assert len(one.data) == len(other.data)


# --- lengths ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 2**40))
def test_a_length_is_rounded_up_by_at_most_twelve_percent_and_stays_so(size: int) -> None:
    assert size <= padded(size) <= size * 1.12
    assert padded(padded(size)) == padded(size)


def test_lengths_between_two_steps_cannot_be_told_apart() -> None:
    steps = {1: 1, 8: 8, 9: 10, 41: 44, 42: 44, 1_000: 1_024, 1_025: 1_088, 1_000_000: 1_015_808}
    assert {size: padded(size) for size in steps} == steps
    assert len({padded(size) for size in range(524_289, 1_048_577, 64)}) == 32
    made = objects(compresses=False)
    assert len({len(made.seal(Kind.RUN, bytes(size)).data) for size in range(10_000, 10_100)}) == 1


def test_the_largest_object_opens_and_a_larger_one_is_not_made() -> None:
    made = objects(compresses=False).seal(Kind.PACK, bytes(limits.BACKUP_OBJECT_BYTES_MAX))
    assert len(made.data) <= OBJECT_BYTES_MAX - limits.BACKUP_ROOM_BYTES_MAX
    assert len(objects().open(*made, Kind.PACK)) == limits.BACKUP_OBJECT_BYTES_MAX
    with pytest.raises(LimitError):
        objects().seal(Kind.PACK, bytes(limits.BACKUP_OBJECT_BYTES_MAX + 1))
    with pytest.raises(DamagedBackupError, match="more than any object"):
        objects().open(*renamed(bytes(OBJECT_BYTES_MAX + 1)), Kind.PACK)


# --- damage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_two_thousand_flipped_bits_are_all_found(algorithm: EncryptionAlgorithm) -> None:
    chance = random.Random(13)
    made = objects(algorithm).seal(Kind.RUN, chance.randbytes(200))
    for bit in chance.sample(range(8 * len(made.data)), 2_000):
        flipped = bytearray(made.data)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises(DamagedBackupError, match="not those that its name says"):
            objects().open(made.name, bytes(flipped), Kind.RUN)
        with pytest.raises(BackupError):  # by somebody who also gives it the right name
            objects().open(*renamed(bytes(flipped)), Kind.RUN)


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_an_object_that_is_cut_or_longer_is_found(algorithm: EncryptionAlgorithm) -> None:
    made = objects(algorithm).seal(Kind.RUN, WORDS)
    for data in (*(made.data[:size] for size in range(len(made.data))), made.data + b"\0"):
        with pytest.raises(DamagedBackupError):
            objects().open(made.name, data, Kind.RUN)
        with pytest.raises(DamagedBackupError):
            objects().open(*renamed(data), Kind.RUN)


def test_no_object_takes_the_place_of_another() -> None:
    made, other = (objects().seal(Kind.RUN, plain) for plain in (b"one", b"other"))
    with pytest.raises(DamagedBackupError, match="not those that its name says"):
        objects().open(made.name, other.data, Kind.RUN)
    with pytest.raises(DamagedBackupError, match=r"something else \(kind 1\) than a manifest"):
        objects().open(*made, Kind.MANIFEST)


def test_parts_of_two_objects_are_no_object() -> None:
    made, other = (Objects((FIRST,)).seal(Kind.RUN, WORDS).data for _ in range(2))
    for at in (HEAD + 1, HEAD + SALT, HEAD + SALT + COMMITMENT, len(made) - 16):
        with pytest.raises(DamagedBackupError):
            objects().open(*renamed(made[:at] + other[at:]), Kind.RUN)


@pytest.mark.parametrize("data", [b"", b"EDDAOBJ", b"EDDASEG\x02" + bytes(400), bytes(400)])
def test_what_is_no_object_is_not_taken_for_one(data: bytes) -> None:
    with pytest.raises(DamagedBackupError, match="no object of a backup"):
        objects().open(*renamed(data), Kind.RUN)


# --- keys -------------------------------------------------------------------------------------------------------------


def test_objects_of_an_old_epoch_open_after_the_key_was_replaced() -> None:
    old, rotated = objects().seal(Kind.RUN, b"old"), Objects((FIRST, SECOND))
    new = rotated.seal(Kind.RUN, b"new")
    assert new.data[9:41] == SECOND[0]
    assert [rotated.open(*each, Kind.RUN) for each in (old, new)] == [b"old", b"new"]
    with pytest.raises(BackupKeyError, match=r"workspace key 323232323232, which this device does not know: sync with"):
        objects().open(*new, Kind.RUN)


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_an_object_opens_under_one_key_only(algorithm: EncryptionAlgorithm) -> None:
    """The commitment ends it before the cipher is asked, which alone would not exclude a second key."""
    made = objects(algorithm).seal(Kind.RUN, b"plain")
    with pytest.raises(DamagedBackupError, match="not sealed under the key that it names"):
        Objects(((FIRST[0], SECOND[1]),)).open(*made, Kind.RUN)


def test_the_key_of_a_purpose_seals_and_not_the_ring_itself() -> None:
    made = objects(CHACHA).seal(Kind.RUN, b"plain")
    assert purpose_key(FIRST[1], "backup objects") != FIRST[1]
    assert made != Objects(((FIRST[0], purpose_key(FIRST[1], "other")),), CHACHA, random=bytes).seal(Kind.RUN, b"plain")


# --- newer versions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("at", "version"), [(7, "format 9"), (8, "cipher 9")])
def test_what_a_newer_version_wrote_says_to_update(at: int, version: str) -> None:
    data = bytearray(objects().seal(Kind.RUN, b"plain").data)
    data[at] = 9
    with pytest.raises(NewerBackupError, match=rf"newer edda-sync \({version}\): update"):
        objects().open(*renamed(bytes(data)), Kind.RUN)


def said(number: int, monkeypatch: pytest.MonkeyPatch) -> Sealed:
    """An object by a version that says more in the head."""
    ext = msgspec.msgpack.encode([[number, b"more"]])

    class Longer:
        size = sealed._HEAD.size

        @staticmethod
        def pack(*fields: object) -> bytes:
            return HEAD_OF.pack(*fields[:-1], len(ext)) + ext

    with monkeypatch.context() as patched:
        patched.setattr(sealed, "_HEAD", Longer)
        return objects().seal(Kind.RUN, b"plain")


HEAD_OF = sealed._HEAD


def test_what_the_head_says_beyond_its_fields_is_ignored_or_understood_by_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert objects().open(*said(2, monkeypatch), Kind.RUN) == b"plain"
    with pytest.raises(NewerBackupError, match="more than this version knows"):
        objects().open(*said(1, monkeypatch), Kind.RUN)


# --- somebody who has the ring and lies -------------------------------------------------------------------------------


def lied(monkeypatch: pytest.MonkeyPatch, codec: int, size: int, held: bytes, said: int | None = None) -> Sealed:
    """An object by a member of the workspace, who may write anything inside."""

    class Liar:
        size = sealed._INNER.size

        @staticmethod
        def pack(kind: int, _codec: int, _size: int, _held: int, digest: bytes) -> bytes:
            return INNER_OF.pack(kind, codec, size, len(held) if said is None else said, digest)

    with monkeypatch.context() as patched:
        patched.setattr(sealed, "_INNER", Liar)
        return objects(compresses=False).seal(Kind.RUN, held)


INNER_OF = sealed._INNER


def test_sizes_are_checked_before_memory_is_set_aside(monkeypatch: pytest.MonkeyPatch) -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(2**26))
    assert len(bomb) < 10_000
    for size in (2**26, limits.BACKUP_OBJECT_BYTES_MAX, 5_000):
        with pytest.raises(DamagedBackupError, match="its sizes do not fit"):
            objects().open(*lied(monkeypatch, 1, size, bomb), Kind.RUN)


@pytest.mark.parametrize(
    ("codec", "size", "held", "said"),
    [
        (0, 6, b"plain", None),  # shorter than it says
        (0, 4, b"plain", 4),  # with something in the padding
        (0, 400, b"plain", 400),  # beyond the end
        (1, 5, b"plain", None),  # compressed to the same length
        (1, 9, b"plain", None),  # not compressed at all
        (1, 400, zstandard.ZstdCompressor().compress(WORDS) + b"more", None),
        (1, 400, zstandard.ZstdCompressor().compress(WORDS), None),  # other bytes than it commits to
    ],
)
def test_an_object_that_is_not_as_it_says_inside_is_refused(
    codec: int, size: int, held: bytes, said: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(DamagedBackupError):
        objects().open(*lied(monkeypatch, codec, size, held, said), Kind.RUN)


def test_an_unknown_compression_says_to_update(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NewerBackupError, match="compression 7"):
        objects().open(*lied(monkeypatch, 7, 5, b"plain"), Kind.RUN)
