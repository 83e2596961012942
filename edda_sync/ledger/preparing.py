"""
Preparing: what can be done of a large change before its transaction, so that nobody waits for it meanwhile.

:func:`prepare_change` folds a change of a peer; :func:`prepare_own` composes and folds this device's next change. Neither
uses what the ledger remembers, since another thread may use that in a transaction.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, cast

from edda_sync.changes import early
from edda_sync.changes.chains import Place
from edda_sync.changes.change import Change
from edda_sync.changes.drafts import Draft
from edda_sync.changes.past import Pasts
from edda_sync.crdt import operation
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.fold.fold import Fold
from edda_sync.fold.prepared import Prepared, Whole, prepare
from edda_sync.fold.texts import Texts
from edda_sync.ledger import admission
from edda_sync.ledger.admission import Admitted
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.composed import ComposedReader
from edda_sync.store.delta import Delta
from edda_sync.store.questions import Questions
from edda_sync.store.seams import LogReader, StoreReader, StoreWriter
from edda_sync.words import limits
from edda_sync.words.errors import LimitError
from edda_sync.workspace.actor import actor_of
from edda_sync.workspace.keys import WORKSPACE_KEY


def prepare_change(reader: StoreReader, change: Change, body: Iterable[bytes]) -> Prepared | None:
    """
    Fold a change from a reader of the store; hand the result to ``Ledger.admit``. None if there is nothing to prepare.

    Args:
        reader: A reader of the store.
        change: The change, whose hash a signed head covers.
        body: Its body, in pieces.

    Raises:
        RemoteProtocolError: The change breaks a rule of its past.
        CorruptError: Something stored is damaged.
    """
    header, workspace = change.header, reader.meta.get(WORKSPACE_KEY)
    if workspace is None or header.body_bytes > limits.PREPARED_BYTES_MAX:
        return None
    checked = admission.check(reader, Pasts(), Fold(reader, Texts()), workspace, change)
    if isinstance(checked, Admitted):
        return None
    name, position = checked.place.name, reader.log.position() + 1

    def begin(fold: Fold) -> None:
        fold.begin(name, header.seq, header.wall_ms, checked.deps, position, checked.author)

    operations = map(operation.decode, operation.cut(body, header.operations))
    return prepare(reader, change.hash, begin, operations, understood=header.is_understood)


@dataclass(slots=True)
class PreparedOwn:
    """
    This device's next change, composed and folded. Call :meth:`is_right` in a transaction, then :meth:`write`.

    Attributes:
        actor: The life that writes it.
        made: The change, or why it is refused.
        questions: What was asked.
    """

    actor: bytes
    made: Made | LimitError
    questions: Questions

    def is_right(self, tx: StoreReader) -> bool:
        """Tell whether the change would be the same now."""
        return self.questions.have_the_same_answers(tx)

    def write(self, tx: StoreWriter, ledger: Ledger) -> Dot:
        """
        Write it, if it is right; return its dot.

        Raises:
            LimitError: It is too large.
        """
        if isinstance(self.made, LimitError):
            raise self.made
        position = tx.log.position() + 1
        for number, part in enumerate(self.made.parts):
            tx.log.append_part(position, number, part)
        ledger.put_in_log(tx, *self.made.appended)
        ledger.fold(tx).hand_on(self.made.delta)
        return self.made.dot


def prepare_own(
    reader: StoreReader, drafts: Sequence[Draft], wall_ms: int, agent: str | None = None, reason: str | None = None
) -> PreparedOwn | None:
    """
    Do what ``Ledger.commit`` does, from a reader of the store; None if it is better done in the transaction.

    That is so for the first change of a life, and as long as something that this store depends on is not here.

    Args:
        reader: A reader of the store.
        drafts: The drafts, in order.
        wall_ms: Wall time in milliseconds since 1970.
        agent, reason: Who asks for the change, and why.

    Raises:
        NotFoundError, InvalidValueError: See ``Ledger.commit``.
    """
    questions = Questions()
    noting = questions.noting(reader)
    actor = actor_of(noting)
    if noting.log.heads().get(actor) is None or early.is_pending(noting) or noting.segments.merged():
        return None
    ahead, log = _Ahead(), _PartsKept(noting.log)
    tx = replace(ComposedReader.of(noting), log=cast("LogReader", log))
    try:
        dot = ahead.commit(cast("StoreWriter", tx), drafts, wall_ms, agent, reason)
    except _SeveralChangesError:
        return None
    except LimitError as error:  # only the transaction can tell whether that still is so
        return PreparedOwn(actor, error, questions)
    if dot is None or ahead.appended is None or ahead.delta is None or ahead.delta.overfull or ahead.delta.uniques:
        return None
    return PreparedOwn(actor, Made(dot, ahead.appended, log.parts, ahead.delta), questions)


class _Appended(NamedTuple):
    change: Change
    place: Place
    named: Frontier
    deps: Frontier


class Made(NamedTuple):
    """
    A change that was made before its transaction.

    Attributes:
        dot: Its dot.
        appended: What it appends to the log.
        parts: The parts of a long body.
        delta: The result of its fold.
    """

    dot: Dot
    appended: _Appended
    parts: Sequence[bytes]
    delta: Delta


class _Ahead(Ledger):
    """A ledger that remembers nothing of any transaction, and writes nothing into this one."""

    def __init__(self) -> None:
        super().__init__(Texts())
        self.appended: _Appended | None = None
        self.delta: Delta | None = None

    def fold(self, tx: StoreReader) -> Fold:
        return Whole(tx, self.texts, write=self._keep)

    def _keep(self, delta: Delta) -> None:
        self.delta = delta

    def put_in_log(self, _tx: StoreReader, change: Change, place: Place, named: Frontier, deps: Frontier) -> Any:
        if self.appended is not None:
            raise _SeveralChangesError
        self.appended = _Appended(change, place, named, deps)


class _SeveralChangesError(Exception):
    """Changes without operations have to be written first, because there is more to name than fits one header."""


class _PartsKept:
    """A log that keeps the parts of the next change's body in memory."""

    def __init__(self, log: LogReader) -> None:
        self._log = log
        self.parts: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def append_part(self, _position: int, _number: int, part: bytes) -> None:
        """Keep a part."""
        self.parts.append(part)
