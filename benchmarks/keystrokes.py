"""A paper typed as it was written (automerge-paper): every keystroke a durable change, and twenty a change."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from functools import partial
from typing import Final

import edda_sync as edda
from benchmarks.measure import (
    Figure,
    Options,
    Raw,
    a_folder,
    a_raw_store,
    median_of,
    milliseconds,
    seconds,
    size_of,
    spent,
)  # fmt: skip

TRACE: Final = "automerge-paper.json.gz"
WHOLE: Final = 259_778  # keystrokes; the aims are for all of them
AIMS_S: Final = {1: 150.0, 20: 12.0}  # by keystrokes a change
AIM_OPEN_S: Final = 0.050
OPENINGS: Final = 5

Edits = list[tuple[int, int, str]]


def run(options: Options) -> Iterator[Figure]:
    path = options.traces / TRACE
    if not path.exists():
        yield Figure("keystrokes", "", f"not measured: there is no {TRACE}")
        return
    patches = [patch for txn in json.loads(gzip.decompress(path.read_bytes()))["txns"] for patch in txn["patches"]]
    edits: Edits = [(at, deleted, inserted) for at, deleted, inserted in patches[: options.keystrokes or None]]
    for together, aim_s in AIMS_S.items():
        yield from _typed(options, edits, together, aim_s * len(edits) / WHOLE)


def _typed(options: Options, edits: Edits, together: int, aim_s: float) -> Iterator[Figure]:
    with a_raw_store(options) as raw:
        raw_s = seconds(partial(append, raw, edits, together))
    with a_folder(options) as folder:
        home, config = folder / "home", edda.StorageConfig(state_path=folder / "state")
        with edda.open(home, config) as store:
            paper = store.create_document(edda.Document(title="Paper", content=""))
            ours = spent(partial(type_all, store, paper, edits, together))
        opening = median_of(partial(read, home, config, paper), OPENINGS)
        with edda.open(home, config) as store:
            document = store.get_document(paper)
        assert document is not None
        assert document.content == _text(edits)
        size = size_of(home)
    name = "every keystroke" if together == 1 else f"every {together} keystrokes"
    yield Figure(
        f"{name} of {len(edits):,} a durable change", f"{aim_s:,.1f} s", f"{ours.wall_s:,.1f} s", f"{raw_s:,.1f} s",
        raw_s / ours.wall_s, ours.wall_s < aim_s, ours.wall_s, ours.cpu_s,
    )  # fmt: skip
    yield Figure(
        "the text opened and read", milliseconds(AIM_OPEN_S), milliseconds(opening.wall_s),
        reached=opening.wall_s < AIM_OPEN_S, amount=opening.wall_s, cpu_s=opening.cpu_s,
    )  # fmt: skip
    multiple = f"{size / len(document.content):,.0f}"
    yield Figure("on disk, as a multiple of the text", "4, once compacted", multiple, amount=size)


def append(raw: Raw, edits: Edits, together: int) -> None:
    """Write the same words durably into a log, and nothing else."""
    raw.execute("CREATE TABLE log (position INTEGER PRIMARY KEY, edit TEXT)")
    for at in range(0, len(edits), together):
        raw.execute("INSERT INTO log(edit) VALUES (?)", (json.dumps(edits[at : at + together]),))


def type_all(store: edda.StorageEngine, paper: str, edits: Edits, together: int) -> None:
    for at in range(0, len(edits), together):
        store.edit_text(paper, "content", edits[at : at + together])


def read(home: object, config: edda.StorageConfig, paper: str) -> None:
    with edda.open(str(home), config) as store:
        assert store.get_document(paper) is not None


def _text(edits: Edits) -> str:
    text: list[str] = []
    for at, deleted, inserted in edits:
        text[at : at + deleted] = inserted
    return "".join(text)
