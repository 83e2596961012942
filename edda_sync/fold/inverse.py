"""
Inverse: what takes some changes back, as drafts of a new change that merges like any other.

Two states of an entity are compared: the present one, and the one that it would have without these changes
(:mod:`~edda_sync.ledger.looking_back`). So what others wrote stays, whenever they wrote it:

1. A cell is set back if it still shows what one of these changes wrote. If somebody has written it since, it stays.
2. Of a text, the units that they brought are deleted, and those that they deleted are brought back.
3. What they deleted comes out of the trash, unless others deleted it too. What they made goes there, unless others have
   worked on it. What they brought back goes there again.

The inverse of an inverse is found in the same way, and leads to the state in between.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edda_sync.changes.drafts import Delete, Draft, EditText, Put, Rewrite, Touch
from edda_sync.crdt import cells
from edda_sync.crdt.cells import Siblings
from edda_sync.crdt.entity import Entity
from edda_sync.crdt.frontier import Dot
from edda_sync.fold.conflicts import conflicts_of
from edda_sync.fold.texts import Texts
from edda_sync.fold.view import View
from edda_sync.store.seams import StoreReader
from edda_sync.words.model import TEXT_FIELDS

if TYPE_CHECKING:
    from edda_sync.crdt.text.setting_back import SetBack

SETS: Final = ("tag.", "link.", "file.")  # a member is there if any sibling has it
_MADE: Final = (
    "created_at",
    "title",
    "name",
)  # of these, the first that an entity has says whether what made it counts
_NEVER: Final = ("created_at",)  # a derived time

TRASHED: Final = "trashed"
RESTORED: Final = "restored"

SINCE: Final = "was written again since"
ANOTHER: Final = "shows what somebody else wrote at the same time"
WORKED_ON: Final = "stays, because other changes have been made to it since"
IN_TRASH: Final = "is in the trash, where another change put it"
WORDS_GONE: Final = "has words of it that other changes have deleted or replaced since"
SETTLED: Final = "stays settled; the other value is in its history"
RING: Final = "cannot be set back, because the task would become its own ancestor"
WORDS_LOST: Final = "had words that other changes deleted too; these come back if one undo takes back both changes"


class Did(NamedTuple):
    """
    What the changes that are taken back did to an entity.

    Attributes:
        cells: The cells that they wrote, a text that they edited among them.
        units: How many UTF-16 units their edits inserted, and how many they deleted; None if that says nothing, because
            there are several changes, which may have deleted words of each other.
    """

    cells: Collection[str]
    units: tuple[int, int] | None = None


class Around(NamedTuple):
    """
    What stands around an entity.

    Attributes:
        tags: The names of the visible tags, by id.
        is_below: Tells whether the task with an id is another one, or below it: its key is given first.
        is_typed_in: Tells whether others have typed into a text since, or at the same time; an entity's key and the name of
            the text are given.
    """

    tags: Mapping[str, str]
    is_below: Callable[[bytes, bytes], bool]
    is_typed_in: Callable[[bytes, bytes], bool]


class Inverse(NamedTuple):
    """
    What takes changes of one entity back.

    Attributes:
        drafts: What to write, in order.
        fields: The cells that are set back; ``trashed`` if it goes to the trash, and ``restored`` if it comes from there.
        left: What cannot be taken back, and why, by cell; ``trash`` for the entity as a whole.
    """

    drafts: list[Draft]
    fields: list[str]
    left: dict[str, str]


class Side:
    """
    One of the two states.

    Args:
        reader: A reader of it.
        entity: The entity in it.
    """

    def __init__(self, reader: StoreReader, entity: Entity) -> None:
        self.entity, self._view, self._texts = entity, View(reader), Texts()

    def genesis(self) -> bytes | None:
        """Return the name of the text that is shown; None if there is none."""
        content = self.entity.value(TEXT_FIELDS[self.entity.kind])
        return self._texts.genesis(self.entity, content) if isinstance(content, str) else content

    def kept(self) -> Collection[str]:
        """Return the cells of which other values are kept beside what is shown."""
        return conflicts_of(self.entity, self._texts)

    def text(self) -> str | None:
        """Return the text that is shown."""
        return self._texts.text_of(self._view, self.entity)

    def sequence(self, genesis: bytes) -> Any:
        """Return the units of one of its texts."""
        return self._texts.opened(self._view, self.entity, genesis).sequence


class Earlier(NamedTuple):
    """
    A text beside which others had been taken back before, which count as if they had never been.

    Attributes:
        alone: The state of its entity without the changes that are to be taken back now, and nothing else.
        settled: The state without what had been taken back before, and the undos that did so, and nothing else.
    """

    alone: Side
    settled: Side


def inverse(
    now: Side, then: Side | None, dots: Collection[Dot], did: Did, around: Around, earlier: Earlier | None = None
) -> Inverse:
    """
    Return what takes changes of an entity back.

    Args:
        now: Its present state.
        then: Its state without these changes, and all that had been taken back before; None if nothing is left of it.
        dots: The dots of the changes.
        did: What they did to it.
        around: What stands around it.
        earlier: More of its states, if something of it had been taken back before.
    """
    entity, found = now.entity, Inverse([], [], {})
    if then is None or not then.entity.touched:
        if not entity.hidden:
            found.drafts.append(Delete(entity.kind, entity.id))
            found.fields.append(TRASHED)
        return found
    before = then.entity
    made = next((name for name in _MADE if name in entity.cells), None)
    if made not in before.cells:
        if made is not None and not entity.hidden:
            found.left["trash"] = WORKED_ON
        return found
    if entity.hidden and before.hidden:
        if entity.kind != "tag":  # a tag that is not there is no loss
            found.left["trash"] = IN_TRASH
        return found
    if entity.hidden:
        found.drafts.append(Touch(entity.kind, entity.id))
        found.fields.append(RESTORED)
    _set_cells_back(found, entity, before, dots, did, around)
    if TEXT_FIELDS.get(entity.kind) in did.cells:
        _set_text_back(found, now, then, dots, did, around, earlier)
    if before.hidden and not entity.hidden:
        found.drafts.append(Delete(entity.kind, entity.id))
        found.fields.append(TRASHED)
    return found


def _set_cells_back(found: Inverse, now: Entity, then: Entity, dots: Collection[Dot], did: Did, around: Around) -> None:
    written: dict[str, Any] = {}
    for name in sorted(did.cells):
        if name in _NEVER or name == TEXT_FIELDS.get(now.kind) or name not in now.cells:
            continue
        siblings, former = now.cells[name], then.cells.get(name)
        present, value = shown(name, siblings), None if former is None else shown(name, former)
        own = [write for write in siblings if write[:2] in dots]
        if not own:
            found.left[name] = SINCE
        elif not name.startswith(SETS) and cells.visible(siblings)[:2] not in dots:
            found.left[name] = ANOTHER
        elif present == value:
            if not name.startswith(SETS) and any(write[3] != value for write in former or ()):
                found.left[name] = SETTLED
        elif name == "parent_id" and value is not None and around.is_below(now.key, value):
            found.left[name] = RING
        else:
            is_tag = name.startswith("tag.") and value
            written[name] = around.tags.get(name[4:], value) if is_tag else value
    if written:
        found.drafts.append(Put.of(now.kind, now.id, written))
        found.fields.extend(written)


def shown(name: str, siblings: Siblings) -> Any:
    """Return what a cell shows: of a member of a set, what any sibling has, because an addition wins."""
    held = [write for write in siblings if write[3]] if name.startswith(SETS) else siblings
    return cells.visible(held)[3] if held else None


def _set_text_back(
    found: Inverse, now: Side, then: Side, dots: Collection[Dot], did: Did, around: Around, earlier: Earlier | None
) -> None:
    entity, field = now.entity, TEXT_FIELDS[now.entity.kind]
    genesis = now.genesis()
    if genesis is None or genesis != then.genesis():
        text, former = now.text(), then.text()
        typed = genesis is not None and around.is_typed_in(entity.key, genesis)  # their words would go with that text
        if typed or cells.visible(entity.cells[field])[:2] not in dots:
            found.left[field] = SINCE
        elif (is_beside := _stands_beside(now, then)) or text != former:
            if is_beside:  # an edit of one text would leave the other one there
                found.drafts.append(Put.of(entity.kind, entity.id, {field: None}))
                text = None
            found.drafts.append(Rewrite(entity.kind, entity.id, text, former))
            found.fields.append(field)
        return
    back = _set_back(now, then, genesis, earlier)
    if back is None:  # cannot be; but words that stay are worth more than a rule
        found.left[field] = SINCE
        return
    if back.edits:
        found.drafts.append(EditText(entity.kind, entity.id, tuple(back.edits), whole=True, after=tuple(back.after)))
        found.fields.append(field)
    inserted, deleted = did.units or (back.hidden, back.shown)
    if back.hidden < inserted:
        found.left[field] = WORDS_GONE
    elif back.shown < deleted:
        found.left[field] = WORDS_LOST


def _stands_beside(now: Side, then: Side) -> bool:
    """Tell whether the field has several texts beside each other, and would have one without the changes."""
    field = TEXT_FIELDS[now.entity.kind]
    return field in now.kept() and field not in then.kept()


def _set_back(now: Side, then: Side, genesis: bytes, earlier: Earlier | None) -> SetBack | None:
    from edda_sync.crdt.text.setting_back import Settled, set_back

    present, former = now.sequence(genesis), then.sequence(genesis)
    if earlier is None or {earlier.alone.genesis(), earlier.settled.genesis()} != {genesis}:
        return set_back(present, former)
    settled = Settled(earlier.settled.sequence(genesis), former)
    return set_back(present, earlier.alone.sequence(genesis), settled)
