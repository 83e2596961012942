"""Histories with a liar in them: every device comes to one verdict and one text, and pycrdt to the same order."""

from __future__ import annotations

import pytest

from edda_sync.simulations.bugs.planting import Edit
from tests.crdt.text_histories import differences, lies_accepted, make
from tests.crdt.text_witness import contradictions

SEEDS = 100  # a campaign runs more: `make fuzz`


def test_every_device_gives_one_verdict_and_one_text_in_every_order() -> None:
    accepted = 0
    for seed in range(SEEDS):
        history = make(seed)
        assert differences(history, seed) == [], f"seed {seed}"
        accepted += lies_accepted(history)
    assert accepted > SEEDS, "a lie that nobody accepts shows nothing"


def test_pycrdt_puts_every_unit_where_the_text_has_it() -> None:
    for seed in range(SEEDS):
        assert contradictions(make(seed), seed) == [], f"seed {seed}"


def test_a_history_without_lies_is_accepted_whole() -> None:
    for seed in range(SEEDS // 3):
        history = make(seed, lies=False)
        assert differences(history, seed) == [], f"seed {seed}"
        assert lies_accepted(history) == 0


PLANTED = {
    "what is known here is known to everybody": Edit(
        "crdt.text.judging:Past.__missing__", "past.get(actor[-NAME_BYTES:], 0)", "1 << 60"
    ),
    "a rewrite that is known here is known to everybody": Edit(
        "crdt.text.judging:Past.__missing__",
        "rewrite.size if past is None or meets(rewrite.dots, self._dot, past) else 0",
        "rewrite.size",
    ),
    "a text that is known here is known to everybody": Edit(
        "crdt.text.sequence:TextSequence.accept", "if not meets(self.starts, dot, past):", "if False:"
    ),
    "a later start is not noted": Edit("crdt.text.document:TextDocument.started", "text.starts.add(dot)", "pass"),
    "neighbours need not be neighbours": Edit("crdt.text.judging:judge", "if following != right:", "if False:"),
    "anything may be deleted": Edit(
        "crdt.text.judging:judge",
        "if at + length > (clock if name == own else known[name]):",
        "if False:",
    ),
    "characters are cut in halves": Edit(
        "crdt.text.order:Order.is_inside", "name in self.pairs and self.pairs[name].has(clock)", "False"
    ),
    "characters are forgotten with the last one that shows": Edit(
        "crdt.text.state:encode",
        "for name, found in sorted(text.order.pairs.items())",
        "for name, found in sorted(text.order.pairs.items()) if not text.order.string().isascii()",
    ),
    "who came first stands first": Edit(
        "crdt.text.sequence:TextSequence.place", "self.names[run.name] < mine", "run.name < name"
    ),
    "what was written behind another insertion stands apart from it": Edit(
        "crdt.text.sequence:TextSequence.place", "if beside not in passed or", "if True or"
    ),
    "an insertion stands between another one and what was written behind that": Edit(
        "crdt.text.sequence:TextSequence.place", "if beside not in undecided:", "if True:"
    ),
    "a block goes before every one of its edit that it was written before": Edit(
        "crdt.text.sequence:TextSequence._take", "if begun.get(right) == left or", "if begun or"
    ),
    "a rewrite belongs to who made it first": Edit(
        "crdt.text.sequence:TextSequence._bring", "rewrite.dots.add(dot)", "pass"
    ),
    "a rewrite is named by its words alone": Edit(
        "crdt.text.edits:rewrite_name", "_encode(edit)", "_encode(edit.blocks)"
    ),
    "runs are not joined when their chunks are": Edit(
        "crdt.text.order:Order._merge", "if self._is_one(", "if False and self._is_one("
    ),
    "names stay in the order in which they came": Edit(
        "crdt.text.sequence:TextSequence.sort_names", "if names == self.names:", "if names:"
    ),
}


@pytest.mark.parametrize("planted", PLANTED.values(), ids=PLANTED)
def test_a_planted_fault_is_noticed(planted: Edit) -> None:
    with planted.on():
        assert any(_shows(seed) for seed in range(300)), "no history shows it"


def _shows(seed: int) -> bool:
    try:
        return bool(differences(make(seed), seed))
    except Exception:  # noqa: BLE001 -- what a fault breaks shows it, too
        return True
