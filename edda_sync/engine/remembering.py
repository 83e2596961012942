"""
Remembering: what a store was, what was done to it, and how that is taken back. It is the part of the engine's interface
that works with the past.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final, Protocol, runtime_checkable

from edda_sync.engine.soundly import Stored
from edda_sync.words import arguments, limits, values

if TYPE_CHECKING:
    from edda_sync.crdt.frontier import Dot
    from edda_sync.engine.reading import Reading
    from edda_sync.engine.undoing import Plan
    from edda_sync.engine.watched import ConflictWatch
    from edda_sync.engine.writing import Writing
    from edda_sync.store.seams import Store, StoreReader, StoreWriter
    from edda_sync.words.listed import Conflict, History, Undone
    from edda_sync.words.model import Item
    from edda_sync.words.values import When

_STORED: Final = Stored()


@runtime_checkable
class _Parts(Protocol):
    """What remembering needs of an engine."""

    reading: Reading

    @property
    def store(self) -> Store: ...

    @property
    def writing(self) -> Writing: ...

    def _writes(self) -> _Watching: ...


class _Watching(Protocol):
    def watch_conflicts(self) -> ConflictWatch:
        """See ``WriteSide.watch_conflicts``."""
        ...


class Remembering:
    """The part of :class:`~edda_sync.engine.engine.StorageEngine` that works with the past."""

    def history(self: _Parts, item_id: str | None = None, *, kind: str = "", limit: int | None = None) -> History:
        """
        Return the changes of a task, document or tag, or of everything, the latest first.

        Args:
            item_id: The id of a task, a document or a tag; None for everything.
            kind: ``task``, ``document`` or ``tag``; by default whichever has this id.
            limit: How many changes; None for all.

        Raises:
            NotFoundError: Nothing has this id.
        """
        from edda_sync.engine import history

        if limit is not None:
            arguments.whole_number("limit", limit, limits.QUERY_LIMIT_MAX)
        with _STORED, self.store.read() as reader:
            if item_id is None:
                return history.latest(reader, limit)
            return history.history(reader, history.key_of_any(reader, item_id, kind), limit)

    def as_of(self: _Parts, kind: str, item_id: str, moment: When) -> Item | None:
        """
        Return a task or document as it was at a time, or after a change; None if it was not there, or in the trash.

        Args:
            kind: ``task`` or ``document``.
            item_id: Its id.
            moment: The time, by the clocks of the devices that made the changes; or the name of a change, as
                :meth:`history` has it. Whatever a change wrote is shown as it was after it.

        Raises:
            InvalidValueError, NotFoundError: There is no such time or change.
            UsageError: The log is not whole yet.
        """
        from edda_sync.engine import dots, earlier
        from edda_sync.engine.undoing import check_whole

        arguments.kind_of_item(kind)
        with _STORED, self.store.read() as reader:
            check_whole(reader)
            named = isinstance(moment, str) and dots.is_name(moment)
            at = dots.dot_of(reader, str(moment)) if named else _ms("at", moment)
            return earlier.item(reader, kind, values.id_bytes("id", item_id), at)

    def version(self: _Parts, kind: str, item_id: str) -> str:
        """
        Return the version of a task or document: a short hash of what was done to it, as documents have it in ``version``.

        Args:
            kind: ``task`` or ``document``.
            item_id: Its id.

        Raises:
            NotFoundError: There is none.
        """
        from edda_sync.engine import earlier

        arguments.kind_of_item(kind)
        with _STORED, self.store.read() as reader:
            return earlier.version(reader, kind, values.id_bytes("id", item_id))

    def text_at(self: _Parts, kind: str, item_id: str, version: str) -> str | None:
        """
        Return the description or content that a task or document had at a version, as the base of an edit of that text.

        Args:
            kind: ``task`` or ``document``.
            item_id: Its id.
            version: Its :meth:`version`, as it once was on this device.

        Raises:
            NotFoundError: It never had this version here.
            UsageError: The log is not whole yet.
        """
        from edda_sync.engine import earlier
        from edda_sync.engine.undoing import check_whole

        arguments.kind_of_item(kind)
        with _STORED, self.store.read() as reader:
            check_whole(reader)
            return earlier.text(reader, kind, values.id_bytes("id", item_id), version)

    def undo(
        self: _Parts, *dots: str, agent: str | None = None, reason: str | None = None, dry_run: bool = False
    ) -> Undone:
        """
        Take changes back, in one new change; without a name, the last change of this device.

        What others wrote since stays, and the result says what could not be taken back.

        Args:
            dots: The names of the changes, as :meth:`history` has them, or beginnings of these; ``1f3a9c20-12..15`` names
                several. By default the last change of this device that was made by ``agent`` and is not taken back.
            agent, reason: Who asks for it, and why.
            dry_run: Only say what would be done.

        Raises:
            InvalidValueError, NotFoundError: A name is wrong.
            UsageError: The log is not whole yet.
            InvalidValueError: A task would become its own ancestor, because others moved tasks since.
            ClashError: Another item has by now what a unique index allows once.
        """
        from edda_sync.engine import dots as names
        from edda_sync.engine import undoing

        def chosen(reader: StoreReader) -> list[Dot]:
            if dots:
                return [dot for each in dots for dot in names.dots_of(reader, each)]
            own = undoing.own_lives(reader)
            return [undoing.last_of(reader, own, agent)]

        def planned(reader: StoreReader) -> Plan:
            undoing.check_whole(reader)
            return undoing.plan(reader, chosen(reader))

        return _carry_out(self, planned, agent, reason, dry_run)

    def revert(
        self: _Parts,
        of_agent: str,
        since: When,
        *,
        agent: str | None = None,
        reason: str | None = None,
        dry_run: bool = False,
    ) -> Undone:
        """
        Take back everything that an agent did since a time, on whatever device, in one new change.

        Args:
            of_agent: The name of the agent whose changes are taken back.
            since: The time, by the clocks of the devices that made the changes.
            agent, reason, dry_run: As for :meth:`undo`.

        Raises:
            UsageError, InvalidValueError, ClashError: As for :meth:`undo`.
        """
        from edda_sync.engine import undoing

        of_agent, since_ms = values.line("of_agent", of_agent), _ms("since", since)

        def planned(reader: StoreReader) -> Plan:
            return undoing.plan(reader, undoing.by_agent(reader, of_agent, since_ms))

        return _carry_out(self, planned, agent, reason, dry_run)

    def conflicts(self: _Parts) -> list[Conflict]:
        """
        Return what was written at the same time and is not shown: every field with several values, and every deletion and
        rename that lost. :meth:`settle` ends one.
        """
        return self.reading.conflicts()

    def watch_conflicts(self: _Parts) -> ConflictWatch:
        """
        Watch the conflicts: iterate, with ``for`` or ``async for``, over those that arise, change, and are settled.

        Close it, or use it in a ``with`` block. The first change has all conflicts that there are.
        """
        return self._writes().watch_conflicts()

    def settle(
        self: _Parts,
        conflict: Conflict,
        take: int | None = None,
        *,
        agent: str | None = None,
        reason: str | None = None,
    ) -> str | None:
        """
        Settle a conflict by an ordinary change, which merges like any other; return the name of the change.

        Args:
            conflict: The conflict, as :meth:`conflicts` lists it.
            take: Which of the values that are kept is to be shown, from 0 on; None to dismiss them all.
            agent, reason: Who asks for it, and why.

        Raises:
            UsageError: There is no such value, or the field was written again meanwhile.
            InvalidValueError: The value would break a rule by now, such as a task that becomes its own ancestor.
        """
        from edda_sync.engine import dots as names
        from edda_sync.engine.settling import settling
        from edda_sync.words.listed import Conflict

        arguments.of_type("conflict", conflict, Conflict, "a Conflict, as store.conflicts() lists it")
        if take is not None:
            arguments.of_type("take", take, int, "a number from 0, or None")
        agent, reason = _said(agent, reason)
        dot = self.store.transact(lambda tx: self.writing.commit(tx, settling(tx, conflict, take), reason, agent))
        if dot is not None:
            self.writing.announce()
        return None if dot is None else names.text_of(dot)


def _carry_out(parts: _Parts, planned: _Planned, agent: str | None, reason: str | None, dry_run: bool) -> Undone:
    from edda_sync.engine import dots as names
    from edda_sync.engine import undoing
    from edda_sync.words.listed import Undone

    agent, reason = _said(agent, reason)
    if dry_run:
        with _STORED, parts.store.read() as reader:
            found, dot = planned(reader), None
    else:

        def work(tx: StoreWriter) -> tuple[Plan, Dot | None]:
            with _STORED:
                found = planned(tx)
            if not found.drafts:
                return found, None
            why, undone = undoing.said_of(found.dots, reason)
            return found, parts.writing.commit(tx, found.drafts, why, agent, undone)

        found, dot = parts.store.transact(work)
        if dot is not None:
            parts.writing.announce()
    return Undone(
        dot=None if dot is None else names.text_of(dot), of=tuple(map(names.text_of, found.dots)), items=found.items
    )


def _said(agent: str | None, reason: str | None) -> tuple[str | None, str | None]:
    """Return who asks, and why, as a change may say it."""
    if reason is not None:
        reason = values.line("reason", reason, code_points_max=limits.REASON_CODE_POINTS_MAX)
    return None if agent is None else values.line("agent", agent), reason


class _Planned(Protocol):
    """Plans an undo in a state of the store."""

    def __call__(self, reader: StoreReader, /) -> Plan: ...


def _ms(field: str, moment: When) -> int:
    return int(datetime.fromisoformat(values.time(field, moment)).timestamp() * 1_000)
