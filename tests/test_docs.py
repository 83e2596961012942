"""Outdated documents are bugs: README, PROTOCOL and CONTRIBUTING are compared with the code."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest

import edda_sync
import edda_sync.testing
from edda_sync.backup.keys import Keys
from edda_sync.changes import change, forkproof
from edda_sync.changes.change import Birth, Header
from edda_sync.changes.forkproof import ForkProof
from edda_sync.cli.main import COMMANDS
from edda_sync.crdt import schema
from edda_sync.crdt.attachments import AttachmentRecord
from edda_sync.crdt.operation import Operation
from edda_sync.crdt.records import DeviceRecord, EpochRecord
from edda_sync.crdt.text import state as text_state
from edda_sync.segments import segment
from edda_sync.segments.segment import SegmentHeader
from edda_sync.store.seams import Head
from edda_sync.sync import messages, vouchers
from edda_sync.sync.states import TRANSITIONS, Event, State
from edda_sync.words import limits, values
from edda_sync.workspace.closing import Closing
from edda_sync.workspace.welcome import Admission, DeviceCard, Offer
from tests.cli.processes import PATIENCE_S, Running

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROTOCOL = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def table(text: str, first: str) -> list[list[str]]:
    """Return the rows of the table whose first cell is ``first``, heads included."""
    lines = text[text.index(f"| {first} |") :].splitlines()
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return [row for row in rows if not set("".join(row)) <= {"-", "|"}]


def test_the_readme_lists_every_command_and_no_other() -> None:
    listed = {name for row in table(README, "command")[1:] for name in re.findall(r"`edda (\w+)`", row[0])}
    assert listed | {"completion"} == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"import"}))
def test_every_command_of_the_readme_exists(name: str) -> None:
    from edda_sync.cli.main import root

    assert root.get_command(context(), name) is not None


def context() -> click.Context:
    from edda_sync.cli.main import root

    return click.Context(root)


# --- printed Python ---------------------------------------------------------------------------------------------------


def blocks_of(text: str) -> list[str]:
    """Return the indented blocks of a text, each as a script."""
    found = re.findall(r"(?:^    .*\n(?:[ ]*\n(?=    ))*)+", text + "\n", re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


LIBRARY = README.partition("\n## As a library\n")[2].partition("\n## ")[0]
STORE_BLOCK, DEVICE_BLOCK, TESTING_BLOCK, SQL_BLOCK = blocks_of(LIBRARY)
DOCSTRINGS = {module.__name__: blocks_of(module.__doc__ or "") for module in (edda_sync, edda_sync.testing)}
SCRIPTS = [
    STORE_BLOCK,
    DEVICE_BLOCK,
    TESTING_BLOCK,
    SQL_BLOCK,
    *(block for found in DOCSTRINGS.values() for block in found),
]


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], tuple[list[str], dict[str, str]]]:
    """Makes a script from a block, as a person would: a file in a clean folder, with a home of its own."""
    folder = tmp_path / "clean"
    folder.mkdir()
    environment = {
        "PATH": os.environ["PATH"], "HOME": str(tmp_path), "PYTHONPATH": str(ROOT), "EDDA_KEYRING": "off",
        "PYTHONWARNINGS": "error",
    }  # fmt: skip

    def make(block: str) -> tuple[list[str], dict[str, str]]:
        path = folder / f"block{len(list(folder.iterdir()))}.py"
        path.write_text(block, encoding="utf-8")
        return [sys.executable, str(path)], environment

    return make


def test_the_library_blocks_of_the_readme_run_as_they_are_printed(
    script: Callable[[str], tuple[list[str], dict[str, str]]], tmp_path: Path
) -> None:
    command, environment = script(STORE_BLOCK)
    subprocess.run(command, env=environment, check=True, timeout=PATIENCE_S)
    with edda_sync.open(tmp_path / "notes") as store:
        (task,) = store.query_tasks(edda_sync.TaskQuery())
        assert (task.title, task.description) == ("Write the report", "Three pages.")
        assert len(store.links(task_id=task.id)) == store.counts()["documents"] == 1
    running = Running(*script(DEVICE_BLOCK))  # it runs until Ctrl-C, as its comment says
    running.wait_for(r"^\['Write the report'\]$")
    assert running.end(signal.SIGINT) == 0
    assert running.lines == ["['Write the report']"]


@pytest.mark.parametrize(
    "block", [TESTING_BLOCK, SQL_BLOCK, *(block for found in DOCSTRINGS.values() for block in found)]
)
def test_every_other_printed_block_runs_as_it_is_printed(
    script: Callable[[str], tuple[list[str], dict[str, str]]], block: str
) -> None:
    command, environment = script(block)
    subprocess.run(command, env=environment, check=True, timeout=PATIENCE_S)


def test_every_printed_block_is_typed_strictly(tmp_path: Path) -> None:
    assert all(len(found) == 1 for found in DOCSTRINGS.values())
    paths = [tmp_path / f"printed{number}.py" for number in range(len(SCRIPTS))]
    for path, block in zip(paths, SCRIPTS, strict=True):
        path.write_text(block, encoding="utf-8")
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", "pyproject.toml", *map(str, paths)]
    checked = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_the_package_has_the_declared_version() -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert edda_sync.__version__ == declared


# --- formats and limits -----------------------------------------------------------------------------------------------


def test_protocol_lists_the_messages_with_their_tags() -> None:
    rows = table(PROTOCOL, "tag")[1:]
    listed = {int(row[0]): row[1] for row in rows}
    kinds = get_args(messages.Message)
    assert listed == {kind.__struct_config__.tag: kind.__name__.lower() for kind in kinds}
    for row in rows:
        kind = next(kind for kind in kinds if kind.__struct_config__.tag == int(row[0]))
        names = [field.name for field in msgspec.structs.fields(kind)]
        top = re.sub(r"`[^`]*`|\([^)]*\)|\[[^\]]*\]|:.*", "", row[2]).split(",")
        assert len([each for each in top if each.strip()]) == len(names), (row[1], names)


def test_protocol_has_the_table_of_states() -> None:
    heads, *rows = table(PROTOCOL, "state")
    events = [head.split(" ")[0] for head in heads[1:]]
    assert events == [event.value for event in Event]
    for row in rows:
        state = State(row[0])
        for event, cell in zip(Event, row[1:], strict=True):
            following = TRANSITIONS.get((state, event))
            expected = "-" if state is State.CLOSED else "error" if following is None else following.value
            assert cell == expected, (state, event)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("header", Header),
        ("birth", Birth),
        ("device record", DeviceRecord),
        ("epoch record", EpochRecord),
        ("attachment record", AttachmentRecord),
        ("card", DeviceCard),
        ("offer", Offer),
        ("admission", Admission),
        ("proof", ForkProof),
        ("sealed keys", Keys),
        ("closing", Closing),
        ("text state", text_state._State),
    ],
)
def test_protocol_has_the_fields_of_each_structure(name: str, kind: type[msgspec.Struct]) -> None:
    fields = re.search(rf"^ *{name} +:= msgpack \[(.*?)\]", PROTOCOL, re.MULTILINE)
    assert fields is not None
    assert tuple(name.replace(" ", "_") for name in fields[1].split(", ")) == kind.__struct_fields__


def test_protocol_has_the_operations_and_the_numbers_of_a_headers_ext() -> None:
    codes = {int(row[0]) for row in table(PROTOCOL, "code")[1:]}
    assert codes == {kind.__struct_config__.tag for kind in get_args(Operation)}
    numbers = {int(row[0]): row[1] for row in table(PROTOCOL, "number")[1:]}
    known = {"wall": change.WALL, "agent": change.AGENT, "birth": change.BIRTH, "reason": change.REASON}
    known |= {"parts": change.PARTS, "again": change.AGAIN, "undone": change.UNDONE}
    assert numbers == {number: name for name, number in known.items()}


LOCAL = {
    "state", "version", "sidecar", "machine", "boot", "import", "imported", "beads", "set", "kept", "simulated",
    "schedule", "place", "piece", "exported",
}  # fmt: skip
"""Personalisations of hashes that no other device compares."""


def test_protocol_has_the_personalisation_of_every_hash_that_devices_compare() -> None:
    sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "edda_sync").rglob("*.py"))
    used = set(re.findall(r'person=b"edda-([\w-]+)"', sources))
    said = set(re.findall(r'"edda-([\w-]+)"', PROTOCOL))
    assert said == used - LOCAL


def test_protocol_has_the_cells_of_each_kind() -> None:
    rows = table(PROTOCOL, "entity")[1:]
    for kind, fields in schema._FIELDS.items():
        cells = set(re.findall(r"`([\w.]+)`", " ".join(row[1] for row in rows if f"`{kind}`" in row[0].split(", "))))
        groups = {f"{group}." for group in schema._GROUPS.get(kind, {})}
        assert {each for each in cells if "." not in each} - set(values.STATUSES) == set(fields)
        assert {each.partition(".")[0] + "." for each in cells if "." in each} == groups


@pytest.mark.parametrize(
    ("phrase", "value"),
    [
        ("messages of at most\n1 MiB", limits.FRAME_BYTES_MAX == 1 << 20),
        ("at most 1 MiB", limits.FRAME_BYTES_MAX == 1 << 20),
        ("each 512 KiB of the body", limits.PART_BYTES_MAX == 512 << 10),
        ("a line of at most 255 code points", limits.FILE_NAME_CODE_POINTS_MAX == 255),
        ("ext]      at most 4 KiB", limits.ATTACHMENT_BYTES_MAX == 4 << 10),
        ("at most 4,096 parts", limits.MANIFEST_PARTS_MAX == 4_096),
        ("chunks of 1 MiB", limits.CHUNK_BYTES == 1 << 20),
        ("at most 64 GiB", limits.FILE_BYTES_MAX == 64 << 30),
        ("at most 4 MiB not yet acknowledged", limits.WINDOW_BYTES_MAX == 4 << 20),
        ("1,000\n   lives and branches of lives, and 16 proofs", (limits.BIRTHS_MAX, limits.PROOFS_MAX) == (1_000, 16)),
        (
            "at most 8, of 64 MiB together, are half here",
            (limits.INCOMING_MAX, limits.INCOMING_BYTES_MAX) == (8, 64 << 20),
        ),
        ("at least 65,536 such claims", limits.CLAIMS_MAX == 65_536),
        ("for a peer 32 times a minute", (limits.SCANS_MAX, limits.SCANS_WINDOW_S) == (32, 60)),
        ("told 256 times a minute", (limits.PIECES_MAX, limits.PIECES_WINDOW_S) == (256, 60)),
        ("A hello names 8,192 at most", limits.HEADS_MAX == 8_192),
        ("if it saves 0.2 s", limits.SEGMENT_SAVES_US_MIN == 200_000),
        ("with 50 us a change and 30 us", (limits.LOG_CHANGE_US, limits.LOG_MENTION_US) == (50, 30)),
        ("2 x 65 us an entity", limits.SEGMENT_ENTITY_US == 65),
        ("at most every 50 ms", limits.ANNOUNCE_DELAY_S == 0.05),
        ("within 2 seconds", limits.ANNOUNCE_LATER_S == 2),
        ("250 ms after the first announcement", limits.PULL_GRACE_S == 0.25),
        ("nothing came for 2 seconds", limits.PULL_PROGRESS_S == 2),
        ("at most 64 signed heads", limits.SHOWN_HEADS_MAX == 64),
        ("20 ms later", limits.PROVE_DELAY_S == 0.02),
        ("made once, kept a day", limits.SNAPSHOT_KEPT_S_MAX == 24 * 3600),
        (
            "beyond 32 times their own size is at most 32 MiB a minute",
            (limits.EXPANSION, limits.EXPANDED_BYTES_MAX, limits.EXPANDED_WINDOW_S) == (32, 32 << 20, 60),
        ),
        ("tries at most 256 more", vouchers.TRIES == 256),
        ("at most 256 branches of one actor", limits.BATCH_ENDS_MAX == 256),
        ("together at most 512 KiB a batch", limits.BATCH_VOUCHERS_BYTES_MAX == 512 << 10),
        ("at most 8,192 heads", limits.HEADS_MAX == 8_192),
        ("at most 4,096 coded cells", limits.CODED_CELLS_MAX == 4_096),
        ("at most 64 KiB", limits.HEADER_BYTES_MAX == 64 << 10),
        ("20,000 operations", limits.CHANGE_OPERATIONS_MAX == 20_000),
        ("32 MiB a change", limits.CHANGE_BYTES_MAX == 32 << 20),
        ("20 MiB and 128 KiB an operation", limits.OPERATION_BYTES_MAX == (20 << 20) + (128 << 10)),
        ("4,096 cells and 4 MiB", (limits.ENTITY_CHANGE_CELLS_MAX, limits.ENTITY_CHANGE_BYTES_MAX) == (4_096, 4 << 20)),
        (
            "beyond 4 Mi cells or 256 MiB",
            (limits.ENTITY_LIFE_CELLS_MAX, limits.ENTITY_LIFE_BYTES_MAX) == (4 << 20, 256 << 20),
        ),
        (
            "and 64 for each cell. Where that is more than 384 MiB",
            (limits.ENTITY_CELL_BYTES, limits.ENTITY_BYTES_MAX) == (64, 384 << 20),
        ),
        ("at most 500 code points", limits.TITLE_CODE_POINTS_MAX == 500),
        ("a name 200, a key 256", (limits.NAME_CODE_POINTS_MAX, limits.KEY_CODE_POINTS_MAX) == (200, 256)),
        (
            "text 16 MiB of UTF-8, a JSON value 1 MiB",
            (limits.TEXT_BYTES_MAX, limits.JSON_BYTES_MAX) == (16 << 20, 1 << 20),
        ),
        ("at most 16.5 MiB", limits.TEXT_UPDATE_BYTES_MAX == 33 << 19),
        ("at most 64 Mi units", limits.TEXT_CLOCK_MAX == 64 << 20),
        ("at most 4,096 changes", forkproof.UNSIGNED_MAX == 4_096),
        ("at most 4,096 bytes", limits.BIRTH_BYTES_MAX == 4_096),
        ("a multiple of 4,096", limits.TEXT_RUN_UNITS == 4_096),
        ('"EDDASEG" 02', segment.MAGIC == b"EDDASEG\x02"),
    ],
)
def test_protocol_says_the_limits_as_they_are(phrase: str, value: bool) -> None:
    assert " ".join(phrase.split()) in " ".join(PROTOCOL.split())
    assert value


def test_protocol_has_the_fields_of_a_segment_and_of_its_heads() -> None:
    fields = re.search(r"header +:= \[(.+?)\] +a head: \[(.+?)\]", PROTOCOL)
    assert fields is not None
    assert tuple(fields[1].split(", ")) == SegmentHeader.__struct_fields__
    heads = Head._fields
    assert tuple(name.replace(" ", "_") for name in fields[2].split(", ")) == heads


def test_contributing_names_only_files_that_exist() -> None:
    for row in table(CONTRIBUTING, "place")[1:]:
        for name in re.findall(r"`([\w/.]+)`", row[0]):
            assert (ROOT / name).exists() or (ROOT / "edda_sync" / name).exists(), name


def folders_of_the_package() -> list[list[str]]:
    """Return the parts of the package from below, those of one layer together, by the contract of imports."""
    contract = (ROOT / ".importlinter").read_text(encoding="utf-8").split("[importlinter:contract:layers]")[1]
    layers = contract.split("layers =\n")[1].split("exhaustive")[0].split("\n")
    return [re.findall(r"\w+", layer) for layer in reversed(layers) if layer]


def test_contributing_has_a_row_for_each_part_of_the_package_and_names_what_is_in_it() -> None:
    rows = {row[0].strip("` /").removeprefix("edda_sync/"): row[1] for row in table(CONTRIBUTING, "place")[1:]}
    parts = {
        part if (ROOT / "edda_sync" / part).is_dir() else f"{part}.py"
        for each in folders_of_the_package()
        for part in each
    }
    assert parts - rows.keys() == set()
    for part in parts:
        modules = {each.stem for each in (ROOT / "edda_sync" / part).rglob("*")}
        for name in re.findall(r"`([\w/]+)`", rows[part]):
            path = ROOT / "edda_sync" / name
            assert name.strip("/") in modules or path.exists() or path.with_suffix(".py").exists(), (part, name)


def test_contributing_says_in_which_order_the_parts_import_each_other() -> None:
    said = re.search(r"Imports run one way: ([^.]+)\.", CONTRIBUTING)
    assert said is not None
    assert [sorted(re.findall(r"\w+", each)) for each in said[1].split("<-")] == [
        sorted(each) for each in folders_of_the_package()
    ]


def test_the_documents_link_only_to_files_that_exist() -> None:
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")):
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), (page.name, target)
