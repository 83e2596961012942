"""Mutants of undo in texts: words that come back in the wrong place, or go with the undo of something else."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

TESTS: Final = ("crdt/text/test_stand_ins.py", "crdt/text/test_setting_back.py", "engine/test_remembering.py")
MUTANTS: Final = (
    Mutant(
        "what comes back stands where its position says",
        "Words that come back stand before deleted ones, and change places with their neighbours at the next undo.",
        "crdt/text/making.py",
        "if after is None or after[0] not in sequence.index:",
        "if True:",
        TESTS,
    ),
    Mutant(
        "a stand-in outlives what it stands for",
        "An undo of what had been typed leaves the words that another undo had brought back of it.",
        "crdt/text/stand_ins.py",
        "is_gone = [each.after is None for each in originals for _ in each.text]",
        "is_gone = [False for each in originals for _ in each.text]",
        TESTS,
    ),
    Mutant(
        "an original comes back beside its stand-in",
        "Words that somebody deleted after an undo had brought them back return with any later undo.",
        "crdt/text/stand_ins.py",
        "comes = each.before is None",
        "comes = True",
        TESTS,
    ),
    Mutant(
        "an undo before does not count",
        "The undo of what was typed leaves its words, once another undo had brought some of them back.",
        "engine/undoing.py",
        "if not (keys and settled):",
        "if True:",
        TESTS,
    ),
    Mutant(
        "what comes back stands together",
        "Words that come back from both sides of somebody's words all stand behind these.",
        "crdt/text/setting_back.py",
        "if goes_on and self.after[-1] == (name, clock - 1):",
        "if self.edits and self.after[-1] == (name, clock - 1):",
        TESTS,
    ),
)
