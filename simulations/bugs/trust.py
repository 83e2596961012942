"""Bugs of trust: what is believed of a peer, of a newer version, of one's own disk."""

from __future__ import annotations

from typing import Final

from simulations.bugs.planting import Bug, Edit, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "any signature will do",
        "It is checked that there is a signature, and not whose it is: JSON web tokens of the kind 'none'.",
        (6, 9, 10, 17),
        "sync.exchange:Exchange._verify",
        "if not self._verify_signature(public_key, vouch.signature, self._message(actor, vouch.seq, head)):",
        "if not vouch.signature:",
    ),
    one(
        "anybody may write",
        "A change is signed by its author, and nobody asks whether that is a member.",
        (6, 17),
        "crdt.ledger:is_welcome",
        "return is_member(reader, fold, birth.public_key)",
        "return bool(birth.public_key)",
    ),
    Bug(
        "a dot is only a name",
        "What is here under a dot is known, and nobody compares hashes: a fork passes for agreement.",
        (10,),
        (
            Edit("sync.exchange:Exchange._is_news", "if theirs != ours:", "if not theirs:"),
            Edit(
                "sync.forks:find",
                "return [fork for fork in both if not (",
                "return [fork for fork in both if not fork.theirs and not (",
            ),
        ),
    ),
    one(
        "an unknown operation ends its change",
        "What follows an operation of a newer version is not folded.",
        (1, 4, 23),
        "crdt.fold:Fold._receive_chunk",
        "self._unknown[key, self.position] += unknown",
        "self._unknown[key, self.position] += unknown\n            break",
    ),
    one(
        "an unacceptable value is shown",
        "A peer's value of a wrong type is counted, and written all the same.",
        (0, 11, 18),
        "crdt.fold:Fold._check",
        "del operation[3][name]",
        "pass",
    ),
    one(
        "a deletion claims what it likes",
        "A deletion may hide what its author cannot have seen, and what is yet to come.",
        (12, 17),
        "crdt.fold:Fold._check",
        "return 0 if covers(self.past, from_pairs([tuple(pair) for pair in operation[3]])) else -1",
        "return 0 if from_pairs([tuple(pair) for pair in operation[3]]) is not None else -1",
    ),
    one(
        "a part is not compared with its hash",
        "The parts of a large change are taken as they come.",
        (1, 17),
        "sync.exchange:Exchange._take_part",
        "or changes.hash_part(part.data) != header.parts[part.number]:",
        "or not part.data:",
    ),
    one(
        "a scrub does not look at rows",
        "Stored states are compared with their hashes, and what people see with nothing.",
        (1, 11, 22),
        "crdt.fold:Fold.is_sound",
        "self.tx.row(entity.kind, entity_id) == shown.row",
        "self.tx.row(entity.kind, entity_id) is not None",
    ),
    one(
        "what waits is not counted",
        "A device says that it waits for nothing, though it could not fold all that it holds.",
        (18, 23),
        "crdt.ledger:count_waiting",
        "reader.unknown_operations() + len(reader.quarantined())",
        "0",
    ),
)
