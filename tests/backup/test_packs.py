"""Packs: what is attached goes along once, is proved, verified, and comes back where it is missing."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync.backup import packs
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.recovering import recover
from edda_sync.backup.sealed import Kind
from edda_sync.engine.engine import StorageEngine
from edda_sync.files.memory import MemoryChunks
from edda_sync.testing import devices
from edda_sync.words import limits
from edda_sync.words.errors import BackupError, TargetError
from tests.backup.places import Place, back_up

SMALL, LARGE = b"a small file", random.Random(1).randbytes(50_000)


DAYS_S = 2 * 24 * 3600.0
KEPT = edda.RetentionPolicy(keep_last=2, daily=0, weekly=0, monthly=0, yearly=0, total_size=1 << 20)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    monkeypatch.setattr(limits, "CHUNK_BYTES", 4_000)
    monkeypatch.setattr(packs, "PACK_BYTES", 10_000)
    config = edda.StorageConfig(state_path=tmp_path / "state", backup_config=edda.BackupConfig(retention=KEPT))
    with edda.open(tmp_path / "home", config) as engine:
        yield Scene(engine)


class Scene:
    """A document with a small and a large file, and its backups."""

    def __init__(self, engine: StorageEngine) -> None:
        self.engine, self.place = engine, Place()
        self.manager = BackupManager(engine, self.place)
        self.document = engine.create_document(edda.Document(title="Plan"))
        self.attach("small", SMALL)
        self.attach("large", LARGE)

    def attach(self, name: str, content: bytes) -> None:
        with self.engine.begin_transaction() as tx:
            tx.attach(self.document, io.BytesIO(content), name=name)

    def detach(self, name: str) -> None:
        (found,) = (each for each in self.engine.attachments(self.document) if each.name == name)
        with self.engine.begin_transaction() as tx:
            tx.detach(self.document, found.id)

    def later(self) -> None:
        """Let two days pass at the place, whose clock is that of its newest object."""
        self.place.modified_s += DAYS_S
        self.manager.repository.put(Kind.RUN, b"later")

    def content(self, name: str) -> bytes:
        with self.engine.open_attachment(self.document, name) as stream:
            return stream.read()

    def lose_files(self, count: int = 2) -> None:
        chunks = self.engine.reading.files.chunks
        for name in list(chunks.names()):
            chunks.set_aside(name)
        assert len(self.engine.reading.files.lose_vanished()) == count


def test_what_is_attached_is_in_the_backup_once_and_proved(scene: Scene) -> None:
    first = scene.manager.back_up().manifest
    assert (first.files, first.files_lacking) == (2, 0)
    assert [each.error for each in scene.manager.verify([first])] == [None]
    size = scene.place.size()
    scene.attach("a copy of it", LARGE)
    second = scene.manager.back_up().manifest
    assert second.files == 2
    assert second.packs == first.packs
    assert scene.place.size() - size < 5_000
    assert not any(SMALL in data for data in scene.place.held.values())


def test_lost_files_come_back_with_a_restore(scene: Scene) -> None:
    backup = scene.manager.back_up().manifest
    scene.lose_files()
    scene.engine.delete_document(scene.document)
    with scene.manager.restored(backup) as restored:
        assert scene.manager.bring_back(backup, restored, scene.manager.compare(restored)) == (1, 2)
    assert scene.content("small") == SMALL
    assert scene.content("large") == LARGE
    assert scene.manager.lost_files(backup) == []


def test_a_lost_store_comes_back_with_its_files(scene: Scene) -> None:
    scene.manager.back_up()
    home, config = scene.engine.home, scene.engine.config
    scene.engine.close()
    for path in home.glob("edda.db*"):
        path.unlink()
    import shutil

    shutil.rmtree(home / "files")
    recover(home, config, scene.place, None)
    scene.engine.open_store(config)
    assert scene.content("large") == LARGE


def test_a_file_that_is_not_here_is_counted_and_not_claimed(scene: Scene) -> None:
    scene.lose_files()
    made = scene.manager.back_up().manifest
    assert (made.files, made.files_lacking, made.packs) == (0, 2, ())
    assert [each.error for each in scene.manager.verify([made])] == [None]


def test_each_missing_or_damaged_pack_or_index_is_found_and_written_again(scene: Scene) -> None:
    first = scene.manager.back_up().manifest
    indexes = [packs.read_index(scene.manager.repository, each) for each in first.packs]
    assert len(indexes[-1].entries) > 1
    for ref in [*indexes[0].refs, *indexes[-1].refs]:
        key = next(key for key in scene.place.held if key.endswith(ref.object.hex()))
        whole = scene.place.held.pop(key)
        (found,) = scene.manager.verify([first])
        assert found.error is not None
        scene.place.held[key] = whole[:-1] + bytes((whole[-1] ^ 1,))
        (found,) = scene.manager.verify([first])
        assert found.error is not None
        scene.place.held[key] = whole
    del scene.place.held[key]
    second = scene.manager.back_up().manifest
    assert [each.error for each in scene.manager.verify([second])] == [None]


def test_a_backup_of_many_files_that_was_cut_off_goes_on_after_the_last_index(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packs, "PACKS_MAX", 1)
    scene.place.allows = 5
    with pytest.raises(TargetError):
        scene.manager.back_up()
    scene.place.allows = 1 << 60
    before = len(scene.place.puts)
    assert scene.manager.back_up().manifest.files == 2
    written = [key for key in scene.place.puts[before:] if "objects" in key]
    assert len(written) < 10
    assert [each.error for each in scene.manager.verify([scene.manager.find()])] == [None]


def test_a_backup_over_a_link_that_breaks_again_and_again_gets_on_each_time(scene: Scene) -> None:
    tries = 0
    while True:
        scene.place.allows, tries = 4, tries + 1  # a run, a pack and its index, or a little more, and the link breaks
        try:
            made = scene.manager.back_up().manifest
        except TargetError:
            assert tries < 20
        else:
            break
    scene.place.allows = 1 << 60
    assert [each.error for each in scene.manager.verify([made])] == [None]


def test_what_was_written_long_ago_for_a_backup_that_was_cut_off_is_written_again(scene: Scene) -> None:
    before = scene.manager.back_up().manifest
    scene.attach("more", LARGE[::-1])
    scene.place.allows = 6
    with pytest.raises(TargetError):
        scene.manager.back_up()
    scene.place.allows, unnamed = 1 << 60, set(scene.place.puts[-6:])
    scene.later()  # another device may delete what nobody names, while the next backup is made
    made = scene.manager.back_up().manifest
    assert before.packs == made.packs[: len(before.packs)]
    held = {ref.object.hex() for ref in made.objects}
    held |= {ref.object.hex() for each in made.packs for ref in packs.read_index(scene.manager.repository, each).refs}
    young_s = scene.place.modified_s - DAYS_S / 2
    old = [key for key, at_s in scene.place.written_s.items() if key.rpartition("/")[2] in held and at_s < young_s]
    assert old != []
    assert unnamed.isdisjoint(old)
    assert [each.error for each in scene.manager.verify([made])] == [None]


def test_packs_stay_as_long_as_a_manifest_needs_them(scene: Scene) -> None:
    backup = scene.manager.back_up().manifest
    scene.place.modified_s = 2 * 24 * 3600.0
    scene.manager.repository.put(Kind.RUN, b"later")
    scene.manager.prune()
    assert [each.error for each in scene.manager.verify([backup])] == [None]


def test_a_pack_with_another_content_than_its_names_is_refused(scene: Scene) -> None:
    repository = scene.manager.repository
    for false in (b"nonsense", packs._encode([(bytes(32), b"x")])):
        with pytest.raises(BackupError):
            packs.read_pack(repository, repository.put(Kind.PACK, false))
    with pytest.raises(BackupError):
        packs.read_index(repository, repository.put(Kind.INDEX, b"nonsense"))


def test_a_file_that_rotted_here_keeps_nothing_else_from_being_backed_up(tmp_path: Path) -> None:
    with devices(1, backend="memory") as (laptop,):
        note = laptop.create_document(edda.Document(title="Note"))
        laptop.transact(
            lambda tx: [tx.attach(note, io.BytesIO(data * 99), name=data.decode()) for data in (b"a", b"b")]
        )
        chunks = laptop.reading.files.chunks
        assert isinstance(chunks, MemoryChunks)
        rotten = min(chunks.packed)
        chunks.packed[rotten] = chunks.packed[rotten][:-1] + b"?"
        made = back_up(laptop, Place(), tmp_path / "proof").manifest
        assert (made.files, made.files_lacking) == (1, 1)
        assert made.content.hex() == laptop.digest()


def test_what_was_detached_stays_with_the_backups_that_have_it_and_goes_with_the_last_of_them(scene: Scene) -> None:
    first = scene.manager.back_up().manifest
    scene.detach("large")
    second = scene.manager.back_up().manifest
    scene.later()
    scene.manager.prune()
    assert [each.error for each in scene.manager.verify([first, second])] == [None, None]
    assert second.total_bytes < first.total_bytes - len(LARGE) // 2
    scene.engine.create_document(edda.Document(title="Another"))
    third = scene.manager.back_up().manifest
    scene.later()
    scene.manager.prune()
    assert scene.place.size() < len(LARGE)
    scene.lose_files(1)
    with scene.manager.restored(third) as restored:
        scene.manager.bring_back(third, restored, ())
    assert scene.content("small") == SMALL


def test_attached_files_count_for_what_all_backups_may_take(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHUNK_BYTES", 100_000)
    for number in range(3):
        scene.attach(f"film {number}", random.Random(number).randbytes(600_000))
        made = scene.manager.back_up().manifest
        scene.detach(f"film {number}")
        assert made.total_bytes > 600_000
    assert scene.manager.of() == [made]


def test_a_file_that_is_attached_while_a_backup_is_made_is_in_the_next_one(scene: Scene) -> None:
    scene.place.on_put = lambda: scene.attach("late", b"late")
    first = scene.manager.back_up().manifest
    assert first.files == 2
    assert [each.error for each in scene.manager.verify([first])] == [None]
    assert scene.manager.back_up().manifest.files == 3


def test_no_attached_file_is_written_again_because_changes_are(scene: Scene) -> None:
    first = scene.manager.back_up().manifest
    for spoils in (
        lambda key: scene.place.held.pop(key),  # the next backup misses it
        lambda key: scene.place.held.update({key: b"?" * len(scene.place.held[key])}),
    ):
        newest = scene.manager.find()
        spoils(next(key for key in scene.place.held if key.endswith(newest.runs[0].object.hex())))
        (found,) = scene.manager.verify([newest])
        assert found.error is not None
        scene.engine.create_document(edda.Document(title="Another"))
        made = scene.manager.back_up().manifest
        assert made.packs == first.packs
        assert made.added_bytes < 5_000
        assert [each.error for each in scene.manager.verify([made])] == [None]


def test_the_packs_of_a_file_whose_content_is_lost_here_stay_also_if_they_cannot_be_read_now(scene: Scene) -> None:
    first = scene.manager.back_up().manifest
    scene.lose_files()
    scene.engine.create_document(edda.Document(title="Another"))
    second = scene.manager.back_up().manifest
    assert (second.packs, second.files_lacking) == (first.packs, 2)
    indexes = [packs.read_index(scene.manager.repository, each) for each in first.packs]
    for ref in [pack for index in indexes for pack, _ in index.entries]:
        key = next(key for key in scene.place.held if key.endswith(ref.object.hex()))
        scene.place.held[key] = b"?" * ref.size
    scene.engine.create_document(edda.Document(title="A third"))
    assert scene.manager.back_up().manifest.packs == first.packs
