"""Watched queries: what they tell, put together, is what a new query finds, and they look only where they must."""

from __future__ import annotations

from typing import Final

from edda_sync.engine.items import item_of_row, tag_names
from edda_sync.engine.live import LiveQueries
from edda_sync.engine.matching import matching
from edda_sync.engine.watched import Watch
from edda_sync.simulations.book import HOT, TAGS
from edda_sync.simulations.checker import Checker
from edda_sync.simulations.device import SimulatedDevice
from edda_sync.simulations.simulator import Simulation
from edda_sync.simulations.tape import Draws
from edda_sync.store.feed import Changed, Named
from edda_sync.store.seams import StoreReader
from edda_sync.words import limits
from edda_sync.words.model import Item
from edda_sync.words.query import DocumentQuery, Plan, Query, TaskQuery, plan, whole

WATCHED_ONE_IN: Final = 4  # starts of a device after which somebody watches queries: each is also run anew
LOOK_PERCENT: Final = 10  # so that several changes come between two looks
BUSY_PERCENT: Final = 40  # looks of the device that nobody takes the result of
ABOUT_PERCENT: Final = 50  # queries about one task, or what it links to
QUERIES_MAX: Final = 5  # on one device
QUERIES: Final[tuple[Query, ...]] = (
    TaskQuery(),
    TaskQuery(order="title", limit=3),
    TaskQuery(status="open", order="updated_at", limit=2, offset=1),
    TaskQuery(tags=TAGS[0]),
    TaskQuery(any_tags=TAGS[:2], no_tags=TAGS[-1], limit=2),
    TaskQuery(parent=""),
    TaskQuery(where={"metadata.size": 3}),
    TaskQuery(text="w1*"),
    DocumentQuery(),
    DocumentQuery(order="title", limit=2),
)


def about(task: str, document: str | None) -> tuple[Query, ...]:
    """Return queries about a task, and about a document if there is any."""
    of_task = TaskQuery(under=task), TaskQuery(parent=task, order="title", limit=2), DocumentQuery(task=task)
    return of_task if document is None else (*of_task, TaskQuery(document=document))


class Followed(Checker):
    """What a watched query tells adds up to what a new query finds, and it runs again only if its rows may move."""

    number = 25

    def __init__(self, sim: Simulation) -> None:
        super().__init__(sim)
        self._draws = sim.tape.source("watched")
        self._desks: dict[str, Desk] = {}

    def booted(self, device: SimulatedDevice) -> None:
        """Begin anew, because watched queries end with their process."""
        self._desks.pop(device.name, None)
        if self._draws.draw("watched", WATCHED_ONE_IN) == 0:
            self._desks[device.name] = Desk(device, self._draws)

    def dealt(self, device: SimulatedDevice) -> None:
        """Look now and then."""
        if device.name in self._desks and self._draws.chance("look", LOOK_PERCENT):
            self._look(device)

    def ended(self) -> None:
        """Look at every device."""
        for device in self.sim.honest():
            if device.name in self._desks:
                self._look(device)

    def _look(self, device: SimulatedDevice) -> None:
        if not device.disk.rotten:
            wrong = self._desks[device.name].look(self.sim.book.tasks, self.sim.book.documents)
            if wrong:
                self.fail(device, wrong)


class Desk:
    """
    Somebody who watches queries at a device. Call :meth:`look` whenever they look.

    Args:
        device: The device, which has just started.
        draws: Choose the queries.
    """

    def __init__(self, device: SimulatedDevice, draws: Draws) -> None:
        engine = device.running
        self._store, self._draws = engine.store, draws
        self._live = LiveQueries(engine.store, engine.ledger.feed, engine.store.read, beside=False)
        engine.ledger.feed.listen(self._hear)
        self._shown: dict[Watch, tuple[Query, dict[str, Item]]] = {}
        self._named: set[Named] = set()
        self._positions: set[int] = set()
        self._untold: set[int] = set()  # positions that the last look found and the feed has not told
        self._everything = True
        self._end = 0

    def _hear(self, changed: Changed) -> None:
        self._named |= changed.named
        self._positions |= changed.positions
        self._everything |= changed.everything

    def look(self, tasks: list[str], documents: list[str]) -> str:
        """
        Look at what the queries tell, and perhaps watch another one.

        Returns:
            What is wrong; empty if nothing is.
        """
        is_new = len(self._shown) < QUERIES_MAX and self._draws.chance("another", 50)
        if is_new:
            self._watch(tasks, documents)
        before = self._live.runs
        self._live.attend()
        if self._draws.chance("busy", BUSY_PERCENT):
            self._everything = True  # what is told is taken later, and until then it is not known what is shown
            return ""
        with self._store.read() as reader:
            runs = self._live.runs - before - is_new
            may = self._may_run(reader)
            if runs > may:
                return f"ran {runs} watched queries again for {sorted(self._named)}, which {may} of them depend on"
            wrong = next(filter(None, (self._compare(reader, watch) for watch in self._shown)), "")
        self._named, self._positions, self._everything = set(), set(), False
        return wrong

    def _watch(self, tasks: list[str], documents: list[str]) -> None:
        among = QUERIES
        if tasks and self._draws.chance("about", ABOUT_PERCENT):
            document = self._draws.pick("document", documents[:HOT]) if documents else None
            among = about(self._draws.pick("task", tasks[:HOT]), document)
        query = self._draws.pick("query", among)
        self._shown[self._live.watch(query)] = query, {}

    def _may_run(self, reader: StoreReader) -> int:
        """Return how many queries the changes since the last look can matter to so that a query must be run again."""
        begin, self._end = self._end, reader.log.position()
        found = set(range(begin + 1, self._end + 1)) - self._positions
        others = self._untold - self._positions | found  # as of another process; so looks the place of a segment
        self._untold = found
        if self._everything or not self._named or self._end < begin or others:
            return len(self._shown)
        return sum(self._may_move(reader, plan(query), shown) for query, shown in self._shown.values())

    def _may_move(self, reader: StoreReader, asked: Plan, shown: dict[str, Item]) -> bool:
        """Tell whether what changed may move other rows of a query's result than those that changed."""
        kinds = {kind for kind, _ in self._named}
        if asked.under is not None or asked.linked_from is not None or asked.linked_to is not None:
            return bool(kinds & {"task", "document"})
        if "tag" in kinds:
            return True  # what carries it is read again
        if asked.limit >= limits.QUERY_LIMIT_MAX:
            return False
        named = {each for kind, each in self._named if kind == asked.kind}
        return bool(named) and (asked.offset > 0 or not named.isdisjoint(shown) or self._fits(reader, asked, named))

    def _fits(self, reader: StoreReader, asked: Plan, named: set[str]) -> bool:
        return any(row[0] in named for row in reader.tables.rows(whole(asked)))

    def _compare(self, reader: StoreReader, watch: Watch) -> str:
        """Take in what a query tells; return how that differs from what a new query finds."""
        query, shown = self._shown[watch]
        change = watch.take()
        if change is not None:
            old, new = {each.id for each in (*change.changed, *change.removed)}, {each.id for each in change.added}
            if not old <= shown.keys() or not new.isdisjoint(shown):
                return f"{query} tells {change}, and showed {sorted(shown)} before"
            for item in (*change.added, *change.changed):
                shown[item.id] = item
            for item in change.removed:
                del shown[item.id]
        asked = plan(query)
        rows = matching(reader, asked)
        names = tag_names(reader, asked.kind, [row[0] for row in rows])
        found = {row[0]: item_of_row(asked.kind, row, names[row[0]]) for row in rows}
        return "" if found == shown else f"{query} shows {sorted(shown)}, and a new query finds {_other(found, shown)}"


def _other(found: dict[str, Item], shown: dict[str, Item]) -> list[Item | str]:
    """Return what a new query finds otherwise; ids of what is only shown."""
    return [*(item for each, item in found.items() if shown.get(each) != item), *sorted(shown.keys() - found.keys())]
