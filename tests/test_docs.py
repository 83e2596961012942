"""Documents that drift are bugs: README, PROTOCOL and CONTRIBUTING are held against the code."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path
from typing import get_args

import click
import msgspec
import pytest

import edda_sync
from edda_sync import limits
from edda_sync.backup.segment import SegmentHeader
from edda_sync.cli import COMMANDS
from edda_sync.crdt import change
from edda_sync.crdt.change import Header
from edda_sync.engine import StorageEngine
from edda_sync.protocols import Head
from edda_sync.sync import forks, messages
from edda_sync.sync.session import TRANSITIONS, Event, State

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROTOCOL = (ROOT / "PROTOCOL.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def table(text: str, first: str) -> list[list[str]]:
    """Rows of the table whose first row starts so, heads included."""
    lines = text[text.index(f"| {first} |") :].splitlines()
    rows = []
    for line in lines:
        if not line.startswith("|"):
            break
        rows.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return [row for row in rows if not set("".join(row)) <= {"-", "|"}]


def test_readme_lists_every_command_and_no_other() -> None:
    listed = {name for row in table(README, "command")[1:] for name in re.findall(r"`edda (\w+)`", row[0])}
    assert listed | {"completion"} == set(COMMANDS)


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - {"import"}))
def test_every_command_of_the_readme_is_there(name: str) -> None:
    from edda_sync.cli import root

    assert root.get_command(context(), name) is not None


def context() -> click.Context:
    from edda_sync.cli import root

    return click.Context(root)


def test_the_library_example_of_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"## As a library\n\n((?:    .*\n|\n)+)", README)
    assert block is not None
    code = textwrap.dedent(block[1]).split("async with")[0].replace('"~/notes"', repr(str(tmp_path / "notes")))
    names: dict[str, object] = {}
    exec(compile(code, "README.md", "exec"), names)
    with edda_sync.open(tmp_path / "notes") as store:
        assert isinstance(store, StorageEngine)
        assert store.counts()["documents"] == 1
        task = store.get_task(str(names["task_id"]))
        assert task is not None
        assert task.description == "Three pages."
        assert len(store.links(task_id=task.id)) == 1


def test_the_testing_example_of_the_readme_runs() -> None:
    block = re.search(r"without a network:\n\n((?:    .*\n)+)", README)
    assert block is not None
    exec(compile(textwrap.dedent(block[1]), "README.md", "exec"), {"edda": edda_sync})


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


def test_protocol_has_the_header_and_the_operations() -> None:
    fields = re.search(r"header := msgpack \[(.*)\]", PROTOCOL)
    assert fields is not None
    assert fields[1].split(", ") == [field.name for field in msgspec.structs.fields(Header)]
    codes = {int(row[0]) for row in table(PROTOCOL, "code")[1:]}
    assert codes == {change.PUT, change.EDIT, change.DELETE, change.TOUCH}


@pytest.mark.parametrize(
    ("phrase", "value"),
    [
        ("messages of at most\n1 MiB", limits.FRAME_BYTES_MAX == 1 << 20),
        ("at most 1 MiB", limits.FRAME_BYTES_MAX == 1 << 20),
        ("each 512 KiB of the body", limits.PART_BYTES_MAX == 512 << 10),
        ("at most 4 MiB not yet acknowledged", limits.WINDOW_BYTES_MAX == 4 << 20),
        ("lacks 5,000 changes or more", limits.SNAPSHOT_CHANGES_MIN == 5_000),
        ("is passed on 150 ms later", limits.RELAY_DELAY_S == 0.15),
        ("equal for 20 ms", limits.PROVE_DELAY_S == 0.02),
        ("made once, kept a day", limits.SNAPSHOT_KEPT_S_MAX == 24 * 3600),
        ("mod 4096", limits.DIGEST_BUCKETS == 4096),
        ("the first 4 bytes of the hash", forks.CHAIN_HASH_BYTES == 4),
        ("at most the last 65,536", limits.CHAIN_HASHES_MAX == 65_536),
    ],
)
def test_protocol_says_the_limits_as_they_are(phrase: str, value: bool) -> None:
    assert phrase in PROTOCOL
    assert value


def test_protocol_has_the_fields_of_a_segment_and_of_its_heads() -> None:
    fields = re.search(r"header +:= \[(.+?)\] +a head: \[(.+?)\]", PROTOCOL)
    assert fields is not None
    assert tuple(fields[1].split(", ")) == SegmentHeader.__struct_fields__
    heads = Head._fields
    assert tuple(name.replace(" ", "_") for name in fields[2].split(", ")) == heads


def test_contributing_names_only_what_is_there() -> None:
    for row in table(CONTRIBUTING, "place")[1:]:
        for name in re.findall(r"`([\w/.]+)`", row[0]):
            assert (ROOT / name).exists() or (ROOT / "edda_sync" / name).exists(), name


def test_the_documents_link_only_to_what_is_there() -> None:
    for name in ("README.md", "PROTOCOL.md", "CONTRIBUTING.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (ROOT / target).exists(), (name, target)
