"""Bugs of attached files: what is asked of peers, what counts as complete, and who hears of what has come."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "a manifest is a file",
        "A file counts as complete once the first look at it has ended, whatever lacks.",
        (26,),
        "sync.stowing:stow",
        "and not found.lacking",
        "",
    ),
    one(
        "what vanished is still believed to be here",
        "Whoever reads a file of which a part is damaged or gone is told so, and it is not fetched again.",
        (26,),
        "engine.files:Files._lost",
        "self._opened.store.transact(lambda tx: tx.attachments.release([root]))",
        "pass",
    ),
    one(
        "what was asked for will come",
        "When a link breaks, the parts that were asked for over it are not asked for again.",
        (26,),
        "sync.fetching:Chunk.let_go",
        "self.peer, self.asked, self._is_asked = None, self.got, False",
        "self.peer = None",
    ),
    one(
        "a new peer has nothing new",
        "A file that no linked device has is not asked for again when another device is linked.",
        (26,),
        "sync.filing:Filing.linked",
        "self._choosing.aside.clear()",
        "pass",
    ),
    one(
        "a name is on disk at once",
        "A file that came is noted as here before the names of its parts are safe: power takes them.",
        (28,),
        "sync.stowing:_keep",
        "adding.settle()",
        "pass",
    ),
    one(
        "what somebody attaches is on disk soon",
        "An attachment is acknowledged before the names of its parts are safe: power takes them, and nobody else has them.",
        (28,),
        "engine.attaching:Attaching.settle",
        "self._adding.settle()",
        "pass",
    ),
    one(
        "a part is what it is called",
        "A part of a file is kept without comparing it with its hash.",
        (16, 26),
        "sync.stowing:_keep",
        "if name_of(data) != chunk.name:",
        "if False:",
    ),
    one(
        "what was right once is right",
        "A part of a file is given to others, and shown, without comparing it with its hash.",
        (10, 26),
        "files.memory:MemoryChunks.get",
        "if chunk is None or name_of(chunk) != name:",
        "if chunk is None:",
    ),
    one(
        "who lacks a part lacks it for ever",
        "A device that says that it has a part by now is not asked for it.",
        (26,),
        "sync.fetching:Fetching.has",
        "giver.lacks.pop(name, None)",
        "pass",
    ),
    one(
        "a list of lists is a list",
        "Of a file with two levels of lists only the upper one is looked at: its chunks are cleaned up after a day.",
        (26, 28),
        "files.collecting:tree_of",
        "yield from tree_of(chunks, File(part.name, part.size, file.depth - 1))",
        "yield part.name",
    ),
    one(
        "an answer that says no is none",
        "Room for questions that were answered with a no is never free again: soon nothing is asked.",
        (26,),
        "sync.flow:Flow.lacked",
        "self.size -= self._asked.pop((chunk, at))[0]",
        "self._asked.pop((chunk, at))",
    ),
)
