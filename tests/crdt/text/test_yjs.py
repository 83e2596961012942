from __future__ import annotations

from pycrdt import Doc, Text

from edda_sync.crdt.text.edits import TextEdit
from edda_sync.crdt.text.runs import EDGE, Run
from edda_sync.crdt.text.yjs import ROOT, Item, encode, of_edit, of_runs

CLIENTS = [2**52 + 5, 300, 7]


def read(*updates: bytes) -> str:
    doc: Doc[Text] = Doc()
    text = doc.get(ROOT, type=Text)
    for update in updates:
        doc.apply_update(update)
    return str(text)


def test_an_update_has_its_published_bytes() -> None:
    items = [Item(7, 0, "hé", None, None), Item(7, 2, 300, (7, 1), (7, 0)), Item(300, 0, "x", None, (7, 0))]
    client_300 = "01 ac02 00 44 0700 01 78"
    client_7 = "02 07 00 04 010174 03 68c3a9 c1 0701 0700 ac02"
    deletions = "01 07 02 0001 0901"
    assert encode(items, [(7, 9, 1), (7, 0, 1)]) == bytes.fromhex(
        f"02 {client_300} {client_7} {deletions}".replace(" ", "")
    )
    assert encode([], []) == b"\0\0"


def test_yjs_reads_an_edit_as_it_was_meant() -> None:
    start = of_runs([Run(1, 0, 4, "a🙂b", *EDGE, *EDGE)], CLIENTS)
    assert read(start) == "a🙂b"
    edit = TextEdit(
        (b"C" * 16,), 0, (((1, 2), (1, 3), "xy"), ((0, 0), (0, 1), "🙃"), (None, (1, 0), "<")), ((1, 1, 2),)
    )
    assert read(start, of_edit(edit, CLIENTS)) == "<ax🙃yb"
    more = TextEdit((b"C" * 16,), None, (((2, 1), (1, 3), "!"),), ())
    assert read(start, of_edit(edit, CLIENTS), of_edit(more, [9, 300, 2**52 + 5])) == "<ax🙃y!b"


def test_yjs_reads_runs_with_deleted_ones_among_them() -> None:
    runs = [
        Run(1, 0, 2, "ab", *EDGE, *EDGE),
        Run(0, 0, 3, None, 1, 0, 1, 1),
        Run(2, 0, 1, "!", 0, 1, 0, 2),
    ]
    assert read(of_runs(runs, CLIENTS)) == "a!b"
