"""Images as bytes: golden, signed, read whole or refused; and when a new one is due."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest

from edda_sync.backup import image as images
from edda_sync.backup.image import PAGES_BYTES, Image
from edda_sync.backup.manifest import Ref
from edda_sync.backup.repository import Repository
from edda_sync.backup.sealed import Kind
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.sqlite import schema
from edda_sync.testing import devices
from edda_sync.transport.identity import verify
from edda_sync.words import limits
from edda_sync.words.errors import DamagedBackupError, NoObjectError
from tests.backup.places import Place, repository_of

IMAGE = Image(
    b"w" * 16, b"k" * 32, 4, PAGES_BYTES + 1, 7, 9, ((b"a" * 16, 3, b"h" * 16),), (Ref(b"p" * 32, 900), Ref(b"q" * 32, 50)),
    b"s" * 64,
)  # fmt: skip
GOLDEN = (
    "9ac41077777777777777777777777777777777c4206b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b6b04ce0040"
    "000107099193c4106161616161616161616161616161616103c410686868686868686868686868686868689292c42070707070707070707070"
    "70707070707070707070707070707070707070707070cd038492c4207171717171717171717171717171717171717171717171717171717171"
    "71717132c440737373737373737373737373737373737373737373737373737373737373737373737373737373737373737373737373737373"
    "7373737373737373737373737390"
)


@pytest.fixture(scope="module")
def laptop() -> Iterator[StorageEngine]:
    with devices(1, backend="memory") as (engine,):
        yield engine


@pytest.fixture
def repository(laptop: StorageEngine) -> Repository:
    return repository_of(laptop, Place())


def signed_by(engine: StorageEngine, **fields: object) -> Image:
    """An image of a device, with other values in some fields before it is signed."""
    own = {"workspace": engine.workspace, "maker": engine.identity.public_key, "schema": schema.VERSION}
    image = msgspec.structs.replace(IMAGE, **(own | fields))
    return msgspec.structs.replace(image, signature=engine.identity.sign(images.signed(image)))


def test_its_bytes_stay_as_they_are(repository: Repository) -> None:
    assert images.encode(IMAGE).hex() == GOLDEN
    assert images.read(repository, repository.put(Kind.IMAGE, bytes.fromhex(GOLDEN))) == IMAGE


def test_a_malformed_one_or_one_of_other_sizes_is_damage(repository: Repository) -> None:
    few = images.encode(msgspec.structs.replace(IMAGE, pages=IMAGE.pages[:1]))
    for data in (bytes.fromhex(GOLDEN)[:-1], b"", few):
        with pytest.raises(DamagedBackupError):
            images.read(repository, repository.put(Kind.IMAGE, data))
    with pytest.raises(NoObjectError):
        images.read(repository, Ref(b"x" * 32, 1))


def test_only_its_maker_takes_it_and_only_as_it_was_signed(laptop: StorageEngine) -> None:
    key = laptop.identity.public_key

    def is_taken(image: Image) -> bool:
        return images.is_own(image, laptop.workspace, key, verify)

    image = signed_by(laptop)
    assert is_taken(image)
    with devices(1, backend="memory") as (other,):
        forged = msgspec.structs.replace(image, signature=other.identity.sign(images.signed(image)))
        assert not is_taken(forged)
        assert not is_taken(signed_by(other, workspace=laptop.workspace))
        assert not images.is_own(image, laptop.workspace, other.identity.public_key, verify)
    assert not is_taken(msgspec.structs.replace(image, pages=image.pages[::-1]))
    assert not is_taken(signed_by(laptop, workspace=b"x" * 16))


def test_one_that_only_a_newer_version_can_read_is_passed_over(laptop: StorageEngine) -> None:
    key = laptop.identity.public_key
    for fields, is_read in (
        ({"schema": schema.VERSION + 1}, False),
        ({"ext": ((1, b""),)}, False),
        ({"ext": ((2, b""),)}, True),
    ):
        assert images.is_own(signed_by(laptop, **fields), laptop.workspace, key, verify) == is_read


def test_a_new_one_is_due_when_it_saves_much_and_a_quarter_of_all() -> None:
    least = limits.IMAGE_SAVES_US_MIN
    assert not images.is_due(least - 1, 0)
    assert images.is_due(least, 0)
    assert not images.is_due(10 * least, 8 * least)
    assert images.is_due(10 * least, 7 * least)
    assert images.is_due(IMAGE.work_us + least, IMAGE.work_us)


def test_growing_by_a_little_makes_few() -> None:
    """Whoever backs up often writes an image at each growth by a third; so all of them together are a few times the last."""
    made, held, saves = [], 0, limits.IMAGE_SAVES_US_MIN
    for size in range(0, 400 * saves, saves // 4):
        if images.is_due(size, held):
            made.append(size)
            held = size
    assert sum(made) < 5 * made[-1]
    assert len(made) < 30
