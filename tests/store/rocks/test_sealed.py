"""Sealed folders. ``test_view`` shows that a view says the same over a sealed table as over a plain one."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from edda_sync.store.rocks import database, keys
from edda_sync.store.rocks.database import Settled
from edda_sync.store.rocks.keeper import RocksKeeping
from edda_sync.store.rocks.pending import FOUNDING
from edda_sync.store.rocks.sealed import Code, SealedTable
from edda_sync.store.seams import StoreWriter
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.words.config import DATABASE_FILE, ROCKSDB_FOLDER, EncryptionAlgorithm
from edda_sync.words.errors import DiskFullError, LostStatesError
from tests.encrypted import holds
from tests.store.rocks.codes import CODE, KEYS, Held, seals
from tests.store.rocks.test_keeper import settle, write
from tests.store.samples import GENESIS, entity

PLANTED = b"nobody may read this"
ID = b"an id of 16 byte"
NAME = ("content", GENESIS)
STATE_ID, ENDING = "b2f488dcc43119edf9b12f0db1e1094d", "13b09c5acac2ffc4137191172b4e1c4b"
VALUE = (
    "01010101010101010101aeb85e260ac33dc610f1483cb3f23bebfc1d6912"
    "3788963f5b90c10f7423d7bafdc6a0cb7f1d4a511ee454e61b795767"
)
EVERY_KEY = [
    keys.STATES + entity(1),
    keys.ending(entity(0xABCDEF, "tag")),
    keys.HIDDENS + entity(2),
    keys.CONFLICTS + entity(3, "document"),
    keys.TEXTS + keys.text(entity(4), NAME),
    keys.EDITS + keys.text(entity(4), NAME) + keys.number(7),
]


@pytest.mark.parametrize("plain", EVERY_KEY)
def test_a_key_hides_ids_and_is_read_as_it_was(plain: bytes) -> None:
    coded = CODE.key(plain)
    assert CODE.plain_keys([coded]) == [plain]
    assert plain[2:18] not in coded
    assert plain[5:21] not in coded
    assert CODE.all_keys(EVERY_KEY)[EVERY_KEY.index(plain)] == coded


def test_keys_and_values_have_their_published_bytes() -> None:
    assert CODE.key(keys.STATES + entity(1)).hex() == "7300" + STATE_ID
    assert CODE.key(keys.ending(entity(1))).hex() == "65" + ENDING + "00" + STATE_ID
    assert CODE.key(keys.EDITS + keys.text(entity(1), NAME) + keys.number(7)).hex() == (
        "7500" + STATE_ID + b"content".hex() + "00" + "ff" * 16 + "00" * 7 + "07"
    )
    assert CODE.open(keys.STATES + entity(1), bytes.fromhex(VALUE)) == PLANTED
    assert CODE.seal(keys.ending(entity(1)), b"") == b""


@pytest.mark.parametrize("algorithm", EncryptionAlgorithm)
def test_a_value_is_opened_under_its_own_key_only(algorithm: EncryptionAlgorithm) -> None:
    code, place = Code(KEYS[0], algorithm), keys.STATES + entity(1)
    sealed = code.seal(place, PLANTED)
    assert PLANTED not in sealed
    assert CODE.open(place, sealed) == PLANTED, "whatever cipher is named now"
    table = SealedTable(Kept({CODE.key(keys.STATES + entity(2)): sealed}), CODE, Path("folder"))
    with pytest.raises(LostStatesError, match="not what was sealed"):
        table.get([keys.STATES + entity(2)])


class Kept:
    """A table in memory."""

    key_id = b""

    def __init__(self, held: dict[bytes, bytes]) -> None:
        self._held = held

    def get(self, wanted: list[bytes]) -> list[bytes | None]:
        return [self._held.get(key) for key in wanted]

    def scan(self, _prefix: bytes, _start: bytes = b"") -> Iterator[tuple[bytes, bytes]]:
        return self.everything()

    def everything(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(sorted(self._held.items()))


# --- in a store -------------------------------------------------------------------------------------------------------


class Told(RocksKeeping):
    """It settles when it is told to, and never by itself."""

    def is_due(self, *, quiet: bool) -> bool:
        return False


class Place:
    """A store whose data keys others replace. Its SQLite file is plain here, so that nothing of that is needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.held: Held | None = None

    def opened(self, *, becomes_plain: bool = False) -> SqliteStore:
        sealing = None
        if self.held is not None:
            _, sealing = seals()
            sealing._keys = self.held
        keeping = Told(self.folder / ROCKSDB_FOLDER, sealing, becomes_plain=becomes_plain)
        return SqliteStore(self.folder / DATABASE_FILE, keep=lambda _name, _keys: keeping, founding=FOUNDING)

    def states(self) -> dict[bytes, bytes]:
        store = self.opened()
        with store.read() as reader:
            found = {each.key: each.state for each in reader.states.scan()}
        store.close()
        return found

    def key_id(self) -> bytes:
        (folder,) = (self.folder / ROCKSDB_FOLDER).iterdir()
        return Settled(folder).key_id


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def planted(*numbers: int) -> Callable[[StoreWriter], None]:
    return write(*numbers, state=PLANTED)


def test_a_folder_is_sealed_anew_when_the_store_is_encrypted_its_key_replaced_and_it_is_decrypted(place: Place) -> None:
    store = place.opened()
    store.transact(planted(*range(50), int.from_bytes(ID, "big")))
    settle(store)
    store.close()
    before = place.states()
    assert holds(place.folder / ROCKSDB_FOLDER, PLANTED)
    for keys_then, becomes_plain, key_id in (
        (KEYS[:1], False, KEYS[0].id),
        (KEYS[:2], False, KEYS[1].id),
        (KEYS[:3], False, KEYS[2].id),
        (KEYS[:3], True, b""),
    ):
        place.held = Held(*keys_then)
        store = place.opened(becomes_plain=becomes_plain)
        keeping = store.keeping
        with store.read() as reader:
            assert keeping.is_behind(reader._sql)
            settle(store)
            assert {each.key: each.state for each in reader.states.scan()} == before, "a reader keeps what it reads"
        with store.read() as reader:
            assert not keeping.is_behind(reader._sql)
            assert {each.key: each.state for each in reader.states.scan()} == before
        store.transact(planted(*range(40, 60)))
        store.transact(lambda tx: tx.forget([entity(41)]))
        settle(store)
        store.close()
        before = place.states()
        assert place.key_id() == key_id
        assert bool(holds(place.folder / ROCKSDB_FOLDER, PLANTED)) is becomes_plain
        assert bool(holds(place.folder / ROCKSDB_FOLDER, ID)) is becomes_plain


def test_what_is_pending_when_the_key_is_replaced_is_settled_with_it(place: Place) -> None:
    place.held = Held(*KEYS[:1])
    store = place.opened()
    store.transact(planted(1, 2, 3))
    settle(store)
    place.held.keys.append(KEYS[1])
    store.transact(write(2, 4))
    store.transact(lambda tx: tx.forget([entity(3)]))
    settle(store)
    store.close()
    assert place.states() == {entity(1): PLANTED, entity(2): b"state", entity(4): b"state"}
    assert place.key_id() == KEYS[1].id


def test_a_replacement_that_fails_leaves_the_folder_as_it_was_and_is_done_later(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.held = Held(*KEYS[:1])
    store = place.opened()
    store.transact(planted(1, 2, 3))
    settle(store)
    before = place.states()
    place.held.keys.append(KEYS[1])
    real = database._write

    def full(*of: object) -> None:
        real(*of)  # type: ignore[arg-type]
        raise DiskFullError("the disk")

    with monkeypatch.context() as patched:
        patched.setattr(database, "_write", full)
        with pytest.raises(DiskFullError):
            settle(store)
    assert place.states() == before
    place.held.keys.append(KEYS[2])
    settle(store)
    store.close()
    assert place.states() == before
    assert place.key_id() == KEYS[2].id, "and nothing is left of the first attempt"


def test_a_folder_under_a_key_that_is_gone_is_refused_and_never_written(place: Place) -> None:
    place.held = Held(*KEYS[:1])
    store = place.opened()
    store.transact(planted(1))
    settle(store)
    store.close()
    for place.held in (Held(KEYS[1]), None):
        store = place.opened()
        store.transact(write(2))
        with store.read() as reader, pytest.raises(LostStatesError, match="under a key that this store does not have"):
            reader.states.get([entity(1)])
        with pytest.raises(LostStatesError, match="under a key that this store does not have"):
            settle(store)
        store.close()
        assert place.key_id() == KEYS[0].id
    place.held = Held(*KEYS[:2])
    assert place.states() == {entity(1): PLANTED, entity(2): b"state"}


def test_a_plain_settlement_never_goes_into_a_sealed_folder_nor_the_other_way_round(tmp_path: Path) -> None:
    old, new = b"o" * 16, b"n" * 16
    for code, other in ((CODE, None), (None, CODE)):
        path = tmp_path / "states"
        database.settle(path, None, old, 1, [(EVERY_KEY[0], PLANTED)], [], code)
        with pytest.raises(LostStatesError, match="another state"):
            database.settle(path, old, new, 2, [(EVERY_KEY[0], b"x")], [], other)
        shutil.rmtree(path)


def test_folders_that_are_not_used_any_more_are_removed_however_many_there_are(place: Place) -> None:
    place.held = Held(*KEYS[:1])
    store = place.opened()
    store.transact(planted(1))
    settle(store)
    kept = place.folder / ROCKSDB_FOLDER
    for name in ("states-one", "states-two"):
        (kept / name).mkdir()
    with_names = "UPDATE _settled SET left_over = 'states-one/states-two'"
    connection = store.connect()
    connection.execute(with_names)
    connection.close()
    place.held.keys.append(KEYS[1])
    settle(store)
    store.close()
    assert len(list(kept.iterdir())) == 1
