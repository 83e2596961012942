"""Mutants of fold and ledger, and of the formats below them: what is admitted, applied, folded anew, and compared."""

from __future__ import annotations

from typing import Final

from tests.mutations.mutant import Mutant

MUTANTS: Final[tuple[Mutant, ...]] = (
    Mutant(
        "the bytes of one transaction have no limit",
        "A change is acknowledged that every peer refuses for good, with all that follows it.",
        "ledger/body.py",
        "self.size > limits.CHANGE_BYTES_MAX",
        "False",
        ("ledger/test_body.py",),
    ),
    Mutant(
        "a state may be touched beyond its frontier",
        "A hostile segment brings a task that nobody can delete.",
        "crdt/schema.py",
        "not frontier.covers(at, entity.touched) or not frontier.covers(at, entity.deleted)",
        "not frontier.covers(at, entity.deleted)",
        ("crdt/test_schema.py",),
    ),
    Mutant(
        "coded cells of any length are taken",
        "A liar's cut cells end a comparison with an error that nobody named.",
        "crdt/sketch.py",
        "if not theirs or len(theirs) % CELL_BYTES:",
        "if not theirs:",
        ("crdt/test_sketch.py",),
    ),
    Mutant(
        "an entity's hash has another personalisation",
        "Two versions hold the same and are never proved equal.",
        "crdt/state.py",
        'person=b"edda-entity"',
        'person=b"edda-entities"',
        ("crdt/test_state.py",),
    ),
    Mutant(
        "an operation is refused though what it rests on waits",
        "An honest edit is refused for good by who has not updated yet, and by nobody else.",
        "fold/unapplied.py",
        "if self._waits_in_past(key, number):",
        "if False:",
        ("fold/test_unapplied.py",),
    ),
    Mutant(
        "one entity that cannot be read ends bringing texts up to date",
        "One rotten text keeps a device from being proved equal, and from syncing.",
        "fold/fold.py",
        "for key in self.reader.stale_texts() if self.is_readable(key)",
        "for key in self.reader.stale_texts()",
        ("fold/test_applying.py",),
    ),
    Mutant(
        "who points at what went is not shown anew",
        "A task names a parent that is not there, and the tables break their foreign keys.",
        "fold/projector.py",
        "[*reader.waiting_for(came), *reader.referrers(went)] if went else reader.waiting_for(came)",
        "reader.waiting_for(came)",
        ("fold/test_projector.py",),
    ),
    Mutant(
        "the scrub does not compare the digest",
        "A digest that rotted keeps two equal devices from being proved equal for ever.",
        "fold/scrub.py",
        "if total != reader.digest()",
        "if total is None",
        ("fold/test_scrub.py",),
    ),
    Mutant(
        "a text that an undone transaction touched is kept",
        "A phantom document diverges from its peers with equal state vectors.",
        "fold/texts.py",
        "for key in self._touched:",
        "for key in ():",
        ("fold/test_texts.py",),
    ),
    Mutant(
        "a past that names more than it covers is taken",
        "A change enters a log that lacks what it rests on, and is judged otherwise elsewhere.",
        "ledger/admission.py",
        "if not frontier.covers(deps, beyond):",
        "if False:",
        ("ledger/test_admission.py",),
    ),
    Mutant(
        "who is no member may write",
        "Whoever has a certificate of its own making writes into the workspace.",
        "ledger/admission.py",
        "if head is None and not is_admissible(",
        "if False and not is_admissible(",
        ("ledger/test_admission.py",),
    ),
    Mutant(
        "what is folded anew is not compared with its hash",
        "A log that rotted is folded into the tables, and differs from everybody's.",
        "ledger/refold.py",
        "verify_logged(tx, tx.logged(position))",
        "tx.logged(position)",
        ("ledger/test_refold.py",),
    ),
    Mutant(
        "who points at what was folded anew is not shown again",
        "Subtasks and links of a mended task are gone from the tables.",
        "ledger/refold.py",
        "fold.show_again(pointing)",
        "pass",
        ("ledger/test_refold.py",),
    ),
    Mutant(
        "a life continues what is not here without waiting for it",
        "What was written before the first sync is folded with a past that it did not have.",
        "ledger/ledger.py",
        "self.refold(tx, early.settle(tx, logged))",
        "early.settle(tx, logged)",
        ("changes/test_early.py",),
    ),
)
