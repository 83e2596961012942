"""Bugs of trust: what is believed of a peer, of a newer version, and of the device's own disk."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "any signature will do",
        "A device checks that there is a signature, but not whose it is: JSON web tokens with the algorithm 'none'.",
        (6, 9, 10, 17),
        "sync.vouchers:_Signatures.of",
        "if self._verify(key, each.signature, changes.signed_message(self._workspace, actor, each.seq, head)):",
        "if each.signature:",
    ),
    one(
        "anybody may write",
        "A change is signed by its author, but nobody checks that the author is a member.",
        (6, 15, 17),
        "ledger.admission:is_admissible",
        "return authority.is_member_in(device, deps)",
        "return bool(birth.public_key)",
    ),
    one(
        "a dot is only a name",
        "A change counts as known if its dot is here, without comparing hashes: a fork passes for agreement.",
        (1, 3, 10, 18),
        "changes.chains:Chains.find",
        "digest = self._hash_at(name, seq)\n    if digest is not None and digest.startswith(prefix):",
        "digest = self._hash_at(name, seq)\n    if digest is not None:",
    ),
    one(
        "an unknown operation ends its change",
        "Whatever follows an operation of a newer version in its change is not folded.",
        (1, 4, 12, 23),
        "fold.fold:Fold._receive_chunk",
        'self._wait(key, "only a newer version knows this operation")',
        'self._wait(key, "only a newer version knows this operation")\n                break',
    ),
    one(
        "an unacceptable value is shown",
        "A peer's value of a wrong type is written without a check.",
        (0, 11, 12, 17, 18),
        "fold.fold:Fold._receive_one",
        "unknown, size = self._checks.put(self.change, one)",
        "unknown, size = (), 0",
    ),
    one(
        "a deletion claims what it likes",
        "A deletion may hide what its author cannot have seen, even changes that do not exist yet.",
        (12, 17),
        "changes.chains:Chains.pairs",
        "seen = {actor: min(seq, past.get(actor, 0)) for actor, seq in pairs}",
        "seen = dict(pairs)",
    ),
    one(
        "a part is not compared with its hash",
        "The parts of a large change are taken without a check of their hashes.",
        (1, 9, 17),
        "sync.large:incoming_of",
        "if fits and changes.hash_part(part.data) == header.parts[part.number]:",
        "if fits and part.data:",
    ),
    one(
        "a scrub does not look at rows",
        "Stored states are compared with their hashes, but the rows that people see are compared with nothing.",
        (1, 11, 22),
        "fold.projector:Projector.is_sound",
        "self._reader.tables.row(entity.kind, entity_id) == shown.row",
        "self._reader.tables.row(entity.kind, entity_id) is not None",
    ),
    one(
        "what waits is not counted",
        "A device says that nothing waits, although it could not fold everything that it holds.",
        (18, 23),
        "store.memory.unapplied:MemoryUnapplied.waiting",
        'sum(not each.refused for each in self._tables["unapplied"].values())',
        "0",
    ),
    one(
        "a number is what compares as one",
        "A float or a truth value is accepted as the integer that it equals: JavaScript, and most decoders of JSON.",
        (1, 7, 12, 21, 23),
        "crdt.operation:decode",
        "known: Operation = _decode(encoded)",
        "fields = _decode_any(encoded)\n"
        "        if type(fields) is list and fields and fields[0] in _CODES:\n"
        "            fields[0] = int(fields[0])\n"
        "        known = msgspec.convert(fields, Operation)",
    ),
    one(
        "what nobody knows is passed over",
        "A number in a header that this version does not know is ignored, even if it must be understood.",
        (1, 7, 12, 21, 23),
        "crdt.ext:is_understood",
        "number % 2 == 0 or number in known",
        "number",
    ),
    one(
        "a record may be written again",
        "A second record of a device is accepted, although its past already has one.",
        (12, 23),
        "fold.checks:Checks.put",
        'if self._seen(change, one, "record"):',
        "if ():",
    ),
    one(
        "anybody adds in another's name",
        "A device's record may name somebody other than its author as the one who adds the device.",
        (12, 23),
        "fold.checks:Checks.put",
        "added_by != change.author:",
        "added_by == b'':",
    ),
    one(
        "a budget is nobody's",
        "There is no limit to how much a change may write into one entity.",
        (12, 23),
        "fold.budget:Budget.spend",
        "cells_spent, bytes_spent = self._spent.get(key, (0, 0))",
        "return",
    ),
    one(
        "a device can be deleted",
        "Any member may hide any device from everybody: a bug that the first version had.",
        (12, 23),
        "fold.checks:Checks.delete",
        "if one.kind in _NEVER_DELETED:",
        "if ():",
    ),
    one(
        "a segment need not be signed",
        "A device believes that a segment comes from the maker that it names.",
        (10, 17),
        "sync.merging:Merging._check_signatures",
        "if not self._verify_signature(header.maker, header.signature, segments.signed_header(header, self._workspace)):",
        "if not header.signature:",
    ),
    one(
        "a segment's heads need not be signed",
        "Nobody checks that the authors of the heads in a segment signed them.",
        (9, 17, 19),
        "sync.merging:Merging._check_signatures",
        "if head.signed_seq != head.seq or not self._verify_signature(birth.public_key, head.signature, message):",
        "if head.signed_seq != head.seq:",
    ),
    one(
        "what was typed into a lie is lost",
        "A forged segment makes up a text. What a user typed into that text is lost with the segment.",
        (21,),
        "sync.rewriting:_Plan.parted",
        "for each in drafted.rewritten:",
        "for each in ():",
    ),
)
