"""Errors of the caller, who should change the call."""

from __future__ import annotations

from collections.abc import Sequence

from edda_sync.words import exits, limits
from edda_sync.words.errors.root import LISTED, EddaError, bare, command_of, shown, typed


class LocalError(EddaError):
    """The caller asked for something that is not possible."""

    exit_code = exits.USAGE


class InvalidValueError(LocalError):
    """A value is not acceptable; nothing was written."""

    def __init__(self, field: str, why: str, value: object = None) -> None:
        self.field, self.why, self.value = field, why, value
        super().__init__(f"{field}: {bare(why)}.")


class SettingError(LocalError):
    """
    A setting is not acceptable. Nothing was opened, created or changed.

    Attributes:
        key: The setting, such as ``cache.max_size``.
        why: What is wrong with it, and what would be right.
        value: What was given.
        place: Where it was given: a line of a file, or a variable; empty for an argument of the program.
    """

    def __init__(self, key: str, why: str, value: object = None, place: str = "") -> None:
        self.key, self.why, self.value, self.place = key, why, value, place
        said = f"{place}: {key} {bare(why)}" if place else f"{key} {bare(why)}"
        super().__init__(said if said.endswith("?") else f"{said}.")


class ConfigFileError(LocalError):
    """A store's ``config.toml`` cannot be read as settings. Nothing was opened, created or changed."""

    def __init__(self, path: str, why: str, advice: str) -> None:
        self.path, self.why, self.advice = path, why, advice
        super().__init__(f"{path} {bare(why)}; nothing was opened or changed: {advice}.")


class NotFoundError(LocalError):
    """There is no such task, document, tag, change, device or target; ``other`` is what has that id instead, if any."""

    exit_code = exits.NOT_FOUND

    def __init__(self, kind: str, reference: str, other: str = "") -> None:
        self.kind, self.reference, self.other = kind, reference, other
        listing = "edda devices" if kind == "device" else f"edda {command_of(kind)} list"
        listed = f"; `{listing}` shows what there is" if kind in LISTED else ""
        if kind in ("task", "document") and len(reference.replace("-", "")) < 32:
            listed = (
                f"; `edda {command_of(kind)} list` shows titles and ids, of which the last 6 or more characters will do"
            )
        if kind == "version":
            listed = "; `edda doc show ID --json` says which version it shows"
        if kind == "conflict":
            listed = "; `edda conflicts` lists all"
        if kind == "change":
            listed = "; `edda history` shows the latest"
        if kind == "task or document":
            listed = "; `edda task list` and `edda doc list` show titles and ids"
        if other:
            listed = f"; it is a {other}, which `edda {command_of(other)} show {typed(reference)}` shows"
        super().__init__(f"There is no {kind} {shown(reference)} here{listed}.")


class NoStoreError(LocalError):
    """There is no store in the folder, and what only looks makes none."""

    exit_code = exits.NOT_FOUND

    def __init__(self, path: str, advice: str = "") -> None:
        self.path = path
        advice = advice or "`edda init` makes one, as does adding something, and --home names another folder"
        super().__init__(f"There is no store in {path}; nothing was made: {advice}.")


class EmptySourceError(LocalError):
    """What was to be imported holds nothing that could be; nothing was imported."""

    exit_code = exits.NOT_FOUND

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(f"{why}; nothing was imported.")


class ExistsError(LocalError):
    """Something has this name already; nothing was changed."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind, self.name = kind, name
        super().__init__(f"There is an {kind} {shown(name)} already; drop it first, or choose another name.")


class ClashError(LocalError):
    """
    A unique index forbids what was to be written, because another item has the same values; nothing was written.

    Attributes:
        index: The name of the index.
        kind: ``task`` or ``document``.
        columns: Its columns.
        other: The id of the item that has the values.
        item: The id of the item that was to have them, too.
    """

    exit_code = exits.FAILED

    def __init__(self, index: str, kind: str, columns: Sequence[str], other: str, item: str) -> None:
        self.index, self.kind, self.columns, self.other, self.item = index, kind, list(columns), other, item
        same, short = " and ".join(map(bare, self.columns)), other[-12:]
        super().__init__(
            f"The {kind} {short} has the same {same}, which the index {bare(index)} allows only once; nothing was"
            f" written: `edda {command_of(kind)} show {short}` shows it."
        )


class InTrashError(NotFoundError):
    """The entity was deleted; restore it first."""

    def __init__(self, kind: str, reference: str) -> None:
        super().__init__(kind, reference)
        restore = f"edda {command_of(kind)} restore {typed(reference)}"
        self.args = (f"The {kind} {shown(reference)} is in the trash; `{restore}` brings it back.",)


class NotThenError(NotFoundError):
    """A task or document was not there at a time that was named, or was in the trash then."""

    def __init__(self, kind: str, reference: str) -> None:
        super().__init__(kind, reference)
        self.args = (
            f"This {kind} was not there then, or was in the trash: `edda history {typed(reference)}` shows when.",
        )


class NothingToUndoError(NotFoundError):
    """On this device nobody, or this agent, wrote anything that is not taken back."""

    def __init__(self, agent: str | None = None) -> None:
        super().__init__("change", agent or "")
        self.agent = agent
        who = "nobody" if agent is None else f"no agent {shown(agent)}"
        advice = "`edda history` shows all changes, and `edda undo CHANGE` takes back one that another device made"
        said = f"{who} wrote anything on this device that is not taken back already"
        self.args = (f"There is nothing to take back: {said}; {advice}.",)


class NotLinkedError(NotFoundError):
    """A task and a document exist, but there is no link between them."""

    def __init__(self, task: str, document: str) -> None:
        super().__init__("link", task)
        self.document = document
        self.args = (
            f"There is no link between the task {shown(task)} and the document {shown(document)}; nothing was changed.",
        )


class NotTaggedError(NotFoundError):
    """A task or document exists, but does not carry a tag."""

    def __init__(self, kind: str, reference: str, tag: str) -> None:
        super().__init__(kind, reference)
        self.tag = tag
        self.args = (f"The {kind} {reference[-12:]} does not carry the tag {shown(tag)}; nothing was changed.",)


class AmbiguousIdError(LocalError):
    """A short id, or a title, fits several entities."""

    def __init__(self, reference: str, candidates: Sequence[str], shorts: Sequence[str] = ()) -> None:
        self.reference, self.candidates = reference, list(candidates)
        shown_ids = ", ".join(shorts[:4] or [candidate[-12:] for candidate in self.candidates[:4]])
        several = " and others" if len(self.candidates) > 4 else ""
        digits, ids = reference.replace("-", "").lower(), [each.replace("-", "") for each in self.candidates]
        begins = all(each.startswith(digits) for each in ids)
        advice = "type more of it, or the end of an id instead" if begins else "type the end of an id instead"
        if all(each.endswith(digits) for each in ids):
            advice = "type more of its end"
        many = f"{len(self.candidates)} or more" if len(self.candidates) >= limits.CANDIDATES_MAX else len(candidates)
        super().__init__(f"{shown(reference)} fits {many} items ({shown_ids}{several}); {advice}.")


class ConflictError(LocalError):
    """Something that the transaction read or wrote has changed meanwhile. Run it again, or use ``transact``."""

    exit_code = exits.FAILED

    def __init__(self, cells: Sequence[tuple[str, str]]) -> None:
        self.cells = list(cells)
        entity, field = self.cells[0]
        super().__init__(
            f"{field} of {entity[-12:]} was changed while this transaction ran; nothing was written: run it again."
        )


class StaleError(ConflictError):
    """A value has changed since the object that is written back was read. Read it again, or use ``transact``."""

    def __init__(self, cells: Sequence[tuple[str, str]]) -> None:
        self.cells = list(cells)
        entity, field = self.cells[0]
        self.args = (
            f"{field} of {entity[-12:]} has changed since it was read here; nothing was written: read it again first.",
        )


class OutdatedError(ConflictError):
    """A transaction or reader was open for too long, and was ended."""

    def __init__(self, path: str) -> None:
        self.path, self.cells = path, []
        why = "so much was written since that it was ended, or the journal would grow without end"
        self.args = (f"What is seen here of {path} is too old: {why}; run it again, and end each look soon.",)


class LimitError(LocalError):
    """Something is larger than a limit allows; nothing was written."""

    def __init__(self, what: str, size: int, limit: int, advice: str = "split it") -> None:
        self.what, self.size, self.limit = what, size, limit
        super().__init__(f"{what} is {size:,}, and at most {limit:,} is possible; {advice}.")


class UsageError(LocalError):
    """The call does not fit the present state. The text says what to do first."""


class NestedError(UsageError):
    """Something inside a transaction of a store would wait for the end of that same transaction."""

    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(
            f"{what} inside a transaction of the same store would wait for itself; "
            "do it with the transaction that is running, or once that has ended."
        )


class CallbackError(LocalError):
    """
    A function that the program gave us to call raised an exception. It is not called again; everything else goes on.

    Attributes:
        about: What the function was told, as a phrase that can begin a sentence.
        raised: The exception. Its traceback is in the log.
    """

    def __init__(self, about: str, raised: BaseException) -> None:
        self.about, self.raised = about, raised
        super().__init__(
            f"{about} is not told any more: the program's own function raised {type(raised).__name__}"
            f" ({bare(str(raised))}); mend it, and start the program again."
        )
