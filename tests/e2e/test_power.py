"""Power fails under the real SQLite; planted faults are found; and the disk is as bad as its model says."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from edda_sync import open as open_store
from edda_sync.engine.life import Sidecar
from edda_sync.words.config import DATABASE_FILE
from edda_sync.words.model import Task
from tests.e2e.misfolded import misfold
from tests.e2e.power import Disk, Event, Image, Loss, compile_recorder, read_trace, record, scratch
from tests.e2e.power_campaign import SECTION, repeat, row_of
from tests.e2e.power_judge import Account, Judge, Verdict, judge_moments, lay_out, moments, sample
from tests.e2e.power_work import MARKS

SEED = 1_000_000
IMAGES = 300
PLANTED_IMAGES = 60
TRANSACTIONS = 200
WORK = ("-m", "tests.e2e.power_work")
CARELESS = """
from edda_sync.store.sqlite import store as sqlite
from tests.e2e import power_work
careful = sqlite.SqliteStore.connect
def careless(store, **options):
    connection = careful(store, **options)
    connection.execute("PRAGMA synchronous = {}")
    return connection
sqlite.SqliteStore.connect = careless
power_work.main()
"""
CALLS = """
import os, sys
os.chdir(sys.argv[1])
a = os.open("a", os.O_RDWR | os.O_CREAT)
os.write(a, b"one ")
os.writev(a, [b"two", b" ", b"three"])
os.pwrite(a, b"TWO", 4)
twin = os.dup(a)
os.write(twin, b" four")
os.ftruncate(a, 15)
os.fsync(a)
os.fdatasync(twin)
with open(os.path.abspath("b"), "ab") as file:
    file.write(b"first")
with open(os.path.abspath("b"), "ab") as file:
    file.write(b" second")
with open(os.path.abspath("c"), "wb") as file:
    file.write(b"old and long")
with open(os.path.abspath("c"), "wb") as file:
    file.write(b"new")
with open(os.path.abspath("d"), "wb") as file:
    file.write(b"gone")
os.rename(os.path.abspath("c"), os.path.abspath("e"))
os.unlink(os.path.abspath("d"))
folder = os.open(".", os.O_RDONLY)
os.fsync(folder)
"""
MAPPED = """
import mmap, os, sys
path = os.path.join(sys.argv[1], "mapped")
fd = os.open(path, os.O_RDWR | os.O_CREAT)
os.ftruncate(fd, 4096)
mmap.mmap(fd, 4096)[:4] = b"seen"
"""


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder for recordings and images."""
    made = scratch()
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def recorder(folder: Path) -> Path:
    if shutil.which("cc") is None or not os.path.isdir("/proc/self/fd"):
        pytest.skip("the recorder needs Linux and a C compiler, cc")
    return compile_recorder(folder)


def _record(recorder: Path, folder: Path, command: Sequence[str], *rest: str) -> tuple[list[Event], Path]:
    """Record a command with an empty folder as its first argument; return the trace and that folder."""
    home = folder / f"home{len(list(folder.iterdir()))}"
    home.mkdir()
    return record(recorder, home, home.with_suffix(".trace"), (*command, home, *rest)), home


def _record_work(recorder: Path, folder: Path, command: Sequence[str] = WORK) -> tuple[list[Event], Path]:
    return _record(recorder, folder, command, str(folder / "state"), str(SEED))


@pytest.fixture(scope="module")
def recorded(recorder: Path, folder: Path) -> tuple[list[Event], Path]:
    return _record_work(recorder, folder)


@pytest.fixture
def trace(recorded: tuple[list[Event], Path]) -> list[Event]:
    return recorded[0]


# --- the store --------------------------------------------------------------------------------------------------------


def test_a_store_has_everything_it_acknowledged_and_no_halves_whenever_power_fails(
    recorded: tuple[list[Event], Path], folder: Path, tmp_path: Path
) -> None:
    trace, home = recorded
    verdicts = []
    for verdict, _ in judge_moments(trace, sample(trace, IMAGES, SEED), SEED, folder / "judge"):
        verdicts.append(verdict)
        if verdict.faults:
            kept = shutil.copy(home.with_suffix(".trace"), tmp_path)
            again = f"python -m tests.e2e.power_campaign --trace {kept} --seed {SEED} --cut {verdict.cut}"
            pytest.fail(f"{verdict.faults}; again: {again}")
    assert len(verdicts) == IMAGES
    assert {verdict.loss for verdict in verdicts} == set(Loss)
    for figure in ("acknowledged", "in_flight", "kept", "rebuilt", "written"):
        assert any(getattr(verdict, figure) for verdict in verdicts), figure


def test_the_work_is_200_transactions_with_the_journal_copied_many_times(trace: list[Event]) -> None:
    *_, (_, _, account) = moments(trace)
    assert account.acknowledged == TRANSACTIONS + 2  # two writers settle first
    assert sum(event.kind == "W" and event.name == DATABASE_FILE and event.offset == 0 for event in trace) >= 8
    assert any(event.kind == "U" and event.name.endswith("-wal") for event in trace)


NOISE = random.Random(SEED).randbytes(4096)


def _first_pages(trace: list[Event]) -> Iterator[tuple[Image, Account]]:
    """Yield the disk and the reports at moments when a first page was being written and may be noise."""
    events = [event for event in trace if event.kind != "!"]
    rng = random.Random(SEED)
    for cut, disk, account in moments(trace):
        before = events[cut - 1]
        if before.kind == "W" and before.name == DATABASE_FILE and before.offset == 0:
            image = disk.image(Loss.KEEP, rng)
            image[DATABASE_FILE] = NOISE + image[DATABASE_FILE][len(NOISE) :]
            yield image, account


def test_a_first_page_that_was_torn_is_mended_from_the_journal(trace: list[Event], folder: Path) -> None:
    verdicts = []
    for image, account in _first_pages(trace):
        verdict = Verdict(0, Loss.GARBLE)
        Judge(folder / "judge").judge(image, account, verdict, random.Random(SEED))
        verdicts.append(verdict)
    assert [verdict.faults for verdict in verdicts] == [[] for _ in verdicts]
    assert verdicts[0].acknowledged == 0  # the file was being made, with SQLite's older journal
    assert verdicts[-1].acknowledged > TRANSACTIONS / 2


def test_a_store_whose_first_page_is_noise_is_read_from_its_write_ahead_log(tmp_path: Path) -> None:
    with open_store(tmp_path / "store") as engine:
        made = [engine.create_task(Task(title=f"{number}")) for number in range(20)]
        lay_out(_on_disk(tmp_path / "store"), tmp_path / "found")
    with (tmp_path / "found" / DATABASE_FILE).open("r+b") as file:
        file.write(NOISE)
    with open_store(tmp_path / "found") as engine:
        assert [engine.get_task(task) is not None for task in made] == [True] * 20


def test_a_file_of_noise_beside_the_journal_of_something_else_is_left_alone(trace: list[Event], folder: Path) -> None:
    (*_, (image, account)) = _first_pages(trace)
    for name in (f"{DATABASE_FILE}-wal", f"{DATABASE_FILE}-journal"):
        verdict = Verdict(0, Loss.GARBLE)
        mixed = {DATABASE_FILE: image[DATABASE_FILE], name: NOISE}
        Judge(folder / "judge").judge(mixed, account, verdict, random.Random(SEED))
        assert any("StoreKeyError" in fault for fault in verdict.faults), "it may be encrypted, and its key is not here"
        found = {path.name: path.read_bytes() for path in (folder / "judge" / "image").iterdir()}
        assert found == mixed


# --- planted faults ---------------------------------------------------------------------------------------------------


def _faults(trace: list[Event], folder: Path) -> list[str]:
    verdicts = judge_moments(trace, sample(trace, PLANTED_IMAGES, SEED), SEED, folder / "judge")
    return [fault for verdict, _ in verdicts for fault in verdict.faults]


@pytest.mark.parametrize("name", ["", DATABASE_FILE, f"{DATABASE_FILE}-wal"])
def test_a_disk_that_ignores_syncs_is_found_out(name: str, trace: list[Event], folder: Path) -> None:
    assert _faults([event for event in trace if event.kind != "S" or event.name != name], folder)


@pytest.mark.parametrize("synchronous", ["OFF", "NORMAL"])
def test_a_store_that_acknowledges_too_early_is_found_out(synchronous: str, recorder: Path, folder: Path) -> None:
    trace, _ = _record_work(recorder, folder, ("-c", CARELESS.format(synchronous)))
    faults = _faults(trace, folder)
    assert any("should be" in fault for fault in faults), faults


@pytest.mark.parametrize(("trusts", "fault"), [(True, "an actor that it cannot trust"), (False, "began a new life")])
def test_a_store_that_misjudges_its_sidecar_is_found_out(
    trusts: bool, fault: str, trace: list[Event], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Sidecar, "doubt", lambda *_: "" if trusts else "doubted")
    monkeypatch.setattr("tests.e2e.power_judge.WRITTEN", 1.0)
    assert any(fault in found for found in _faults(trace, folder))


def _lose_the_key(home: Path, _: Account) -> None:
    for path in home.glob("identity.*"):
        path.unlink()


def _acknowledge_more(_: Path, account: Account) -> None:
    account.expected["task", "a", "never made"] = "never made"


def _acknowledge_less(_: Path, account: Account) -> None:
    del account.expected["set", "a", ""]


def _begin_a_half(_: Path, account: Account) -> None:
    account.begun["a"] = {("set", "a", ""): account.expected["set", "a", ""], ("task", "a", "other half"): "there"}
    account.expected["set", "a", ""] = "what it was before"


@pytest.mark.parametrize(
    ("plant", "fault"),
    [
        (misfold, "the log folds into other tables"),
        (_lose_the_key, "without its identity"),
        (_acknowledge_more, "should be 'never made', and is None"),
        (_acknowledge_less, "should be None"),
        (_begin_a_half, "are half there"),
    ],
)
def test_a_planted_fault_is_found(
    plant: Callable[[Path, Account], None],
    fault: str,
    trace: list[Event],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("tests.e2e.power_judge.REBUILT", 1.0)
    *_, (_, disk, account) = moments(trace)
    home = folder / "tampered"
    lay_out(disk.image(Loss.DROP, random.Random(SEED)), home)
    plant(home, account)
    verdict = Verdict(0, Loss.DROP)
    image = {path.name: path.read_bytes() for path in home.iterdir()}
    Judge(folder / "judge").judge(image, account, verdict, random.Random(SEED))
    assert any(fault in found for found in verdict.faults), verdict.faults


# --- the recorder -----------------------------------------------------------------------------------------------------


def _replayed(trace: list[Event]) -> Image:
    *_, (_, disk, _) = moments([*trace, Event("S", "")])
    return disk.image(Loss.KEEP, random.Random(SEED))


def _on_disk(home: Path) -> Image:
    return {p.name: p.read_bytes() for p in home.iterdir() if p.name != MARKS and not p.name.endswith("-shm")}


def test_the_trace_without_loss_gives_the_files(recorded: tuple[list[Event], Path]) -> None:
    trace, home = recorded
    found = _on_disk(home)
    assert len(found[f"{DATABASE_FILE}-wal"]) > 0
    assert _replayed(trace) == found


def test_each_call_that_changes_a_file_is_recorded(recorder: Path, folder: Path) -> None:
    trace, home = _record(recorder, folder, ("-c", CALLS))
    assert _replayed(trace) == _on_disk(home) == {"a": b"one TWO three f", "b": b"first second", "e": b"new"}
    assert [event.name for event in trace if event.kind == "S"] == ["a", "a", ""]


def test_a_file_that_is_written_through_mapped_memory_is_refused(recorder: Path, folder: Path) -> None:
    with pytest.raises(ValueError, match="does not tell what becomes of mapped"):
        _record(recorder, folder, ("-c", MAPPED))


def test_a_kept_trace_makes_the_same_image_again(recorded: tuple[list[Event], Path], folder: Path) -> None:
    trace, home = recorded
    cut = max(sample(trace, 3, SEED))
    ((verdict, _),) = judge_moments(trace, {cut}, SEED, folder / "judge")
    again = repeat(home.with_suffix(".trace"), SEED, cut)
    verdict.took_s = again.took_s = 0.0
    assert verdict == again
    assert read_trace(home.with_suffix(".trace")) == trace


# --- the disk ---------------------------------------------------------------------------------------------------------

OLD, NEW = b"o" * 4096, b"n" * 4096
SYNCED = (Event("C", "f", 1), Event("S", ""), Event("W", "f", 1, 0, OLD), Event("S", "f", 1))
DRAWS = 60


def _images(events: Sequence[Event], loss: Loss) -> list[Image]:
    *_, (_, disk, _) = moments(events)
    return [disk.image(loss, random.Random(draw)) for draw in range(DRAWS)]


def _sectors(content: bytes) -> list[bytes]:
    return [content[at : at + 512] for at in range(0, len(content), 512)]


@pytest.mark.parametrize("loss", Loss)
def test_synced_writes_are_there_whatever_is_lost(loss: Loss) -> None:
    assert _images(SYNCED, loss) == [{"f": OLD}] * DRAWS


def test_unsynced_sectors_are_all_there_or_missing_or_there_up_to_some_point() -> None:
    events = (*SYNCED, Event("W", "f", 1, 0, NEW))
    assert {image["f"] for image in _images(events, Loss.DROP)} == {OLD}
    assert {image["f"] for image in _images(events, Loss.KEEP)} == {NEW}
    torn = {image["f"] for image in _images(events, Loss.TEAR)}
    assert torn == {NEW[:at] + OLD[at:] for at in range(0, 4097, 512)}


def test_each_reordered_sector_is_there_or_not_and_never_mixed() -> None:
    drawn = {image["f"] for image in _images((*SYNCED, Event("W", "f", 1, 0, NEW)), Loss.REORDER)}
    assert {sector for content in drawn for sector in _sectors(content)} == {OLD[:512], NEW[:512]}
    assert any(content.startswith(OLD[:512]) and content.endswith(NEW[:512]) for content in drawn)


def test_a_sector_shows_only_what_it_held_at_some_moment_since_the_sync() -> None:
    events = (*SYNCED, Event("W", "f", 1, 100, b"1"), Event("W", "f", 1, 200, b"2"))
    held = {(111, 111), (ord("1"), 111), (ord("1"), ord("2"))}
    for loss in Loss:
        if loss is not Loss.GARBLE:
            assert {(image["f"][100], image["f"][200]) for image in _images(events, loss)} <= held
    assert {(image["f"][100], image["f"][200]) for image in _images(events, Loss.REORDER)} == held


def test_only_sectors_that_were_being_written_can_be_noise() -> None:
    events = (*SYNCED, Event("W", "f", 1, 1000, NEW[:1000]))
    drawn = [image["f"] for image in _images(events, Loss.GARBLE)]
    assert {content[:1000] + content[2000:] for content in drawn} == {OLD[:1000] + OLD[2000:]}
    assert any(set(content) - {ord("o"), ord("n")} for content in drawn)


def test_a_sync_is_of_one_file() -> None:
    events = (*SYNCED, Event("C", "g", 2), Event("S", ""), Event("W", "g", 2, 0, b"lost"), Event("S", "f", 1))
    assert _images(events, Loss.DROP) == [{"f": OLD, "g": b""}] * DRAWS


def test_a_new_size_may_be_there_or_not() -> None:
    events = (*SYNCED, Event("T", "f", 1, 10))
    assert {len(image["f"]) for image in _images(events, Loss.REORDER)} == {10, 4096}
    assert {len(image["f"]) for image in _images((*events, Event("S", "f", 1)), Loss.REORDER)} == {10}
    grown = (*SYNCED, Event("T", "f", 1, 5000))
    assert {image["f"] for image in _images(grown, Loss.REORDER)} == {OLD, OLD + bytes(904)}


@pytest.mark.parametrize(
    ("naming", "found"),
    [
        ((Event("C", "g", 2),), [{"f"}, {"f", "g"}]),
        ((Event("R", "f", other="g"),), [{"f"}, {"g"}]),
        ((Event("U", "f"),), [set(), {"f"}]),
        ((Event("C", "g", 2), Event("R", "g", other="f")), [{"f"}, {"f", "g"}]),
    ],
)
def test_a_name_is_on_disk_once_its_folder_was_synced(naming: tuple[Event, ...], found: list[set[str]]) -> None:
    for loss in Loss:
        assert all(set(image) in found for image in _images((*SYNCED, *naming), loss))
    drawn = [set(image) for image in _images((*SYNCED, *naming), Loss.REORDER)]
    assert all(names in drawn for names in found)
    *_, last = (set(image) for image in _images((*SYNCED, *naming, Event("S", "")), Loss.REORDER))
    assert last == set(_replayed([*SYNCED, *naming]))


def test_a_file_that_took_a_removed_one_s_inode_is_another_file() -> None:
    events = (*SYNCED, Event("U", "f"), Event("C", "f", 1), Event("W", "f", 1, 0, b"new"), Event("S", "f", 1))
    assert {image.get("f") for image in _images(events, Loss.REORDER)} == {None, OLD, b"new"}


def test_a_disk_refuses_unknown_events() -> None:
    with pytest.raises(ValueError, match="no disk can do"):
        Disk().apply(Event("M", "f", 1))


def test_moments_are_before_each_event_and_after_the_last_and_a_sample_is_spread_over_them() -> None:
    assert [cut for cut, _, _ in moments(SYNCED)] == [0, 1, 2, 3, 4]
    assert sample(SYNCED, 5, SEED) == sample(SYNCED, 99, SEED) == {0, 1, 2, 3, 4}
    drawn = [sample(SYNCED, 2, seed) for seed in range(DRAWS)]
    assert {len(cuts) for cuts in drawn} == {2}
    assert set.union(*drawn) == {0, 1, 2, 3, 4}


def test_a_campaigns_row_gives_its_seeds_and_figures_and_failures() -> None:
    held = Verdict(5, Loss.TEAR, [], 1_200, 2, 1, rebuilt=True, written=False, took_s=0.002)
    row = row_of([held, Verdict(6, Loss.DROP, took_s=0.004)], 3, 4, 1.0)
    assert "| 3-4 | all held | 2: 1 / 0 / 1 / 0 / 0 | 1,200, none lost | 2 (1) | 0, 1 | 3.0 ms, 4.0 ms | 1 s |" in row
    assert row.count("|") == SECTION.splitlines()[-1].count("|")
    assert "| **1 failed**: cut 6 |" in row_of([held, Verdict(6, Loss.DROP, ["lost"])], 3, 3, 1.0)
