"""The layout of the tests: every module has its test file in the same folder, or is in one short list with a reason."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatch
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
PACKAGE = TESTS.parent / "edda_sync"

NOTHING_TO_RUN = "it holds values, types or protocols, and nothing that runs"

ELSEWHERE = {
    # modules: (where they are tested, why they have no file of their own)
    "device/filing.py": (
        "device/test_fetching.py",
        "what it gives a replica and asks of it, real devices use there",
    ),
    "device/happening.py": ("device/test_status.py", NOTHING_TO_RUN),
    "simulations/driver.py": ("simulations/test_simulator.py", NOTHING_TO_RUN),
    "simulations/protocols.py": ("simulations/test_simulator.py", NOTHING_TO_RUN),
    "sync/effects.py": ("sync/test_session.py", NOTHING_TO_RUN),
    "sync/ending.py": ("sync/test_session.py", "how sessions end, over errors and bugs, is tried there"),
    "sync/fetching.py": (
        "sync/test_filing.py",
        "real replicas fetch there, over links that break and from peers that lie",
    ),
    "sync/file_messages.py": ("sync/test_messages.py", "the bytes of each message are pinned there"),
    "sync/lending.py": ("sync/test_filing.py", "what peers fetch there, it lends"),
    "sync/stowing.py": ("sync/test_filing.py", "what comes there is kept by it, on disks that may be full"),
    "sync/keys.py": ("sync/test_vouchers.py", NOTHING_TO_RUN),
    "sync/orders.py": ("sync/test_steward.py", NOTHING_TO_RUN),
    "words/listed.py": ("engine/test_reading.py", NOTHING_TO_RUN),
    "workspace/keys.py": ("workspace/test_actor.py", NOTHING_TO_RUN),
    "simulations/bugs/*.py": (
        "simulations/test_planted.py",
        "planted bugs are data, and each of them is planted there",
    ),
    "simulations/checkers/*.py": ("simulations/test_checkers.py", "each checker is made to fail there, by one table"),
    "simulations/strange.py": ("attacks/test_operations.py", "what it writes is what those tests are about"),
    "store/memory/journal.py": (
        "store/seams/test_store.py",
        "what it undoes there, of both stores, is its whole purpose",
    ),
    "engine/migrating.py": ("store/rocks/test_moving.py", "what it moves is compared there, and killed at each step"),
    "store/rocks/base.py": ("store/rocks/test_view.py", "a view looks through it at everything that it can return"),
    "store/rocks/pending.py": (
        "store/rocks/test_settling.py",
        "what is pending, and its mark, is what settling is about",
    ),
    "store/sqlite/checks.py": ("store/sqlite/test_damage.py", "what damages a file there, it finds and removes"),
    "store/sqlite/keeping.py": ("store/rocks/test_keeper.py", "it says what RocksDB has to do, which is tested there"),
    "store/sqlite/names.py": ("store/sqlite/test_schema.py", "it names the tables and indexes that are made there"),
    "store/sqlite/statements.py": (
        "store/seams/test_store.py",
        "each facet of the SQLite store, and its undoing, runs by it",
    ),
    "store/*/reader.py": ("store/seams/test_store.py", "the contract of both stores tests what is composed there"),
    "store/*/writer.py": ("store/seams/test_store.py", "the contract of both stores tests what is composed there"),
    "sync/intake.py": ("sync/test_session.py", "the talk's table, each row of which is tried there, calls it"),
    "sync/learning.py": ("sync/test_forks.py", "a fork that is proved is what those tests are about"),
    "sync/rewriting.py": (
        "sync/test_readmission.py",
        "what is written again there, and in sync/test_behind.py, it writes",
    ),
    "sync/saying.py": ("sync/test_session.py", "the talk's table, each row of which is tried there, calls it"),
}


def modules() -> list[str]:
    """Return the modules of the package, by path."""
    return sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py") if path.name != "__init__.py")


def mirror(module: str) -> Path:
    """Return where a module's tests belong; for a facet of a store that is the contract suite of both stores."""
    path = Path(module)
    is_facet = (
        path.parent in (Path("store/memory"), Path("store/rocks"), Path("store/sqlite"))
        and (PACKAGE / "store/seams" / path.name).is_file()
    )
    folder = Path("store/seams") if is_facet and path.name != "store.py" else path.parent
    return TESTS / folder / f"test_{path.name}"


def listed(module: str) -> bool:
    return any(fnmatch(module, pattern) for pattern in ELSEWHERE)


@pytest.mark.parametrize("module", modules())
def test_every_module_has_a_test_file_in_the_same_folder_or_a_reason(module: str) -> None:
    assert mirror(module).is_file() or listed(module), f"write {mirror(module).relative_to(TESTS.parent)}"


@pytest.mark.parametrize("pattern", ELSEWHERE)
def test_every_entry_of_the_list_exists_and_needs_its_reason(pattern: str) -> None:
    place, why = ELSEWHERE[pattern]
    assert (TESTS / place).is_file(), place
    assert len(why.split()) > 5
    found = [module for module in modules() if fnmatch(module, pattern)]
    assert found, "there is no such module any more"
    assert not all(mirror(module).is_file() for module in found), "it has a test file of its own by now"


def test_the_check_sees_a_module_without_tests() -> None:
    assert not mirror("sync/nonsense.py").is_file()
    assert not listed("sync/nonsense.py")
    assert mirror("sync/session.py") == TESTS / "sync" / "test_session.py"


# --- the package ------------------------------------------------------------------------------------------------------

LINES_MAX = 400  # more than a reader takes in as one idea


def test_no_file_of_the_package_is_long() -> None:
    lines = {path.relative_to(PACKAGE): len(path.read_text().splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {path: count for path, count in lines.items() if count > LINES_MAX} == {}


def test_no_module_leads_back_to_itself_by_imports_early_or_late() -> None:
    assert ring(imports()) == []


def test_the_check_sees_a_ring() -> None:
    assert sorted(ring({"a": {"b"}, "b": {"c"}, "c": {"b"}})) == ["b", "c"]


def imports() -> dict[str, set[str]]:
    """Of each module those that it imports anywhere, but for what only type checkers read."""
    modules = {_name(path): path for path in PACKAGE.rglob("*.py")}
    found: dict[str, set[str]] = {}
    for name, path in modules.items():
        tree = ast.parse(path.read_text())
        unread = {inner for node in ast.walk(tree) if _is_for_types(node) for inner in ast.walk(node)}
        named = set[str]()
        for node in ast.walk(tree):
            if node in unread:
                continue
            if isinstance(node, ast.Import):
                named |= {each.name for each in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module is not None:
                named |= {f"{node.module}.{each.name}" for each in node.names} | {node.module}
        found[name] = {each for each in named & modules.keys() if modules[each].name != "__init__.py"} - {name}
    return found


def test_the_wheel_holds_the_package_alone() -> None:
    built = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert built == {"targets": {"wheel": {"packages": [PACKAGE.name]}}}


def ring(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules that lie on a ring: what is left once modules that import none of the others, or that none imports, are
    taken away again and again."""
    left = {name: set(named) for name, named in graph.items()}
    while gone := {name for name, named in left.items() if not named} | (left.keys() - set().union(*left.values())):
        left = {name: named - gone for name, named in left.items() if name not in gone}
        if not left:
            return []
    return list(left)


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
