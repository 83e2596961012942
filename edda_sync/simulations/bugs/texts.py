"""Bugs of texts: which edits are accepted, and where their words are placed."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "an edit is judged by what is here",
        "An edit may stand beside units that its author had not seen, where these are here already.",
        (1, 2),
        "crdt.text.judging:Past.__missing__",
        "if past is None:",
        "if past is None or insertions.seq:",
    ),
    one(
        "a rewrite is its author's",
        "The same rewrite made on two devices is made twice: most editors over CRDTs.",
        (12,),
        "crdt.text.sequence:TextSequence._own_name",
        "return rewrite_name(self.genesis, edit) if edit.is_rewrite else actor",
        "return rewrite_name(self.genesis + actor, edit) if edit.is_rewrite else actor",
    ),
    one(
        "concurrent words stand as they came",
        "Of two words at one place that one comes first whose author was heard of first.",
        (1, 2),
        "crdt.text.sequence:TextSequence.place",
        "if self.names[run.name] < mine:",
        "if run.name < name:",
    ),
)
