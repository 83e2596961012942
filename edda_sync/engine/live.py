"""
Live queries: watched queries, whose answers are kept up to date while the store changes.

One thread looks at what changed: for commits of this process, the feed says what to read again; commits of other processes
are found in the log. A row that changed meets only the queries that it can matter to: those that it was part of, and those
of which it meets the most selective condition. Most of these need no query either: the row enters, leaves or changes. A
query is run again only if the change may move other rows, as in a limited list, a subtree or behind links.

Source: discrimination of events by their attributes, as in content-based publish and subscribe (Aguilera et al., "Matching
Events in a Content-based Subscription System", PODC 1999).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import AbstractContextManager

from edda_sync.changes import change as changes
from edda_sync.crdt import operation
from edda_sync.crdt.keys import key_of, kind_and_id
from edda_sync.engine.answer import Answer, Seen
from edda_sync.engine.inbox import Inbox, keys_of
from edda_sync.engine.meeting import Index
from edda_sync.engine.watched import ConflictWatch, Watch
from edda_sync.store.feed import Changed, Feed, Named
from edda_sync.store.seams import Store, StoreReader
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError, UsageError
from edda_sync.words.query import Plan, Query, plan

_SHOWN = ("task", "document")


class LiveQueries:
    """
    The watched queries of one store.

    Args:
        store: The store.
        feed: Says what this process committed.
        snapshot: Opens a reader of a state in which every text is up to date.
        as_of_now: Returns a plan in which what is in the future now comes last.
        beside: Whether a thread looks at what changed; otherwise somebody calls :meth:`attend`, as the simulator does.

    Attributes:
        met: How many queries changed rows have met.
        runs: How often queries were run.
    """

    def __init__(
        self,
        store: Store,
        feed: Feed,
        snapshot: Callable[[], AbstractContextManager[StoreReader]],
        as_of_now: Callable[[Plan], Plan] = lambda plan: plan,
        *,
        beside: bool = True,
    ) -> None:
        self._store, self._feed, self._snapshot, self._beside = store, feed, snapshot, beside
        self._as_of_now = as_of_now
        self._lock = threading.Lock()
        self._woken = threading.Event()
        self._thread: threading.Thread | None = None
        self._end_listening: Callable[[], None] | None = None
        self._closed = False
        self._new: list[Answer | Inbox] = []
        self._left: list[Watch | ConflictWatch] = []
        self._named: set[Named] = set()
        self._positions: set[int] = set()
        self._everything = False
        # Only the thread that looks uses what follows.
        self._answers: dict[Watch, Answer] = {}
        self._inboxes: dict[ConflictWatch, Inbox] = {}
        self._index = Index()
        self._position = self._version = self._digest = -1
        self._tags: dict[str, str] = {}
        self._keys: set[bytes] = set()  # what changes of other processes are about
        self._unexplained: set[int] = set()  # positions that the last look found and that this process may be writing
        self.met = self.runs = 0

    def watch(self, query: Query) -> Watch:
        """
        Watch a query. See :class:`~edda_sync.engine.watched.Watch`.

        Raises:
            InvalidValueError: A condition is not acceptable.
        """
        made = Watch(self._close)
        self._begin(Answer(plan(query), made, self._as_of_now))
        return made

    def watch_conflicts(self) -> ConflictWatch:
        """Watch the conflicts of the store. See :class:`~edda_sync.engine.watched.ConflictWatch`."""
        made = ConflictWatch(self._close)
        self._begin(Inbox(made))
        return made

    def _begin(self, new: Answer | Inbox) -> None:
        with self._lock:
            if self._closed:
                raise _closed()
            self._new.append(new)
            if self._end_listening is None:
                self._end_listening = self._feed.listen(self._hear)
            if self._beside and self._thread is None:
                self._thread = threading.Thread(target=self._run, name="edda live queries", daemon=True)
                self._thread.start()
        self._woken.set()

    def close(self) -> None:
        """End all watched queries."""
        with self._lock:
            self._closed, thread = True, self._thread
        self._woken.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _close(self, watch: Watch | ConflictWatch) -> None:
        with self._lock:
            self._left.append(watch)
        self._woken.set()
        watch.end(UsageError("This query is not watched any more."))

    def _hear(self, changed: Changed) -> None:
        with self._lock:
            self._named |= changed.named
            self._positions |= changed.positions
            self._everything |= changed.everything
            if len(self._named) > limits.CHANGED_MAX:
                self._named, self._everything = set(), True
        self._woken.set()

    # --- on the thread that looks -------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self.attend():
                again_at = time.monotonic() + limits.LIVE_DELAY_S
                if self._woken.wait(limits.LIVE_LOOK_S):
                    time.sleep(max(0.0, again_at - time.monotonic()))  # others may follow at once
        except BaseException as error:  # noqa: BLE001 - whoever watches gets it
            with self._lock:
                self._leave(error)

    def _leave(self, error: BaseException | None = None) -> None:
        """End this thread's work. Whoever still watches gets the error. The lock must be held."""
        if self._end_listening is not None:
            self._end_listening()
        self._thread = self._end_listening = None
        for watch in (*self._answers, *self._inboxes, *(each.watch for each in self._new)):
            watch.end(error or _closed())
        self._answers, self._inboxes, self._new, self._index = {}, {}, [], Index()
        self._position = self._version = self._digest = -1
        self._unexplained = set()

    def attend(self) -> bool:
        """Look at what has changed; tell whether anybody still watches."""
        self._woken.clear()
        with self._lock:
            new, self._new = self._new, []
            left, self._left = self._left, []
            named, self._named = self._named, set()
            positions, self._positions = self._positions, set()
            everything, self._everything = self._everything, False
            for watch in left:
                if isinstance(watch, ConflictWatch):
                    self._inboxes.pop(watch, None)
                elif (answer := self._answers.pop(watch, None)) is not None:
                    self._index.remove(answer)
                new = [each for each in new if each.watch is not watch]
            for each in new:
                if isinstance(each, Inbox):
                    self._inboxes[each.watch] = each
                else:
                    self._answers[each.watch] = each
            if self._closed or not (self._answers or self._inboxes):
                self._leave()
                return False
        version = self._store.version()
        if new or named or positions or everything or self._unexplained or version != self._version:
            with self._snapshot() as reader:
                self._look(reader, new, named, positions, everything=everything)
            self._version = version
        return True

    def _look(
        self,
        reader: StoreReader,
        new: Collection[Answer | Inbox],
        named: set[Named],
        own: set[int],
        *,
        everything: bool,
    ) -> None:
        end, digest = reader.log.position(), reader.index.digest()
        is_first = self._position < 0
        found = set() if is_first else set(range(self._position + 1, end + 1))
        mine = self._feed.positions()  # after the reader began: what it shows of this process is among these, or told
        self._keys = set()
        others = (self._unexplained | (found - mine)) - own  # written by another process
        self._unexplained = (found & mine) - own  # the feed will tell, unless they were rolled back
        is_odd = self._position > end or (not (named or own or found or others) and digest != self._digest)
        if is_first or everything or is_odd or self._read_others(reader, others, named):
            self._tags = {row[0]: row[1] for row in reader.tables.all("tags")}
            for answer in self._answers.values():
                self._read(reader, answer)
            for inbox in self._inboxes.values():
                inbox.read(reader)
        else:
            if self._inboxes:
                self._tell_inboxes(reader, new, keys_of(named) | self._keys)
            for each in new:
                self._read(reader, each)
            self._meet(reader, named)
        self._position, self._digest = end, digest

    def _tell_inboxes(self, reader: StoreReader, new: Collection[Answer | Inbox], keys: Collection[bytes]) -> None:
        for inbox in self._inboxes.values():
            if inbox not in new:
                inbox.meet(reader, keys)

    def _read(self, reader: StoreReader, answer: Answer | Inbox) -> None:
        if isinstance(answer, Inbox):
            answer.read(reader)
            return
        self._index.remove(answer)
        answer.read(reader)
        self.runs += 1
        self._index.add(answer)

    def _meet(self, reader: StoreReader, named: set[Named]) -> None:
        """Let the rows that changed meet the queries that they can matter to."""
        again: dict[Answer, None] = {}
        for tag in [each for kind, each in named if kind == "tag"]:
            named.update(reader.edges.carriers(tag))  # its name may read differently there
            row = reader.tables.row("tag", tag)
            self._tags.pop(tag, None)
            if row is not None:
                self._tags[tag] = row[1]
        for kind in _SHOWN:
            ids = [each for its, each in named if its == kind]
            for at in range(0, len(ids), _AT_ONCE):
                for seen in _seen(reader, kind, ids[at : at + _AT_ONCE], self._index.asks_for_links):
                    for answer in self._index.meeting(seen):
                        self.met += 1
                        if answer.meet(seen):
                            again[answer] = None
                        else:
                            self._index.place(answer, seen.id)
        for answer in again:
            self._read(reader, answer)

    def _read_others(self, reader: StoreReader, positions: Iterable[int], named: set[Named]) -> bool:
        """Add what changes of other processes are about; tell whether everything has to be looked at."""
        keys: set[bytes] = set()
        for position in positions:
            try:
                logged = reader.log.read(position)
            except CorruptError:  # it has moved in the log
                return True
            header = changes.decode_header(logged.raw)
            if header.parts or not header.is_understood or len(keys) > limits.CHANGED_MAX:
                return True
            keys |= {key_of(*each) for each in operation.about(logged.body, header.operations)}
        self._keys = keys
        if not keys:
            return False
        listed = list(keys)
        tags = [values.id_text(entity) for kind, entity in map(kind_and_id, listed) if kind == "tag"]
        for tag in tags:
            row = reader.tables.row("tag", tag)
            if tag in self._tags and (row is None or row[1] != self._tags[tag]):
                return True
            if tag not in self._tags:
                named.add(("tag", tag))
        others = [key for key in listed if kind_and_id(key)[0] != "tag"]
        shown = [*others, *reader.edges.referrers(others), *reader.edges.withheld_to(listed), *reader.edges.in_rings()]
        named |= {(kind, values.id_text(entity)) for kind, entity in map(kind_and_id, shown) if kind in _SHOWN}
        return False


_AT_ONCE = 500  # rows in one statement


def _closed() -> UsageError:
    return UsageError("This store is closed; open it again.")


def _seen(reader: StoreReader, kind: str, ids: list[str], links: bool) -> list[Seen]:
    """Return some tasks or documents as they are now."""
    if not ids:
        return []
    found = reader.tables.rows(
        Plan(kind, (("id", tuple(ids)),), (), (), None, (), (("id", False),), limits.QUERY_LIMIT_MAX, 0)
    )
    rows = {row[0]: row for row in found}
    tags = reader.edges.tags_of(kind, list(rows))
    linked: dict[str, list[str]] = {}
    if links and kind == "task":
        linked = {each: [row[1] for row in reader.edges.links_of(each, None)] for each in rows}
    return [Seen.of(kind, each, rows.get(each), tags.get(each, ()), linked.get(each, ())) for each in ids]
