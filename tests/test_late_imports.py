"""
The contract of imports inside functions: everything is imported at the top of its module, except modules that a plain
command such as ``edda task list`` does not need and would wait for. These are named here: each module costs a command a
fifth of a millisecond, and some cost ten.
"""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
HEAVY = (
    "rocksdict", "obstore",
    "prometheus_client", "tomlkit", "tomllib",
    "pycrdt", "sqlite_utils", "keyring", "cryptography", "zeroconf", "rich", "websockets", "asyncio", "spake2", "zstandard",
)  # fmt: skip

READING_NEEDS_NOT = (
    *HEAVY, "base64", "edda_sync.engine.files",
    "bz2", "concurrent", "difflib", "logging", "lzma", "msgspec", "platformdirs", "random", "shutil", "socket",
    "ssl", "subprocess", "tempfile", "textwrap", "edda_sync.changes", "edda_sync.crdt.entity", "edda_sync.device",
    "edda_sync.engine.write_side", "edda_sync.fold", "edda_sync.ledger", "edda_sync.segments", "edda_sync.sync",
    "edda_sync.transport", "edda_sync.words.listed", "edda_sync.workspace.actor",
)  # fmt: skip
"""A list of tasks reads tables: it needs no entities, nothing that writes, and no libraries but click and SQLite."""
WRITING_NEEDS_NOT = (
    *HEAVY, "concurrent", "difflib", "logging", "platformdirs", "tempfile", "edda_sync.device", "edda_sync.segments",
    "edda_sync.sync", "edda_sync.transport", "edda_sync.engine.membership", "edda_sync.workspace.members",
)  # fmt: skip
STATUS_NEEDS_NOT = (
    "asyncio", "keyring", "pycrdt", "rich", "spake2", "websockets", "zeroconf", "zstandard", "edda_sync.device",
    "edda_sync.ledger", "edda_sync.segments", "edda_sync.sync.behind", "edda_sync.sync.readmission",
)  # fmt: skip
"""It needs cryptography, to say who this device is."""
BACKUP_NEEDS_NOT = (
    "asyncio", "concurrent", "cryptography.x509", "keyring", "logging", "obstore", "pycrdt", "rich", "rocksdict", "spake2",
    "sqlite_utils", "ssl", "tempfile", "websockets", "zeroconf", "edda_sync.device",
)  # fmt: skip
"""A backup is sealed, proved and written to a disk: it needs nothing that links to other devices."""
OURS_MAX = {("task", "list"): 128, ("task", "add", "b"): 192, ("status",): 166}
"""How many of our modules a command may load: raise it when you split one of them."""

CHECKED = (
    "backup", "changes", "cli", "crdt", "demo", "device", "engine", "files", "fold", "imports", "ledger", "sealing",
    "segments", "simulations", "store", "sync", "transport", "words", "workspace",
)  # fmt: skip

EXCEPTIONS = {
    ("cli/command.py", "edda_sync.cli.main"): "Ctrl-C ends the command quietly also while this is loaded",
    ("cli/common.py", "edda_sync.engine.engine"): "help and completion need no engine",
    ("engine/opened.py", "edda_sync.store.sqlite.store"): "a store in memory needs no SQLite",
    ("cli/main.py", "edda_sync"): "the version is looked up in the package's metadata when it is asked for",
}


def loaded_by(home: Path, *args: str) -> set[str]:
    """Return which modules a command loads."""
    code = (
        "import sys\nfrom edda_sync.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as ended:\n    assert not ended.code, ended.code\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    ended = subprocess.run([sys.executable, "-c", code, "--home", str(home), *args], capture_output=True, check=True)
    return set(ended.stderr.decode().split("\n")[-2].split())


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A store that holds a task already."""
    made = tmp_path / "home"
    loaded_by(made, "task", "add", "a", "--tag", "t", "--description", "text")
    loaded_by(made, "task", "list", "--text", "text")  # which writes what was added into the full-text index
    return made


@pytest.mark.parametrize(
    "args",
    [
        ("task", "list"),
        ("task", "list", "--json", "--text", "text"),
        ("task", "add", "b"),
        ("backup", "target", "list"),
        ("--help",),
    ],
    ids=" ".join,
)
def test_a_plain_command_loads_nothing_heavy(home: Path, args: tuple[str, ...]) -> None:
    assert loaded_by(home, *args) & set(HEAVY) == set()


@pytest.mark.parametrize(
    ("args", "needless"),
    [
        (("task", "list"), READING_NEEDS_NOT),
        (("task", "list", "--json", "--text", "text"), READING_NEEDS_NOT),
        (("doc", "list"), READING_NEEDS_NOT),
        (("task", "add", "b"), WRITING_NEEDS_NOT),
        (("status",), STATUS_NEEDS_NOT),
    ],
    ids=["list", "search", "documents", "add", "status"],
)
def test_a_command_loads_nothing_that_it_does_not_need(
    home: Path, args: tuple[str, ...], needless: tuple[str, ...]
) -> None:
    loaded = loaded_by(home, *args)
    assert {name for name in loaded if any(f"{name}.".startswith(f"{each}.") for each in needless)} == set()


def test_a_backup_after_the_first_one_loads_nothing_that_it_does_not_need(home: Path) -> None:
    loaded_by(home, "backup", "now")  # which makes the store that proves backups
    loaded_by(home, "task", "add", "b")
    loaded = loaded_by(home, "backup", "now")
    assert "edda_sync.backup.making" in loaded
    assert {name for name in loaded if any(f"{name}.".startswith(f"{each}.") for each in BACKUP_NEEDS_NOT)} == set()


@pytest.mark.parametrize("args", OURS_MAX, ids=" ".join)
def test_a_command_loads_few_modules_of_ours(home: Path, args: tuple[str, ...]) -> None:
    ours = [name for name in loaded_by(home, *args) if name.partition(".")[0] == "edda_sync"]
    assert len(ours) <= OURS_MAX[args], sorted(ours)


def test_the_check_for_heavy_modules_sees_one(tmp_path: Path) -> None:
    assert "cryptography" in loaded_by(tmp_path / "new", "task", "add", "b"), "a new store makes a key"


def test_help_does_not_load_the_engine(home: Path) -> None:
    assert not [name for name in loaded_by(home, "--help") if name.startswith("edda_sync.engine")]


def late_imports(path: Path) -> Iterator[str]:
    """Yield the modules that functions of a file import."""
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.Import):
                    yield from (each.name for each in node.names)
                elif isinstance(node, ast.ImportFrom):
                    assert node.module is not None
                    yield from (_imported(node.module, each.name) for each in node.names)


@cache
def _imported(module: str, name: str) -> str:
    """Return what ``from module import name`` loads: the module, or one of a package."""
    inner = f"{module}.{name}"
    try:
        spec = find_spec(module)
        return inner if spec is not None and spec.submodule_search_locations and find_spec(inner) else module
    except ValueError:  # a module of native code, which has no spec
        return module


def test_modules_that_a_plain_command_loads_anyway_are_imported_at_the_top(home: Path) -> None:
    loaded = loaded_by(home, "task", "list")
    files = [path for folder in CHECKED for path in sorted((ROOT / "edda_sync" / folder).rglob("*.py"))]
    found = {(str(path.relative_to(ROOT / "edda_sync")), module) for path in files for module in late_imports(path)}
    needless = {(path, module) for path, module in found if module in loaded}
    assert needless == set(EXCEPTIONS)


def test_the_check_for_late_imports_sees_one_in_a_nested_function(tmp_path: Path) -> None:
    sample = tmp_path / "sample.py"
    sample.write_text("def a():\n    async def b():\n        from edda_sync import words\n        import json\n")
    assert set(late_imports(sample)) == {"edda_sync.words", "json"}


def test_the_packages_of_the_contract_exist() -> None:
    there: Any = {path.name for path in (ROOT / "edda_sync").iterdir() if path.is_dir() and path.name[0] != "_"}
    assert there == set(CHECKED)
