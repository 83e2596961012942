"""Imaging: a device restores by an image what the runs would give, in a part of the work, and by the runs if it must."""

from __future__ import annotations

import io
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.backup import image as images
from edda_sync.backup import imaging
from edda_sync.backup.inner import Inner
from edda_sync.backup.manager import BackupManager
from edda_sync.backup.manifest import Manifest
from edda_sync.backup.recovering import recover
from edda_sync.backup.sealed import Kind
from edda_sync.engine import doctor
from edda_sync.engine.engine import StorageEngine
from edda_sync.transport import identity as identities
from edda_sync.words import limits
from edda_sync.words.config import BackupConfig, EncryptionConfig, KeyStorage, StorageConfig
from edda_sync.words.errors import BackupError, TargetError
from tests.backup.places import Place
from tests.costs import GROWS, STAYS, Counter, Work

TASKS = 60


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """An image is due for a store of any size, and has several pieces."""
    monkeypatch.setenv("EDDA_KEYRING", "off")
    for limit in ("IMAGE_SAVES_US_MIN", "IMAGE_RUNS_BYTES_MIN"):
        monkeypatch.setattr(limits, limit, 1)
    for module in (images, imaging):
        monkeypatch.setattr(module, "PAGES_BYTES", 64 * 1024)


def add(store: StorageEngine, count: int, what: str = "Task") -> None:
    with store.begin_transaction() as tx:
        for number in range(count):
            tx.create_task(
                edda.Task(title=f"{what} {number}", description="About it", tags={"home"}, metadata={"n": number})
            )


class Scene:
    """A laptop with a backup, which can lose its disk."""

    def __init__(self, folder: Path, config: StorageConfig | None = None, tasks: int = TASKS) -> None:
        self.folder, self.place = folder, Place()
        self.config = config or StorageConfig(name="laptop", state_path=folder / "state")
        self.store = edda.open(folder / "home", self.config)
        add(self.store, tasks)
        self.manager = BackupManager(self.store, self.place)
        self.made = 0

    def back_up(self) -> Manifest:
        return self.manager.back_up().manifest

    def restored(self, config: StorageConfig | None = None) -> StorageEngine:
        """The store on another disk, with nothing left but the device's identity; checked by the doctor."""
        self.made += 1
        home = self.folder / f"new{self.made}"
        self.told = list[str]()
        identities.save(home, self.store.identity)
        config = (config or self.config).changed(state_path=self.folder / f"state{self.made}")
        recover(home, config, self.place, None, tell=self.told.append)
        store = edda.open(home, config)
        assert [each for each in doctor.check(store) if not each.sound] == []
        return store

    def key_of(self, name: bytes) -> str:
        return next(key for key in self.place.held if key.endswith(name.hex()))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.store.close()


def is_by_image(scene: Scene) -> bool:
    """Whether the last restore took the image: then it read no run that is in it."""
    return sum("restoring part" in each for each in scene.told) > 1


def test_a_device_restores_by_its_image_what_its_runs_would_give(scene: Scene) -> None:
    backup = scene.back_up()
    assert backup.image is not None
    assert backup.image.runs == len(backup.runs) == 1
    with scene.restored() as store:
        assert is_by_image(scene)
        assert store.digest() == scene.store.digest()
        assert {name: store.table(name) for name in ("tasks", "tags", "entity_tags")} == {
            name: scene.store.table(name) for name in ("tasks", "tags", "entity_tags")
        }
        assert [task.title for task in store.query_tasks(edda.TaskQuery(text="7"))] == ["Task 7"]
        store.create_task(edda.Task(title="In the new life"))
        with store.store.read() as reader:
            assert len(reader.log.heads()) == 2
            assert all(reader.meta.get(key) is None for key in ("backup.runs", "backup.packs", "backup.image"))
    with scene.restored() as one, scene.restored() as other:
        ids = set()
        for store in (scene.store, one, other):
            with store.store.read() as reader:
                ids.add(reader.meta.get("store_id"))
        assert len(ids - {None}) == 3  # two of one name would be taken for copies of each other


def test_edited_texts_what_lies_in_the_trash_and_attached_files_come_back_as_well(scene: Scene) -> None:
    laptop = scene.store
    plan = laptop.create_document(edda.Document(title="Plan", content="First line"))
    laptop.edit_text(plan, "content", [(5, 5, " words")])
    with laptop.begin_transaction() as tx:
        tx.attach(plan, io.BytesIO(b"content of a file"), name="file")
    gone = laptop.create_task(edda.Task(title="Gone"))
    laptop.delete_task(gone)
    scene.back_up()
    with scene.restored() as store:
        assert is_by_image(scene)
        found = store.get_document(plan)
        assert found is not None
        assert found.content == "First words"
        with store.open_attachment(plan, "file") as stream:
            assert stream.read() == b"content of a file"
        store.restore_task(gone)
        store.edit_text(plan, "content", [(0, 5, "Last")])
        assert {task.title for task in store.query_tasks(edda.TaskQuery(text="Gone"))} == {"Gone"}
        edited = store.get_document(plan)
        assert edited is not None
        assert edited.content == "Last words"


def test_what_came_after_the_image_is_folded_upon_it(scene: Scene) -> None:
    first = scene.back_up()
    add(scene.store, 3, "Later")
    second = scene.back_up()
    assert second.image == first.image
    assert len(second.runs) == 2
    with scene.restored() as store:
        assert is_by_image(scene)
        assert "restoring part 2 of 2" in scene.told
        assert store.digest() == scene.store.digest()


def test_a_new_image_is_made_once_much_is_not_in_the_old_one(scene: Scene) -> None:
    first = scene.back_up().image
    add(scene.store, TASKS // 2)
    second = scene.back_up().image
    assert first is not None
    assert second is not None
    assert second != first
    assert second.runs == 2
    assert not scene.manager.back_up().is_new
    with scene.restored() as store:
        assert store.digest() == scene.store.digest()


def test_small_runs_that_became_one_are_taken_again_beside_an_image_that_holds_some(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edda_sync.backup import making

    monkeypatch.setattr(making, "SMALL_RUNS_MAX", 2)
    monkeypatch.setattr(images, "is_due", lambda _all, held: held == 0)
    for number in range(5):
        add(scene.store, 1, f"Later {number}")
        backup = scene.back_up()
    assert backup.image is not None
    assert backup.image.runs < len(backup.runs)
    with scene.restored() as store:
        assert store.digest() == scene.store.digest()


def test_comparing_with_a_backup_reads_no_run_that_is_in_its_image(scene: Scene) -> None:
    first = scene.back_up()
    add(scene.store, 1, "Later")
    second = scene.back_up()
    digest = scene.store.digest()
    del scene.place.held[scene.key_of(first.runs[0].object)]
    with scene.manager.restored(second) as restored:
        assert restored.digest() == digest
    with pytest.raises(BackupError), scene.manager.restored(second, until_ms=first.made_ms):
        pass  # what was at a time is folded anew


@pytest.mark.parametrize("what", ["the image", "a piece"])
@pytest.mark.parametrize("how", ["removed", "changed"])
def test_a_damaged_image_costs_nothing_but_time(scene: Scene, what: str, how: str) -> None:
    backup = scene.back_up()
    assert backup.image is not None
    pieces = images.read(scene.manager.repository, backup.image.ref).pages
    assert len(pieces) > 2
    key = scene.key_of(backup.image.ref.object if what == "the image" else pieces[1].object)
    whole = scene.place.held.pop(key)
    if how == "changed":
        scene.place.held[key] = whole[:-1] + bytes((whole[-1] ^ 1,))
    with scene.restored() as store:
        assert "the image is damaged: restoring without it" in scene.told
        assert store.digest() == scene.store.digest()
    (verified,) = scene.manager.verify([backup])
    part = "an image" if what == "the image" else "a part of an image"
    assert part in str(verified.error)
    assert ("is missing from place" if how == "removed" else "is damaged") in str(verified.error)
    with scene.manager.restored(backup) as restored:
        assert restored.digest() == scene.store.digest()
    again = scene.manager.back_up()
    assert again.is_new
    assert [each.error for each in scene.manager.verify([again.manifest])] == [None]


def test_an_image_that_is_missing_at_the_target_is_written_again(scene: Scene) -> None:
    backup = scene.back_up()
    assert backup.image is not None
    del scene.place.held[scene.key_of(backup.image.ref.object)]
    again = scene.manager.back_up()
    assert again.is_new
    assert again.manifest.runs == backup.runs
    assert [each.error for each in scene.manager.verify([again.manifest])] == [None]


def test_verifying_finds_an_image_that_gives_something_else_than_the_runs(scene: Scene) -> None:
    from sqlcipher3 import dbapi2 as sqlite

    backup = scene.back_up()
    assert backup.image is not None
    repository, file = scene.manager.repository, scene.folder / "other.db"
    image = images.read(repository, backup.image.ref)
    imaging.write(repository, image, file)
    connection = sqlite.connect(str(file))
    connection.execute("UPDATE tasks SET title = 'Another' WHERE title = 'Task 7'")
    connection.commit()
    connection.close()
    ref, _ = imaging.bring(
        repository, file, scene.store.identity, scene.store.workspace, image.heads, (image.changes, image.mentions)
    )
    lying = msgspec.structs.replace(
        backup, ext=((4, msgspec.msgpack.encode(msgspec.structs.replace(backup.image, ref=ref))),)
    )
    first, second = scene.manager.verify([backup, lying])
    assert first.error is None
    assert "does not give what its changes give" in str(second.error)


def test_a_device_takes_no_image_of_another_one(scene: Scene) -> None:
    """Another member may have made anything of it, so only its runs count."""
    from edda_sync.backup import recovery
    from tests.backup.shelf import CODE

    recovery.make(scene.store, CODE)
    scene.back_up()
    home = scene.folder / "elsewhere"
    told = list[str]()
    config = scene.config.changed(state_path=scene.folder / "elsewhere state")
    recover(home, config, scene.place, CODE, tell=told.append)
    assert "restoring part 1 of 1" in told
    with edda.open(home, config) as store:
        assert store.count(edda.TaskQuery()) == TASKS


def test_a_store_that_is_kept_in_another_way_is_made_of_the_runs(scene: Scene) -> None:
    scene.back_up()
    rocks = scene.config.changed(backend="rocksdb")
    with scene.restored(rocks) as store:
        assert not is_by_image(scene)
        assert store.digest() == scene.store.digest()
    secret = EncryptionConfig(key_storage=KeyStorage.FILE, key_file=scene.folder / "key")
    with scene.restored(scene.config.changed(encryption_config=secret)) as store:
        assert not is_by_image(scene)
        assert store.reading.is_encrypted()


@pytest.mark.parametrize("kept", ["encrypted", "uncompressed"])
def test_none_is_made_of_an_encrypted_store_or_without_compression(tmp_path: Path, kept: str) -> None:
    secret = EncryptionConfig(key_storage=KeyStorage.FILE, key_file=tmp_path / "key") if kept == "encrypted" else None
    config = StorageConfig(
        name="laptop", state_path=tmp_path / "state", encryption_config=secret,
        backup_config=BackupConfig(compression=kept == "encrypted"),
    )  # fmt: skip
    scene = Scene(tmp_path, config, 5)
    backup = scene.back_up()
    assert backup.image is None
    assert [each.error for each in scene.manager.verify([backup])] == [None]
    scene.store.close()


def test_few_of_its_pieces_are_in_memory_at_once(scene: Scene) -> None:
    backup = scene.back_up()
    assert backup.image is not None
    repository = scene.manager.repository
    image, read, got = images.read(repository, backup.image.ref), list[int](), 0
    get = scene.place.get
    scene.place.get = lambda key: (read.append(1), get(key))[1]  # type: ignore[method-assign, func-returns-value]
    for piece in imaging.pages_of(repository, image):
        got += len(piece)
        assert len(piece) <= images.PAGES_BYTES
        assert len(read) * images.PAGES_BYTES <= got + imaging.AHEAD * images.PAGES_BYTES
    assert (got, len(read)) == (image.size, len(image.pages))


def test_its_bytes_count_for_what_all_backups_may_take(scene: Scene) -> None:
    backup = scene.back_up()
    assert backup.image is not None
    assert backup.total_bytes == backup.added_bytes
    assert backup.image.size > backup.total_bytes // 2


class Small(Place):
    """A place in which little room is left."""

    def put(self, key: str, data: bytes) -> None:
        if self.size() + len(data) > 30_000:
            raise TargetError(self.name, "no space is left", "make room there")
        super().put(key, data)


def test_a_place_without_room_for_an_image_gets_a_backup_without_one(scene: Scene) -> None:
    place = Small()
    manager, told = BackupManager(scene.store, place), list[str]()
    backup = manager.back_up(told.append).manifest
    assert backup.image is None
    assert any("no room for an image" in each for each in told)
    names = {ref.object.hex() for ref in backup.objects}
    assert {key.rpartition("/")[2] for key in place.held if "/objects/" in key} == names
    assert [each.error for each in manager.verify([backup])] == [None]


def test_nothing_readable_of_an_image_lies_at_the_target(scene: Scene) -> None:
    scene.back_up()
    assert not any(b"SQLite format" in data or b"About it" in data for data in scene.place.held.values())


def test_images_that_no_backup_names_any_more_go_with_their_pieces(scene: Scene) -> None:
    first = scene.back_up()
    add(scene.store, TASKS)
    second = scene.back_up()
    repository = scene.manager.repository
    assert first.image is not None
    assert second.image is not None
    old, new = (images.read(repository, each.ref) for each in (first.image, second.image))
    (key, _) = (each.key for each in repository.own())
    scene.place.modified_s = 3 * 24 * 3600.0
    repository.put(Kind.RUN, b"later")
    repository.drop([key], scene.place.modified_s, Inner(repository).of)
    assert repository.missing(old.pages) == list(old.pages)
    assert repository.missing(new.pages) == []


def test_what_restoring_costs_hardly_grows_with_the_store(tmp_path: Path) -> None:
    """By its image, a store of twice as many tasks takes no more statements and no more entities, and twice the pieces."""
    counter = Counter()
    with counter.watching():
        costs: list[Work] = []
        for size in (100, 200):
            scene = Scene(tmp_path / str(size), tasks=size)
            backup = scene.back_up()
            home = tmp_path / str(size) / "new"
            identities.save(home, scene.store.identity)
            config = scene.config.changed(state_path=tmp_path / str(size) / "other")
            costs.append(counter.of(partial(recover, home, config, scene.place, None)))
            assert backup.image is not None
            scene.store.close()
    assert costs[1].statements <= STAYS * costs[0].statements
    assert costs[1].entities <= STAYS * costs[0].entities + 10
    assert not costs[1].beyond(GROWS, costs[0])


def test_the_bytes_of_an_image_grow_with_the_store(tmp_path: Path) -> None:
    sizes = []
    for tasks in (200, 400):
        scene = Scene(tmp_path / str(tasks), tasks=tasks)
        image = scene.back_up().image
        assert image is not None
        pages = images.read(scene.manager.repository, image.ref).pages
        sizes.append(sum(each.size for each in pages))
        scene.store.close()
    assert sizes[0] < sizes[1] < GROWS * sizes[0]
