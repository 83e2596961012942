from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

import edda_sync
from edda_sync.store.rocks import database, keys
from edda_sync.store.rocks.database import Settled
from edda_sync.words import limits
from edda_sync.words.errors import LockedStatesError, LostStatesError

OLD, NEW, OTHER = b"o" * 16, b"n" * 16, b"x" * 16
PUTS = [(b"s%04d" % number, b"value %d " % number * 5) for number in range(500)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    database.settle(tmp_path / "states", None, OLD, 1, PUTS, [])
    return tmp_path / "states"


def held(path: Path) -> list[tuple[bytes, bytes]]:
    return list(Settled(path).scan(b"s"))


def test_a_settlement_is_read_at_once_and_written_again_at_once(path: Path) -> None:
    assert Settled(path).token == OLD
    assert held(path) == PUTS
    for number in range(3):
        token = bytes((number,)) * 16
        database.settle(path, Settled(path).token, token, number, [(b"s0001", b"%d" % number)], [b"s0002"])
        settled = Settled(path)
        assert settled.token == token
        assert settled.get([b"s0001", b"s0002", b"s0003"]) == [b"%d" % number, None, PUTS[3][1]]


def test_what_is_open_does_not_change_even_when_its_files_are_merged_and_removed(path: Path) -> None:
    settled, before = Settled(path), OLD
    for number in range(limits.ROCKSDB_FILES_MAX + 2):
        token = bytes((number,)) * 16
        database.settle(path, before, token, number, [(key, b"new") for key, _ in PUTS], [])
        before = token
    assert len(list(path.glob("*.sst"))) < limits.ROCKSDB_FILES_MIN + 2
    assert settled.token == OLD
    assert list(settled.scan(b"s")) == PUTS
    database.remove(path)
    assert settled.get([b"s0007"]) == [PUTS[7][1]]


def test_a_settlement_is_not_done_twice(path: Path) -> None:
    database.settle(path, OLD, NEW, 2, [(b"s0001", b"once")], [])
    database.settle(path, OLD, NEW, 2, [(b"s0001", b"twice")], [])
    assert Settled(path).get([b"s0001"]) == [b"once"]


def test_a_folder_of_another_state_of_the_store_is_not_written(path: Path) -> None:
    with pytest.raises(LostStatesError, match="another state of the store wrote it"):
        database.settle(path, OTHER, NEW, 2, [(b"s0001", b"wrong")], [])
    assert held(path) == PUTS


def test_a_missing_folder_is_reported_and_not_made(tmp_path: Path) -> None:
    for use in (Settled, lambda path: database.settle(path, OLD, NEW, 2, [], [])):
        with pytest.raises(LostStatesError, match=r"missing.*`edda doctor --rebuild`"):
            use(tmp_path / "states")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_was_left_half_made_is_made_anew(path: Path) -> None:
    next(path.glob("*.sst")).write_bytes(b"half")
    database.settle(path, None, NEW, 1, PUTS[:3], [])
    assert held(path) == PUTS[:3]


def test_a_folder_that_another_process_has_open_gives_one_sentence_and_can_be_read(path: Path) -> None:
    code = (
        "import sys; from rocksdict import Rdict, Options; db = Rdict(sys.argv[1], Options(raw_mode=True));"
        "print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdin is not None
        assert other.stdout.readline() == b"open\n"
        with pytest.raises(LockedStatesError, match=r"is locked by another program.*nothing is lost: end that"):
            database.settle(path, OLD, NEW, 2, [], [])
        assert held(path) == PUTS
        other.stdin.close()
    database.settle(path, OLD, NEW, 2, [], [])


@pytest.mark.parametrize("seed", range(4))
def test_no_flipped_bit_of_any_file_is_read_as_something_else(path: Path, tmp_path: Path, seed: int) -> None:
    database.settle(path, OLD, NEW, 2, [(b"s0001", b"new")], [b"s0002"])
    truth, random, found = held(path), Random(seed), 0
    sizes = {each: each.stat().st_size for each in path.iterdir()}
    for number in range(25):
        rotten = tmp_path / f"rotten {number}"
        shutil.copytree(path, rotten)
        files = [each for each in sizes if sizes[each]]
        which = random.choice([each for each in files if each.suffix == ".sst"] * 3 + files)
        content = bytearray((rotten / which.name).read_bytes())
        content[random.randrange(len(content))] ^= 1 << random.randrange(8)
        (rotten / which.name).write_bytes(content)
        try:
            settled = Settled(rotten)
            if settled.token == NEW:  # any other is refused by whoever asks for this one
                assert list(settled.scan(b"s")) == truth, which
                assert list(settled.get([key for key, _ in truth])) == [value for _, value in truth]
        except LostStatesError:
            found += 1
        shutil.rmtree(rotten)
    assert found > 5


def test_nothing_of_a_folder_that_is_no_rocksdb_is_believed(tmp_path: Path) -> None:
    (tmp_path / "CURRENT").write_text("something else\n")
    with pytest.raises(LostStatesError):
        Settled(tmp_path)


def test_the_library_is_met_in_one_module_which_calls_nothing_that_ends_silently_at_damage() -> None:
    package = Path(edda_sync.__file__).parent
    users = [path for path in package.rglob("*.py") if "rocksdict" in imports(ast.parse(path.read_text()))]
    assert [path.relative_to(package) for path in users] == [Path("store/rocks/database.py")]
    called = {node.attr for node in ast.walk(ast.parse(users[0].read_text())) if isinstance(node, ast.Attribute)}
    assert not called & {"items", "keys", "values", "columns", "entities"}
    assert "status" in called


def imports(tree: ast.AST) -> set[str]:
    """Return the top-level names of what a module imports."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").partition(".")[0])
    return found


def test_keys_of_the_mark_and_of_states_do_not_meet() -> None:
    assert not keys.MARK.startswith(keys.STATES)
