"""
Prepared: the fold of one large change, made before the transaction that takes the change.

A fold is a function of the change and of what the store answers it. So it can be made from a reader, while others write;
the transaction asks the same questions again, and writes the finished result if the answers are still the same. Otherwise
it folds the change as usual.

It touches nothing that the ledger remembers from one transaction to the next. Texts and waiting operations that are
remembered are brought up to date when they are used again, as after a commit of another process. A change that makes an
entity overfull is not prepared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from edda_sync.crdt.operation import Operation, Unread
from edda_sync.fold.current import Current
from edda_sync.fold.fold import Fold
from edda_sync.fold.texts import Texts
from edda_sync.store.delta import Delta
from edda_sync.store.questions import Questions
from edda_sync.store.seams import StoreReader


@dataclass(slots=True)
class Prepared:
    """
    The fold of one change. Hand it to :meth:`write` once the change is begun in the transaction's own fold.

    Attributes:
        hash: The hash of the change.
        change: The change, as it was begun.
        delta: The result.
        questions: What the fold asked.
        is_written: Whether it was written in place of a fold.
    """

    hash: bytes
    change: Current
    delta: Delta
    questions: Questions
    is_written: bool = False

    def write(self, fold: Fold, digest: bytes) -> bool:
        """
        Write the result in place of a fold, if the fold would give the same now.

        Args:
            fold: The transaction's fold, in which the change was begun.
            digest: The hash of that change.

        Returns:
            Whether it was written. If not, nothing was.
        """
        then, now = self.change, fold.change
        fold.flush()  # what earlier changes of the same transaction did is part of what is asked
        if (digest, now.dot, now.author, now.deps) != (self.hash, then.dot, then.author, then.deps):
            return False
        if not self.questions.have_the_same_answers(fold.reader):
            return False
        fold.hand_on(self.delta if now.position == then.position else _moved(self.delta, now.position))
        self.is_written = True
        return True


def prepare(
    reader: StoreReader,
    digest: bytes,
    begin: Callable[[Fold], None],
    operations: Iterable[Operation | Unread],
    *,
    understood: bool,
) -> Prepared | None:
    """
    Fold a change of a peer before its transaction; return None if its result cannot be kept.

    Args:
        reader: A reader of the store.
        digest: The hash of the change.
        begin: Begins the change in a fold.
        operations: All operations of the change, in order.
        understood: See ``Fold.receive``.

    Raises:
        CorruptError: Something stored is damaged.
    """
    questions = Questions()
    fold = Whole(questions.noting(reader), Texts())
    begin(fold)
    fold.receive(operations, understood=understood)
    delta = fold.delta()
    return None if delta.overfull or delta.uniques else Prepared(digest, fold.change, delta, questions)


class Whole(Fold):
    """A fold that holds everything until the end, because what it passed on would not be in the reader that it asks."""

    def flush_if_full(self) -> None:
        """Pass on nothing yet."""

    def _claim_anew(self, _settings: object, _withheld: object) -> None:
        """Do nothing: whoever holds the delta sees that it cannot be written by itself."""


def _moved(delta: Delta, position: int) -> Delta:
    """Return what a fold of the same change gives at another position of the log, because others have written meanwhile."""
    return delta._replace(
        mentions=[(key, position) for key, _ in delta.mentions],
        unapplied=[each._replace(position=position) for each in delta.unapplied],
    )
