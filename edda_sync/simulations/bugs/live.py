"""Bugs of live queries and of the feed that they listen to: what is not told, told twice, or asked for too often."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, one

BUGS: Final[tuple[Bug, ...]] = (
    one(
        "a feed without what is hidden",
        "The feed names what is shown after a commit, so what was deleted stays in every watched query.",
        (25,),
        "store.feed:Feed.write",
        "self._hold_few()",
        "named.difference_update(\n"
        "    (kind, values.id_text(kind_and_id(key)[1])) for kind, keys in delta.hidden.items() for key in keys\n"
        ")",
    ),
    one(
        "who entered is not known",
        "A row that a change brought into a query is not found again when its next change takes it out.",
        (25,),
        "engine.meeting:Index.place",
        "self._by_row.setdefault((answer.plan.kind, item_id), set()).add(answer)",
        "pass",
    ),
    one(
        "no value is no condition",
        "A query for tasks without a parent hears of no row: the index leaves out what is NULL, as many do.",
        (25,),
        "engine.answer:features",
        "if column in columns:",
        "if columns.get(column) is not None:",
    ),
    one(
        "a page that does not fill up",
        "A row leaves a limited list, or moves in it, and the next one does not take its place.",
        (25,),
        "engine.answer:Answer.meet",
        "return is_inside",
        "return False",
    ),
    one(
        "a page that is never full",
        "Whatever fits a limited list makes it run again, even if it comes far behind the last row.",
        (25,),
        "engine.answer:Answer.meet",
        "if self._is_whole:",
        "if False:",
    ),
    one(
        "a subtree as it was",
        "A task that moves below the watched one, or away from it, is not missed as long as no task in between changes.",
        (25,),
        "engine.answer:Answer._moves",
        "!= (parent",
        "and (parent",
    ),
    one(
        "the last difference wins",
        "What changed twice between two looks is told against what it was in between: new rows are told as changed ones.",
        (25,),
        "engine.watched:Watch.put",
        "self._before.setdefault(item_id, former)",
        "self._before[item_id] = former",
    ),
    one(
        "run again to be sure",
        "Any change makes all watched queries run again: the usual live query.",
        (25,),
        "engine.live:LiveQueries._look",
        "if is_first or everything",
        "if is_first or named or everything",
    ),
)
