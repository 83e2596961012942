"""
The feed: what committed transactions of this process changed, as soon as it is durable.

Caches and live queries listen to it. It says *which* tasks, documents and tags to look at, and not what became of them:
whoever listens reads that from the store, and so never sees anything that was not committed. Rows that a failed transaction
noted are named with the next commit, because several transactions may share one commit although one of them failed; looking
once too often does no harm. Positions of the log are told only for certain; whoever finds others looks there.

Nothing is noted while nobody listens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from edda_sync.crdt.keys import kind_and_id
from edda_sync.store.delta import Delta, apply
from edda_sync.store.seams import StoreWriter
from edda_sync.words import limits, values

Named = tuple[str, str]
"""The kind and the id of a task, document or tag; of other kinds only because of their conflicts."""

_WITHOUT_ROWS: Final = ("device", "workspace")


class Changed(NamedTuple):
    """
    What to look at after a commit.

    Attributes:
        named: What may read differently: rows, tags, links and conflicts.
        positions: The positions in the log of changes that did it. After a failure some may be missing.
        everything: Whether anything may read differently.
        digest: What was added to the digest's sum; None if that is not known.
    """

    named: frozenset[Named]
    positions: frozenset[int]
    everything: bool
    digest: int | None


class Feed:
    """
    What the transactions of one store in one process changed. Call :meth:`listen` to hear of it.

    Attributes:
        attached: How many commits changed which files are attached.
    """

    def __init__(self) -> None:
        self.attached, self._attaches = 0, False
        self._listeners: tuple[Callable[[Changed], None], ...] = ()
        self._named: set[Named] = set()
        self._positions: set[int] = set()
        self._everything = False
        self._digest: int | None = 0

    @property
    def is_heard(self) -> bool:
        """Whether anybody listens."""
        return bool(self._listeners)

    def positions(self) -> set[int]:
        """Return the positions in the log that the running transaction has noted, also just after its commit."""
        return set(self._positions)

    def listen(self, listener: Callable[[Changed], None]) -> Callable[[], None]:
        """
        Call ``listener`` after each commit, on the thread that committed. It must be quick, and may not fail.

        A transaction that is running now may not be told.

        Returns:
            A function that ends this.
        """
        self._listeners += (listener,)

        def end() -> None:
            self._listeners = tuple([each for each in self._listeners if each is not listener])

        return end

    def write(self, tx: StoreWriter, delta: Delta) -> None:
        """Write a delta into a transaction, and note it."""
        apply(tx, delta)
        self._attaches = self._attaches or bool(delta.attached)
        if not self._listeners:
            return
        self._digest = None if self._digest is None or delta.overfull else self._digest + delta.digest
        self._positions.update(position for _, position in delta.mentions)
        named = self._named
        for kind, keys in delta.hidden.items():
            self._note(kind, keys)
        for each in delta.shown:
            if each.kind != "tag" or each.key not in delta.new:  # a new tag stands nowhere yet
                named.add((each.kind, each.row[0]))
        for patch in delta.patches:
            if patch.kind != "tag" or "name" in patch.columns:
                named.add((patch.kind, patch.id))
        named.update((each.kind, each.id) for each in delta.pointed)
        kept = (key for key, is_kept in delta.conflicted.items() if is_kept or kind_and_id(key)[0] in _WITHOUT_ROWS)
        for key in (*delta.stale, *delta.overfull, *delta.deletions, *kept):
            named.add(_named(key))
        self._hold_few()

    def note(self, keys: Iterable[bytes]) -> None:
        """Note that the running transaction folds some entities again."""
        if self._listeners:
            self._named.update(map(_named, keys))
            self._digest = None  # what is forgotten is taken out of it
            self._hold_few()

    def note_everything(self) -> None:
        """Note that the running transaction makes all tables anew."""
        self._everything = bool(self._listeners)

    def committed(self) -> None:
        """Tell the listeners what the transaction that has just been committed changed."""
        self.attached, self._attaches = self.attached + self._attaches, False
        if not self._listeners:
            return
        changed = Changed(frozenset(self._named), frozenset(self._positions), self._everything, self._digest)
        self.forget()
        for listener in self._listeners:
            listener(changed)

    def rolled_back(self) -> None:
        """
        Forget the positions that the failed transaction noted, and how it changed the digest.

        The rows stay named, because a transaction before it may share its commit.
        """
        self._positions, self._digest = set(), None

    def forget(self) -> None:
        """Forget what was noted, because another store is opened next."""
        self._named, self._positions, self._everything, self._digest = set(), set(), False, 0

    def _note(self, kind: str, keys: Iterable[bytes]) -> None:
        self._named.update((kind, values.id_text(kind_and_id(key)[1])) for key in keys)

    def _hold_few(self) -> None:
        if len(self._named) > limits.CHANGED_MAX:
            self._named, self._everything = set(), True


def _named(key: bytes) -> Named:
    kind, entity = kind_and_id(key)
    return kind, values.id_text(entity)
