"""
Unique indexes in a fold: which claims entities have, and whose value is withheld from the tables.

Where several visible entities claim the same value, the one with the least key, which was made first, shows it. From the
rows of the others the value is withheld, as a parent is in a ring (``integrity``); their cells keep it, and it is shown as
soon as they alone claim it. A claim depends only on the state of its own entity, and never on what is withheld, so
every device withholds the same values, whatever came first. Withholding a value makes no condition of an index true.

An entity that changes is compared with the first other one at each value that it claims or claimed. So a change costs the
same however many claim one value.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from edda_sync.crdt.entity import Entity
from edda_sync.crdt.keys import id_text_of, kind_and_id
from edda_sync.fold.entities import Entities
from edda_sync.store.seams import Claim, Record, StoreReader
from edda_sync.store.seams.meta import WORKSPACE_KEY
from edda_sync.words.errors import ClashError

if TYPE_CHECKING:
    from edda_sync.crdt.uniques import Unique

_Place = tuple[str, bytes]  # the name of an index, and a value
_NOTHING: Final[frozenset[str]] = frozenset()


class _Found(NamedTuple):
    """Who claims a value: those that were looked at, the first other one, and how many of the former claimed it before."""

    looked: list[bytes]
    first: Claim | None
    left: int


Settings = Mapping[str, bytes | None]
"""Unique indexes that begin, change or end: their records by name; None for one that ends."""


class Claims(NamedTuple):
    """
    What changes among the claims that a store holds.

    Attributes:
        gone: Names of indexes and keys of entities that claim nothing there any more.
        held: Claims that are new or changed.
    """

    gone: list[tuple[str, bytes]]
    held: list[Claim]


class Uniques:
    """
    The unique indexes as a fold sees them. Call :meth:`look` before what depends on it.

    Args:
        reader: The store's transaction.
        entities: The fold's entities.
    """

    def __init__(self, reader: StoreReader, entities: Entities) -> None:
        self._reader, self._entities = reader, entities
        self._now: dict[bytes, dict[str, Claim]] = {}  # of the entities that were looked at
        self._before: dict[bytes, dict[str, Claim]] = {}
        self._known: dict[bytes, frozenset[str]] = {}  # the cells that are withheld, of other entities
        self._moved: dict[bytes, dict[str, Claim]] = {}  # of these: the claims that become withheld, or end to be so
        self._places: dict[_Place, _Found] = {}
        self._changes = Claims([], [])
        self._forbidden: dict[bytes, None] = {}
        self._early: dict[tuple[bytes, _Place], None] = {}  # what clashed in earlier flushes of the same change

    def changed_settings(self, workspace: Entity) -> Settings:
        """Return how the settings differ from those whose claims the store holds, now that a workspace was written."""
        if workspace.id != self._reader.meta.get(WORKSPACE_KEY):
            return {}  # a member may write anything, also about workspaces that are not this one
        from edda_sync.crdt.uniques import GROUP, in_effect  # rarely needed

        cells = [name for name in workspace.cells if name.startswith(GROUP)]
        wanted = in_effect({name[len(GROUP) :]: workspace.value(name) for name in cells})
        held = self._reader.uniques.settings()
        return {name: wanted.get(name) for name in sorted({*wanted, *held}) if wanted.get(name) != held.get(name)}

    def look(self, keys: Iterable[bytes]) -> list[bytes]:
        """
        Find what some entities claim now, and what is withheld because of it.

        Args:
            keys: The keys of entities of the fold that may have changed.

        Returns:
            The keys of the entities, of these or others, whose rows withhold something else than before.
        """
        self._now, self._before, self._known, self._moved, self._places = {}, {}, {}, {}, {}
        self._changes, indexes = Claims([], []), self._indexes()
        looked = [key for key in dict.fromkeys(keys) if kind_and_id(key)[0] in indexes] if indexes else []
        if not looked:
            return []
        self._before = self._stored(looked)
        asked = {key: self._claimed(key, indexes[kind_and_id(key)[0]]) for key in looked}
        places, left = defaultdict[_Place, list[bytes]](list), defaultdict[_Place, int](int)
        for key in looked:
            for name, value in asked[key].items():
                places[name, value].append(key)
            for claim in self._before[key].values():
                places[claim[:2]]
                left[claim[:2]] += 1
        moved: dict[bytes, None] = {}
        for place, claimants in places.items():
            first = self._first(place, left[place])
            self._places[place] = _Found(claimants, first, left[place])
            shows = min(claimants, default=None) if first is None else min((*claimants, first.entity))
            for key in claimants:
                self._now.setdefault(key, {})[place[0]] = Claim(*place, key, key != shows)
            if first is not None and first.withheld != (first.entity != shows):
                turned = first._replace(withheld=not first.withheld)
                self._changes.held.append(turned)
                self._moved.setdefault(first.entity, {})[place[0]] = turned
                moved[first.entity] = None
        for key in looked:
            now, before = self._now.setdefault(key, {}), self._before[key]
            self._changes.gone.extend((name, key) for name in before if name not in now)
            self._changes.held.extend(claim for name, claim in now.items() if before.get(name) != claim)
            if self._cells(now.values()) != self._cells(before.values()):
                moved[key] = None
        self._entities.load(moved)
        self._know(key for key in moved if key not in self._now)
        return list(moved)

    def recall(self, keys: Iterable[bytes]) -> None:
        """Look up what is withheld of entities that will be asked for, and were not looked at."""
        if self._indexes():
            self._know(key for key in keys if key not in self._now and key not in self._known)

    def withheld(self, key: bytes) -> frozenset[str]:
        """Return the cells of an entity whose values its row must not show. Call :meth:`look` and :meth:`recall` first."""
        if key in self._now:
            return self._cells(self._now[key].values())
        return self._known.get(key, _NOTHING)

    def take(self) -> Claims:
        """Return what changes among the claims that the store holds."""
        return self._changes

    def forbid(self, key: bytes) -> None:
        """Make the last :meth:`check` of a change raise an error if an entity newly claims what another one has."""
        self._forbidden[key] = None

    def check(self, *, is_last: bool) -> None:
        """
        Check what was forbidden, after :meth:`look`.

        Args:
            is_last: Whether no more of the same change follows, which could give the value another time.

        Raises:
            ClashError: Nothing more follows, and an entity newly claims what another one has.
        """
        for key in self._forbidden:
            for name, claim in self._now.get(key, {}).items():
                before = self._before[key].get(name)
                found = self._places[claim[:2]]
                other = next((each for each in found.looked if each != key), found.first and found.first.entity)
                if other is None or (before is not None and before.value == claim.value):
                    continue
                if is_last:
                    raise self._clash(name, other, key)
                self._early[key, claim[:2]] = None
        self._forbidden = {}
        if is_last:
            for key, place in self._early:
                claimants = self._claimants(key, place)
                if key in claimants and len(claimants) > 1:
                    raise self._clash(place[0], next(each for each in claimants if each != key), key)
            self._early = {}

    def _claimants(self, key: bytes, place: _Place) -> list[bytes]:
        """Return who claims a value now: an entity if it does, those that were looked at, and the first two others."""
        found = self._places.get(place, _Found([], None, 0))
        stored = [each.entity for each in self._reader.uniques.holders(*place, found.left + 2)]
        others = [each for each in stored if each not in self._before][:2]
        claims = self._reader.uniques.claims_of([] if key in self._before or key in others else [key])
        return [*found.looked, *others, *(each.entity for each in claims if each[:2] == place)]

    def _clash(self, name: str, other: bytes, key: bytes) -> ClashError:
        index = _unique(name, self._reader.uniques.settings()[name])
        return ClashError(name, index.on, index.names, id_text_of(other), id_text_of(key))

    def is_sound(self, entity: Entity) -> bool:
        """Tell whether the store holds the right claims of an entity. Nothing is folded here."""
        indexes = self._indexes()
        stored = {claim.name: claim for claim in self._reader.uniques.claims_of([entity.key])} if indexes else {}
        asked = {} if entity.hidden or not indexes else _claims_of(indexes.get(entity.kind, ()), entity.value)
        if asked != {name: claim.value for name, claim in stored.items()}:
            return False
        firsts = (self._reader.uniques.holders(claim.name, claim.value, 1)[0] for claim in stored.values())
        return all(
            claim.withheld == (first.entity != entity.key) for claim, first in zip(stored.values(), firsts, strict=True)
        )

    def _indexes(self) -> dict[str, list[Unique]]:
        """Return the unique indexes by the kind of their entities."""
        found: dict[str, list[Unique]] = {}
        for name, record in self._reader.uniques.settings().items():
            index = _unique(name, record)
            found.setdefault(index.on, []).append(index)
        return found

    def _claimed(self, key: bytes, indexes: Iterable[Unique]) -> dict[str, bytes]:
        newborn = self._entities.newborns.get(key)
        if newborn is not None:
            return _claims_of(indexes, newborn.cells.get)
        entity = self._entities[key]
        return {} if entity.hidden else _claims_of(indexes, entity.value)

    def _first(self, place: _Place, left: int) -> Claim | None:
        """Return the first claim of a value by an entity that is not looked at; ``left`` of those claimed it before."""
        stored = self._reader.uniques.holders(*place, left + 1)
        return next((claim for claim in stored if claim.entity not in self._before), None)

    def _stored(self, keys: Collection[bytes]) -> dict[bytes, dict[str, Claim]]:
        found: dict[bytes, dict[str, Claim]] = {key: {} for key in keys}
        for claim in self._reader.uniques.claims_of(keys):
            found[claim.entity][claim.name] = claim
        return found

    def _know(self, keys: Iterable[bytes]) -> None:
        asked = list(keys)
        for key, claims in self._stored(asked).items() if asked else ():
            self._known[key] = self._cells((claims | self._moved.get(key, {})).values())

    def _cells(self, claims: Iterable[Claim]) -> frozenset[str]:
        withheld = [claim.name for claim in claims if claim.withheld]
        if not withheld:
            return _NOTHING
        settings = self._reader.uniques.settings()
        return frozenset(_unique(name, settings[name]).withheld for name in withheld)


def _unique(name: str, record: bytes) -> Unique:
    from edda_sync.crdt.uniques import unique  # rarely needed

    return unique(name, record)


def _claims_of(indexes: Iterable[Unique], value: Callable[[str], Any]) -> dict[str, bytes]:
    from edda_sync.crdt.uniques import claim  # rarely needed

    claimed = ((index.name, claim(index, value)) for index in indexes)
    return {name: found for name, found in claimed if found is not None}


def withheld_of(reader: StoreReader, key: bytes) -> frozenset[str]:
    """Return the cells of an entity whose values its row does not show, as a store has it."""
    settings = reader.uniques.settings()
    claims = reader.uniques.claims_of([key]) if settings else ()
    return frozenset(_unique(each.name, settings[each.name]).withheld for each in claims if each.withheld)


def rivals(reader: StoreReader, keys: Collection[bytes]) -> list[bytes]:
    """Return the entities that will show what some entities claim, once those are gone."""
    gone, found = set(keys), dict[bytes, None]()
    for (name, value), count in Counter(claim[:2] for claim in reader.uniques.claims_of(gone)).items():
        left = [each.entity for each in reader.uniques.holders(name, value, count + 1) if each.entity not in gone]
        found.update(dict.fromkeys(left))
    return list(found)


def concerned(reader: StoreReader, settings: Settings, size: int) -> Iterator[list[Record]]:
    """Yield the visible entities that may claim something under unique indexes, a page of ``size`` at a time."""
    for kind in sorted({_unique(name, record).on for name, record in settings.items() if record is not None}):
        after = b""
        while page := list(itertools.islice(reader.states.scan(kind, after), size)):
            after = page[-1].key
            yield [each for each in page if not each.hidden]
