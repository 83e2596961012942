"""Bugs of texts: which edits are accepted, and where their words are placed."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "an edit is judged by what is here",
        "An edit may refer to units that its author had not seen, if the receiver already has them.",
        (1, 2),
        "crdt.text.judging:Past.__missing__",
        "if past is None:",
        "if past is None or insertions.seq:",
    ),
    one(
        "a rewrite is its author's",
        "The same rewrite on two devices is applied twice, as in most editors built on CRDTs.",
        (12,),
        "crdt.text.sequence:TextSequence._own_name",
        "return rewrite_name(self.genesis, edit) if edit.is_rewrite else actor",
        "return rewrite_name(self.genesis + actor, edit) if edit.is_rewrite else actor",
    ),
    one(
        "concurrent words stand as they came",
        "Of two words at one place, the word of the author that was heard of first comes first.",
        (1, 2),
        "crdt.text.sequence:TextSequence.place",
        "if self.names[run.name] < mine:",
        "if run.name < name:",
    ),
)
