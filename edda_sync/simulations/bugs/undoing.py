"""Bugs of what brings values back: undo and revert, conflicts and how they are settled, and the history."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "an undo goes back to what was before",
        "What others wrote since is taken back with it, as by the undo of an editor, or by a snapshot.",
        (29,),
        "ledger.looking_back:without",
        "return _folded(reader, keys, _mentioning(reader, keys), dots)",
        "return _folded(reader, keys, [p for p in _mentioning(reader, keys) if p < min("
        "reader.log.position_of(*d) or 0 for d in dots)], dots)",
    ),
    one(
        "an undo leaves the words",
        "Of a text, an undo brings back the words that a change had deleted, and leaves those that it brought.",
        (29,),
        "crdt.text.setting_back:_Making.flush",
        "self._hide(each.now)",
        "self._at += len(each.now)",
    ),
    one(
        "an undo of a deletion leaves it in the trash",
        "The fields of a deleted item are set back, and nobody takes it out of the trash.",
        (29,),
        "fold.inverse:inverse",
        "found.drafts.append(Touch(entity.kind, entity.id))",
        "pass",
    ),
    one(
        "what was made goes, whoever has worked on it",
        "The undo of an addition deletes the item, although others have worked on it since.",
        (29,),
        "fold.inverse:inverse",
        'found.left["trash"] = WORKED_ON',
        "found.drafts.append(Delete(entity.kind, entity.id)); found.fields.append(TRASHED)",
    ),
    one(
        "undo takes back the same change again",
        "Whoever undoes twice takes the last change back twice, and not the one before it.",
        (29,),
        "engine.undoing:last_of",
        "taken.update(_named(reader, header))",
        "pass",
    ),
    one(
        "a revert begins after its time",
        "Of an agent's changes since a time, the first one is not taken back: off by one.",
        (29,),
        "engine.undoing:by_agent",
        "header.wall_ms >= since_ms",
        "header.wall_ms > since_ms",
    ),
    one(
        "a revert knows one device",
        "Of what an agent did on several devices, only that of one life is taken back.",
        (29,),
        "engine.undoing:by_agent",
        "reader.log.heads().items()",
        "list(reader.log.heads().items())[:1]",
    ),
    one(
        "restore shows the first of the others",
        "Of several values that are kept, the one with the greatest stamp is restored, whichever was asked for.",
        (29,),
        "engine.settling:settling",
        "else conflict.kept[take])",
        "else conflict.kept[0])",
    ),
    one(
        "dismiss shows another value",
        "Who dismisses the other values of a field gets the last one of them.",
        (29,),
        "engine.settling:settling",
        "conflict.shown if take is None",
        "conflict.kept[-1] if take is None",
    ),
    one(
        "a restored text leaves the other one",
        "A text is restored by an edit of the one that is shown, so that the other one stays in conflict with it.",
        (29,),
        "engine.settling:settling",
        "return [emptied, Rewrite(",
        "return [Rewrite(",
    ),
    one(
        "one conflict of each field",
        "Of several values that lost, one is listed: whoever settles it never sees the others.",
        (29,),
        "fold.conflicts:conflicts_of",
        "if write[:2] in kept]",
        "if write[:2] in kept][:1]",
    ),
    one(
        "a history without large changes",
        "What a change in parts did is not in the history, because its body is elsewhere.",
        (29,),
        "ledger.body:operations_of",
        "if header.parts else",
        "if False else",
    ),
    one(
        "a history without typing",
        "Who edited a text is not in the history of what it belongs to as somebody who wrote that field.",
        (29,),
        "engine.history:_done",
        "if isinstance(one, ops.Edit):",
        "if False:",
    ),
    one(
        "what was there before a change",
        "A version after a change is shown without that change: off by one.",
        (29,),
        "ledger.looking_back:after",
        "logged.seq <= past.get(logged.actor, 0)",
        "logged.seq < past.get(logged.actor, 0)",
    ),
)
