"""Bugs of forks and lives: what counts as a proof, how changes are named, what a life continues, early changes."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, Edit, one

PROOF: Final = "sync.learning:Learning.learn"
"""The function that is called for each proof of a fork."""

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "the second branch keeps the name",
        "A branch that arrives after the fork is proved takes its actor's name, so each device gives that name to"
        " another branch.",
        (1, 18),
        "changes.chains:Chains.place",
        "if Point(seq - 1, header.previous) in points:",
        "if Point(seq - 1, header.previous) in points and not self.names.branches(actor):",
        needs=PROOF,
    ),
    one(
        "what heads depend on keeps the old names",
        "A fork renames changes, but the recorded dependencies of other heads keep the old names.",
        (0, 1, 18),
        "sync.learning:Learning._rename",
        "if deps != other.deps:",
        "if ():",
    ),
    Bug(
        "evidence is in no hash",
        "Nobody notices that a peer holds other evidence, and contents are compared all the same.",
        (1, 18),
        (
            Edit("sync.exchange:evidence_hash", "for name in reader.evidence.names():", "for name in ():"),
            Edit("sync.intake:Intake.page", "self._sending.telling.tell_rest()", "pass"),
        ),
        needs="sync.telling:Telling.brought",
    ),
    one(
        "new names are nobody's news",
        "After a fork is proved, no device tells its peers under the new names what it holds.",
        (18,),
        "sync.session:Session.learned",
        "return [*said, *self._hello()] if says_hello else said",
        "return said",
    ),
    one(
        "a proof needs no signature",
        "Two chains of hashes count as proof of a fork, even if somebody made them up.",
        (10,),
        "changes.forkproof:check",
        "if not verify.signed(proof.birth, workspace, proof.seq + len(side.headers), head, side.signature):",
        "if not side.signature:",
    ),
    one(
        "anybody ends a life",
        "A closing is accepted, no matter who signed it.",
        (10,),
        "workspace.closing:check",
        "if not verify(key, closing.signature, message):",
        "if not closing.signature:",
    ),
    one(
        "who has not written yet is itself",
        "A store that has not written in its life yet goes on in it, and so does each copy of the store: a bug that"
        " this code had.",
        (9, 10),
        "engine.writing:Writing._doubt",
        'return ""',
        "return None",
    ),
    one(
        "early writes stay where they stand",
        "What a newcomer wrote before its first sync stays in the log ahead of the changes that it depends on.",
        (1, 3, 18),
        "changes.early:settle",
        "tx.log.move_to_end(early)",
        "pass",
    ),
    one(
        "dependencies may go down",
        "A change may depend on less than its actor's change before it.",
        (3, 17),
        "ledger.admission:_check_past",
        "if chains.goes_on(dot, before):",
        "if False:",
    ),
    one(
        "a member is who is one here",
        "Whether a life may begin is decided by the members that the receiver knows, and not by those in the life's"
        " past.",
        (0, 2, 17),
        "workspace.authority:is_member_in",
        "return any(seq <= past.get(actor, 0) for actor, seq, _, _ in records)",
        "return bool(records)",
    ),
    one(
        "who is let in again rests on what is lost",
        "A newcomer is let in again, and still waits for the first change that let it in, which nobody has any more:"
        " a bug that this code had; seed 446758 found it.",
        (18,),
        "sync.readmission:readmit",
        "return is_due(tx) and _go_on(",
        "return False and _go_on(",
    ),
    one(
        "what was written early falls with what let it in",
        "A newcomer that is let in again begins with an empty store, as in systems where pairing anew loses what was"
        " there.",
        (5, 21),
        "sync.readmission:_go_on",
        "rewriting.write_again(tx, ledger, left, random(16))",
        "pass",
    ),
)
