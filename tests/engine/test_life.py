from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.engine import life
from edda_sync.engine.life import Sidecar, boot_id, machine_id, open_sidecar
from edda_sync.store.memory.store import MemoryStore
from edda_sync.store.seams import Head, Logged, StoreWriter
from edda_sync.words.errors import NoFolderError, StorageError

STORE_ID = bytes(range(16))
ACTOR, OTHER = b"\x05" * 16, b"\x09" * 16


def hash_of(actor: bytes, seq: int) -> bytes:
    return bytes([actor[0], seq]) * 16


def head(actor: bytes, seq: int) -> Head:
    return Head(actor, seq, hash_of(actor, seq), b"", b"birth", 0, b"")


def chain(*actors: tuple[bytes, int]) -> MemoryStore:
    """A store whose log has the given number of changes of each actor."""
    store = MemoryStore()

    def work(tx: StoreWriter) -> None:
        for actor, length in actors:
            for seq in range(1, length + 1):
                position = tx.log.position() + 1
                tx.log.append(Logged(position, actor, seq, hash_of(actor, seq), b"", b""), head(actor, seq))

    store.transact(work)
    return store


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "edda.db"
    path.write_bytes(b"a store")
    return path


@pytest.fixture
def sidecar(tmp_path: Path, database: Path) -> Iterator[Sidecar]:
    made = open_sidecar(tmp_path / "lives", STORE_ID, database)
    yield made
    made.close()


def doubt(sidecar: Sidecar, store: MemoryStore, now: Head) -> str:
    with store.read() as reader:
        return sidecar.doubt(reader, now)


def is_same(sidecar: Sidecar, store: MemoryStore, now: Head) -> bool:
    return not doubt(sidecar, store, now)


def test_a_store_that_goes_on_where_it_was_keeps_its_life(sidecar: Sidecar) -> None:
    sidecar.remember(head(ACTOR, 3))
    assert is_same(sidecar, chain((ACTOR, 3)), head(ACTOR, 3))


def test_a_sidecar_that_lags_behind_its_chain_recognises_it(sidecar: Sidecar) -> None:
    sidecar.remember(head(ACTOR, 1))
    assert is_same(sidecar, chain((ACTOR, 3)), head(ACTOR, 3))


def test_a_chain_that_ends_before_the_remembered_change_was_put_back(sidecar: Sidecar) -> None:
    sidecar.remember(head(ACTOR, 3))
    assert doubt(sidecar, chain((ACTOR, 2)), head(ACTOR, 2)) == life.PUT_BACK


def test_a_chain_that_continued_differently_takes_another_life(sidecar: Sidecar) -> None:
    sidecar.remember(head(ACTOR, 3)._replace(hash=bytes(32)))
    assert doubt(sidecar, chain((ACTOR, 3)), head(ACTOR, 3)) == life.PUT_BACK
    assert doubt(sidecar, chain((ACTOR, 4)), head(ACTOR, 4)) == life.PUT_BACK


def test_an_old_copy_takes_another_life_even_if_peers_brought_back_what_another_actor_wrote_since(
    sidecar: Sidecar,
) -> None:
    sidecar.remember(head(OTHER, 2))
    assert doubt(sidecar, chain((ACTOR, 1), (OTHER, 2)), head(ACTOR, 1)) == life.PUT_BACK
    assert doubt(sidecar, chain((OTHER, 1), (ACTOR, 1)), head(ACTOR, 1)) == life.PUT_BACK


def test_a_store_that_wrote_elsewhere_before_takes_another_life(sidecar: Sidecar) -> None:
    assert doubt(sidecar, chain((ACTOR, 1)), head(ACTOR, 1)) == life.COPIED


def test_the_record_outlives_the_process(tmp_path: Path, database: Path) -> None:
    for seq in (1, 2):
        first = open_sidecar(tmp_path / "lives", STORE_ID, database)
        first.remember(head(ACTOR, seq))
        first.close()
        first.close()
    again = open_sidecar(tmp_path / "lives", STORE_ID, database)
    assert is_same(again, chain((ACTOR, 2)), head(ACTOR, 2))
    assert doubt(again, chain((ACTOR, 1)), head(ACTOR, 1)) == life.PUT_BACK
    again.close()


@pytest.mark.parametrize(
    "at",
    [0, 4, 20, 28, 60, 76, 84, 100],
    ids=["magic", "actor", "seq", "hash", "machine", "inode", "boot", "checksum"],
)
def test_a_sidecar_with_a_damaged_byte_says_nothing(tmp_path: Path, sidecar: Sidecar, at: int) -> None:
    sidecar.remember(head(ACTOR, 3))
    (path,) = (tmp_path / "lives").iterdir()
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)
    assert doubt(sidecar, chain((ACTOR, 3)), head(ACTOR, 3)) == life.COPIED


class Kept:
    """A slot that only this process sees."""

    def __init__(self) -> None:
        self.record = b""

    def read(self) -> bytes:
        return self.record

    def write(self, record: bytes, at: int = 0) -> None:
        self.record = self.record[:at].ljust(at, b"\0") + record + self.record[at + len(record) :]

    def sync(self) -> None:
        pass

    def close(self) -> None:
        pass


def test_the_record_of_a_sidecar_has_its_published_bytes() -> None:
    slot = Kept()
    sidecar = Sidecar(slot, b"\xaa" * 16, 77, b"\xbb" * 16)
    sidecar.remember(head(ACTOR, 3))
    written = (
        "45444c33"
        "05050505050505050505050505050505"
        "0000000000000003"
        "0503050305030503050305030503050305030503050305030503050305030503"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "000000000000004d"
        "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    )
    assert slot.record.hex() == written + "98854505695f5cc773e5444732821862"
    sidecar.close()
    assert slot.record.hex() == written[:-32] + "0" * 32 + "b87ced846817b36ce25e3d294d0a4bdc"


def test_the_extent_of_the_log_stands_beside_the_record_with_its_published_bytes() -> None:
    slot = Kept()
    sidecar = Sidecar(slot, b"\xaa" * 16, 77, b"\xbb" * 16)
    sidecar.remember(head(ACTOR, 3))
    record = slot.record
    sidecar.note_extent(9)
    assert slot.record == record + bytes.fromhex("0000000000000009b2b254c7eb6882c0625439b943e58ffb")
    assert sidecar.extent() == 9
    assert sidecar.remembered() == (ACTOR, 3)
    sidecar.remember(head(ACTOR, 4))  # as another process may, which knows nothing of the extent
    assert sidecar.extent() == 9


def test_an_extent_that_was_cut_short_damaged_or_is_of_another_file_says_nothing() -> None:
    slot = Kept()
    sidecar = Sidecar(slot, bytes(16), 77, bytes(16))
    sidecar.note_extent(9)
    assert sidecar.extent() == 0, "nothing is remembered for this file"
    sidecar.remember(head(ACTOR, 3))
    sidecar.note_extent(9)
    whole = slot.record
    for damaged in (whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1])):
        slot.record = damaged
        assert sidecar.extent() == 0
    slot.record = whole
    assert Sidecar(slot, bytes(16), 78, bytes(16)).extent() == 0


def test_the_record_of_an_older_format_says_nothing() -> None:
    slot = Kept()
    sidecar = Sidecar(slot, bytes(16), 77, bytes(16))
    sidecar.remember(head(ACTOR, 3))
    assert is_same(sidecar, chain((ACTOR, 3)), head(ACTOR, 3))
    older = b"EDL2" + slot.record[4:-16]  # no extent was noted
    slot.record = older + blake2b(older, digest_size=16, person=b"edda-sidecar").digest()
    assert doubt(sidecar, chain((ACTOR, 3)), head(ACTOR, 3)) == life.COPIED


def test_a_sidecar_that_was_cut_short_says_nothing(tmp_path: Path, sidecar: Sidecar) -> None:
    sidecar.remember(head(ACTOR, 3))
    (path,) = (tmp_path / "lives").iterdir()
    os.truncate(path, 50)
    assert doubt(sidecar, chain((ACTOR, 3)), head(ACTOR, 3)) == life.COPIED


def test_another_file_of_the_same_store_takes_another_life(tmp_path: Path, database: Path, sidecar: Sidecar) -> None:
    sidecar.remember(head(ACTOR, 3))
    copy = Path(shutil.copy(database, tmp_path / "copy.db"))
    of_copy = open_sidecar(tmp_path / "lives", STORE_ID, copy)
    assert doubt(of_copy, chain((ACTOR, 3)), head(ACTOR, 3)) == life.COPIED
    of_copy.remember(head(OTHER, 1))
    assert is_same(sidecar, chain((ACTOR, 3)), head(ACTOR, 3))  # and the first goes on as it was
    of_copy.close()


@pytest.mark.parametrize("extent", [0, 7])
def test_a_file_that_took_the_place_of_another_with_the_same_content_goes_on_in_its_life(
    tmp_path: Path, database: Path, sidecar: Sidecar, extent: int
) -> None:
    sidecar.remember(head(ACTOR, 3))
    if extent:
        sidecar.note_extent(extent)
    before, other = database.stat().st_ino, tmp_path / "other.db"
    other.write_bytes(b"the same, encrypted")
    other.replace(database)
    life.carry(tmp_path / "lives", STORE_ID, before, database)
    after = open_sidecar(tmp_path / "lives", STORE_ID, database)
    assert is_same(after, chain((ACTOR, 3)), head(ACTOR, 3))
    assert after.extent() == extent
    assert len(list((tmp_path / "lives").iterdir())) == 1
    after.close()


def test_a_sidecar_that_says_nothing_is_not_carried(tmp_path: Path, database: Path, sidecar: Sidecar) -> None:
    before, other = database.stat().st_ino, tmp_path / "other.db"
    other.write_bytes(b"the same, encrypted")
    other.replace(database)
    life.carry(tmp_path / "lives", STORE_ID, before, database)
    life.carry(tmp_path / "lives", bytes(16), before, database)
    assert len(list((tmp_path / "lives").iterdir())) == 1


def test_a_renamed_store_keeps_its_life(tmp_path: Path, database: Path, sidecar: Sidecar) -> None:
    sidecar.remember(head(ACTOR, 3))
    renamed = open_sidecar(tmp_path / "lives", STORE_ID, database.rename(tmp_path / "renamed.db"))
    assert is_same(renamed, chain((ACTOR, 3)), head(ACTOR, 3))
    renamed.close()


def test_a_store_on_a_machine_whose_id_changes_keeps_its_life(
    tmp_path: Path, database: Path, sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    sidecar.remember(head(ACTOR, 3))
    monkeypatch.setattr(life, "machine_id", lambda: b"another machine.")
    renamed = open_sidecar(tmp_path / "lives", STORE_ID, database)
    assert is_same(renamed, chain((ACTOR, 3)), head(ACTOR, 3))
    renamed.close()


# --- a lost sidecar ---------------------------------------------------------------------------------------------------


def noted(sidecar: Sidecar) -> MemoryStore:
    """A store that says which file it is."""
    store = chain((ACTOR, 3))
    store.transact(sidecar.note_file)
    return store


def test_a_store_that_lost_all_sidecars_keeps_its_life_while_it_is_the_same_file(
    tmp_path: Path, database: Path
) -> None:
    before = open_sidecar(tmp_path / "lost", STORE_ID, database)
    store = noted(before)
    before.close()
    after = open_sidecar(tmp_path / "lives", STORE_ID, database)
    assert is_same(after, store, head(ACTOR, 3))
    assert doubt(after, chain((ACTOR, 3)), head(ACTOR, 3)) == life.COPIED, "which says of no file that it is it"
    after.close()


def test_a_copy_without_any_sidecar_takes_another_life(tmp_path: Path, database: Path) -> None:
    before = open_sidecar(tmp_path / "lost", STORE_ID, database)
    store = noted(before)
    before.close()
    copy = open_sidecar(tmp_path / "lives", STORE_ID, Path(shutil.copy(database, tmp_path / "copy.db")))
    assert doubt(copy, store, head(ACTOR, 3)) == life.COPIED
    copy.close()


def test_a_store_needs_its_own_sidecar_if_one_of_another_file_is_there(tmp_path: Path, database: Path) -> None:
    other = open_sidecar(tmp_path / "lives", STORE_ID, Path(shutil.copy(database, tmp_path / "copy.db")))
    unknown = open_sidecar(tmp_path / "lives", STORE_ID, database)
    assert doubt(unknown, noted(unknown), head(ACTOR, 3)) == life.COPIED
    other.close()
    unknown.close()


def test_a_store_whose_own_sidecar_is_damaged_takes_another_life(tmp_path: Path, database: Path) -> None:
    before = open_sidecar(tmp_path / "lives", STORE_ID, database)
    store = noted(before)
    before.close()
    (kept,) = (tmp_path / "lives").iterdir()
    kept.write_bytes(b"damaged")
    after = open_sidecar(tmp_path / "lives", STORE_ID, database)
    assert doubt(after, store, head(ACTOR, 3)) == life.COPIED
    after.close()


def test_a_remembered_store_does_not_search_all_sidecars(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    open_sidecar(tmp_path / "lives", STORE_ID, database).close()
    listed: list[object] = []
    monkeypatch.setattr("os.listdir", listed.append)
    open_sidecar(tmp_path / "lives", STORE_ID, database).close()
    assert listed == []


def test_a_store_notes_its_file_once(sidecar: Sidecar) -> None:
    store = noted(sidecar)
    with store.read() as reader:
        before = reader.meta.get(life.INODE_KEY)
    store.transact(sidecar.note_file)
    with store.read() as reader:
        assert reader.meta.get(life.INODE_KEY) == before
    assert before is not None
    assert len(before) == 8


# --- a failing power ---------------------------------------------------------------------------------------------------


def opened(tmp_path: Path, database: Path, boot: int) -> Sidecar:
    return open_sidecar(tmp_path / "lives", STORE_ID, database, boot=bytes([boot] * 16))


def test_a_record_from_before_the_machine_restarted_is_not_trusted(tmp_path: Path, database: Path) -> None:
    """Its last writes may be lost, and the store may be an old copy that was put back."""
    before = opened(tmp_path, database, 1)
    before.remember(head(ACTOR, 3))
    assert is_same(before, chain((ACTOR, 3)), head(ACTOR, 3))
    after = opened(tmp_path, database, 2)
    assert doubt(after, chain((ACTOR, 3)), head(ACTOR, 3)) == life.POWER
    after.close()
    before.close()


def test_a_closed_store_keeps_its_life_after_the_machine_restarted(tmp_path: Path, database: Path) -> None:
    before = opened(tmp_path, database, 1)
    before.remember(head(ACTOR, 3))
    before.close()
    after = opened(tmp_path, database, 2)
    assert is_same(after, chain((ACTOR, 3)), head(ACTOR, 3))
    assert doubt(after, chain((ACTOR, 2)), head(ACTOR, 2)) == life.PUT_BACK
    after.close()


def test_the_note_that_a_closed_store_is_open_again_is_on_disk_before_the_store_writes(
    tmp_path: Path, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    (tmp_path / "lives").mkdir()
    fsync = os.fsync

    def noted(descriptor: int) -> None:
        fsync(descriptor)
        synced.append(os.pread(descriptor, 1_000, 0))

    monkeypatch.setattr(os, "fsync", noted)
    first = opened(tmp_path, database, 1)
    first.remember(head(ACTOR, 1))
    assert not synced, "what lags within one start of a machine is not lost"
    first.close()
    second = opened(tmp_path, database, 1)
    assert is_same(second, chain((ACTOR, 1)), head(ACTOR, 1))
    (path,) = (tmp_path / "lives").iterdir()
    path.write_bytes(synced[-1])  # power fails here, and in no later write
    third = opened(tmp_path, database, 2)
    assert doubt(third, chain((ACTOR, 1)), head(ACTOR, 1)) == life.POWER
    assert len(synced) == 2
    second.close()
    third.close()


def test_a_store_that_another_process_closes_stays_open_to_the_one_that_writes_on(
    tmp_path: Path, database: Path
) -> None:
    running, command = opened(tmp_path, database, 1), opened(tmp_path, database, 1)
    running.remember(head(ACTOR, 1))
    assert is_same(command, chain((ACTOR, 1)), head(ACTOR, 1))
    command.remember(head(ACTOR, 2))
    command.close()
    assert is_same(running, chain((ACTOR, 2)), head(ACTOR, 2))
    after = opened(tmp_path, database, 2)
    assert doubt(after, chain((ACTOR, 2)), head(ACTOR, 2)) == life.POWER
    running.remember(head(ACTOR, 3))
    after.close()
    running.close()


def test_a_store_that_was_only_read_leaves_the_sidecar_as_it_was(tmp_path: Path, database: Path) -> None:
    running, looking = opened(tmp_path, database, 1), opened(tmp_path, database, 1)
    running.remember(head(ACTOR, 1))
    looking.close()
    after = opened(tmp_path, database, 2)
    assert doubt(after, chain((ACTOR, 1)), head(ACTOR, 1)) == life.POWER
    after.close()
    running.close()


def test_each_start_of_a_machine_has_one_name() -> None:
    assert boot_id() == boot_id()
    assert len(boot_id()) == 16


def test_a_machine_has_one_name() -> None:
    assert machine_id() == machine_id()
    assert len(machine_id()) == 16


def test_sidecars_are_for_their_owner_only(tmp_path: Path, sidecar: Sidecar) -> None:
    (path,) = (tmp_path / "lives").iterdir()
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


# --- in use -----------------------------------------------------------------------------------------------------------


def test_two_copies_on_one_machine_that_take_turns_need_one_new_actor(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        store.create_task(edda.Task(title="before"))
    shutil.copytree(tmp_path / "home", tmp_path / "copy")
    with edda.open(tmp_path / "home") as original, edda.open(tmp_path / "copy") as copy:
        for number in range(5):
            original.create_task(edda.Task(title=f"original {number}"))
            copy.create_task(edda.Task(title=f"copy {number}"))
        assert (len(original.frontier()), len(copy.frontier())) == (1, 2)


def test_a_state_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    with pytest.raises(NoFolderError, match="file") as caught:
        edda.open(tmp_path / "home", edda.StorageConfig(state_path=blocked))
    assert isinstance(caught.value, StorageError)


def test_a_sidecar_that_cannot_be_written_any_more_stops_no_write(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with edda.open(tmp_path / "home") as store:
        store.create_task(edda.Task(title="first"))

        def full(_descriptor: int, _content: bytes, _at: int) -> int:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "pwrite", full)
            store.create_task(edda.Task(title="second"))
        store.create_task(edda.Task(title="third"))
        assert len(store.frontier()) == 1  # the one that lags is still its own
        assert store.counts()["tasks"] == 3
