"""
Times in the future, which a wrong clock wrote: where the latest come first, they come last, and lead no list.

A plan names in ``ahead`` the moment from which on a time is in the future (:func:`.query.as_of`). A store is asked for each
plan of :func:`in_turn`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edda_sync.words.query import Plan


def future(plan: Plan) -> Plan:
    """Return the plan that finds one row of the future, if there is any at all; an index answers it."""
    column, descending = plan.order[0]
    return plan._replace(
        equal=(), ranges=((column, plan.ahead, None),), tag_ids=(), linked_from=None, words=(),
        order=((column, descending), ("id", descending)), limit=1, offset=0, any_tag_ids=(), no_tag_ids=(), linked_to=None,
        under=None, where=(), after=None, near=None, without=(), ahead=None, no_words=(),
    )  # fmt: skip


def in_turn(plan: Plan) -> Iterator[Plan]:
    """Yield the plans whose rows, one after another, are those of a plan with ``ahead``."""
    column, place = plan.order[0][0], plan.after
    begins_ahead = place is not None and plan.ahead is not None and place[0] >= plan.ahead
    if not begins_ahead:
        yield plan._replace(ranges=(*plan.ranges, (column, None, plan.ahead)), ahead=None)
    after = place if begins_ahead else None
    yield plan._replace(ranges=(*plan.ranges, (column, plan.ahead, None)), after=after, ahead=None)
