"""Every keystroke of a real paper a durable change, and twenty a change as an editor would."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import edda_sync as edda
from benchmarks import kit
from benchmarks.kit import Figure

TRACE = Path(__file__).resolve().parents[2] / "shared" / "data" / "traces" / "automerge-paper.json.gz"
WHOLE = 259_778
AIM_S = 150.0
AIM_20_S = 12.0


def keystrokes(limit: int) -> list[tuple[int, int, str]]:
    """Return the paper's first edits; letters typed one after another where the paper is not at hand."""
    if not TRACE.exists():
        return [(at, 0, "x") for at in range(limit)]
    transactions = json.loads(gzip.decompress(TRACE.read_bytes()))["txns"]
    return [tuple(patch) for transaction in transactions for patch in transaction["patches"]][:limit]


def run(tasks: int) -> list[Figure]:
    """Measure ``tasks`` keystrokes; the aim is scaled to them."""
    edits = keystrokes(tasks)
    rows = []
    for together, aim_s in ((1, AIM_S), (20, AIM_20_S)):
        with kit.store() as engine:
            document = engine.create_document(edda.Document(title="Paper", content=""))

            def type_all(
                engine: edda.StorageEngine = engine, document: str = document, together: int = together
            ) -> None:
                for at in range(0, len(edits), together):
                    engine.edit_text(document, "content", edits[at : at + together])

            took = kit.seconds(type_all)
            read = engine.get_document(document)
            assert read is not None
            assert read.content
        scaled = aim_s * len(edits) / WHOLE
        rows.append(
            Figure(
                f"{len(edits):,} keystrokes, {together} a durable change",
                f"{took:.1f} s",
                "",
                f"{scaled:.1f} s ({aim_s:.0f} s for {WHOLE:,})",
                scaled / took,
            )
        )
    return rows
