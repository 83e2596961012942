"""
A witness for the order of a text: pycrdt, which gets the same edits and which the product does not use for this.

It gets them in an order of its own, one update for each edit. The first time without their deletions, so that it shows
every unit that ever was, and a second time with them.
"""

from __future__ import annotations

import random
from collections.abc import Iterable

from pycrdt import Doc, Text

from edda_sync.crdt.text import edits as codec
from edda_sync.crdt.text import yjs
from edda_sync.crdt.text.clients import client_ids
from edda_sync.crdt.text.edits import TextEdit
from edda_sync.crdt.text.runs import EDGE, Run
from edda_sync.crdt.text.units import units
from tests.crdt.text_histories import History, causal_order, tell, units_of


def contradictions(history: History, seed: int) -> list[str]:
    """Return in words where pycrdt contradicts a text; nothing if all is well."""
    chance = random.Random(seed)
    device = tell(history, seed)
    document = device.document
    assert document is not None
    ids = client_ids(document.vector(), bits=chance.choice((1, 3, 52)))
    every, shown = _doc(), _doc()
    words: dict[tuple[bytes, int], bytes] = {}  # each unit as two bytes
    genesis = history.genesis
    if history.start:
        run = Run(0, 0, units(history.start), history.start, *EDGE, *EDGE)
        for doc in (every, shown):
            doc.apply_update(yjs.of_runs([run], [ids[genesis]]))
        words.update(_words(genesis, 0, history.start))
    for change in causal_order(chance, history.changes):
        for number, data in enumerate(change.edits):
            if device.verdicts[change.dot, number] is not None:
                continue
            edit = codec.decode(data)
            own = codec.rewrite_name(genesis, edit) if edit.is_rewrite else change.dot[0]
            clients = [ids.get(name, 0) for name in (own, genesis, *edit.names)]
            shown.apply_update(yjs.of_edit(edit, clients))
            every.apply_update(yjs.of_edit(TextEdit(edit.names, edit.clock, edit.blocks, ()), clients))
            clock = edit.clock or 0
            for _, _, text in edit.blocks:
                words.update(_words(own, clock, text))
                clock += units(text)
    found = []
    if str(shown["t"]) != document.string():
        found.append(f"pycrdt reads {str(shown['t'])!r}, the text {document.string()!r}")
    if str(every["t"]).encode("utf-16-le") != b"".join(words[unit] for unit in units_of(document)):
        found.append(f"pycrdt has another order: {str(every['t'])!r}")
    if str(document.doc()["t"]) != document.string():
        found.append("the rendered document reads otherwise")
    return found


def _doc() -> Doc[Text]:
    doc: Doc[Text] = Doc()
    doc.get(yjs.ROOT, type=Text)
    return doc


def _words(name: bytes, clock: int, text: str) -> Iterable[tuple[tuple[bytes, int], bytes]]:
    raw = text.encode("utf-16-le")
    return (((name, clock + at), raw[2 * at : 2 * at + 2]) for at in range(len(raw) // 2))
