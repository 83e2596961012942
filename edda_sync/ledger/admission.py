"""
Admission: whether a change may enter the log. A function of the change and its past, so all devices agree.

A change waits while something that it depends on is missing, at whatever distance, or while only a newer version can tell
whether its author is a member. A change that breaks a rule of its past is refused by all devices alike: its dependencies go
down, or are not closed, or its author is no member in the past of its life's birth.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Final, NamedTuple

from edda_sync.changes import change as changes
from edda_sync.changes import early
from edda_sync.changes.chains import Chains, Place, points_of
from edda_sync.changes.change import Birth, Change, Header
from edda_sync.changes.past import Pasts
from edda_sync.crdt import ext as exts
from edda_sync.crdt import frontier
from edda_sync.crdt.frontier import Frontier
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.records import device_entity
from edda_sync.fold.entities import Entities
from edda_sync.store.seams import StoreReader
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.workspace import authority

if TYPE_CHECKING:
    from edda_sync.fold.fold import Fold


READ_MAX: Final = 16  # headers of a chain that are read first, because its head may need as many as it has changes


class Admitted(Enum):
    """The result for a change."""

    APPLIED = "applied"
    KNOWN = "known"
    EARLY = "early"  # something that it depends on is missing
    FORKED = "forked"  # another change is here under a dot that it depends on, or follows
    UNKNOWN = "unknown"  # only a newer version can tell whether its author is a member


class Checked(NamedTuple):
    """The result of checking a change that may be taken: its place, what it names, its whole past, its author's key."""

    place: Place
    named: Frontier
    deps: Frontier
    author: bytes


def check(reader: StoreReader, pasts: Pasts, fold: Fold, workspace: bytes, change: Change) -> Checked | Admitted:
    """
    Check a change against its past; return why it cannot be taken now, if it cannot.

    Args:
        reader: A transaction of the store.
        pasts: The store's pasts.
        fold: To look up who is a member, and what waits.
        workspace: The workspace's id.
        change: The change, whose hash a signed head covers.

    Raises:
        RemoteProtocolError: It cannot be taken at all.
    """
    header, chains = change.header, Chains(reader)
    place = place_of(reader, change, chains)
    if isinstance(place, Admitted):
        return place
    named = chains.deps(header.deps)
    assert named is not None, "it is ready"
    continued = None if header.birth is None else header.birth.parent
    if continued is not None and chains.actor(continued) != continued:
        raise RemoteProtocolError("a life that names what it continues by a branch")
    head = None if place.before is None else reader.log.heads()[place.before[0]]
    raw = head.birth if head is not None else exts.get(header.ext, changes.BIRTH)
    assert raw is not None, "a first change without a birth was refused when it was decoded"
    birth = changes.decode_birth(raw)
    if head is None or place.before is None:
        before = pasts.before(reader, birth)
    else:
        before = pasts.of(reader, head)
        before.update(chains.past_of(place.before))
    if early.are_below(reader, birth.public_key, before, named, begins=head is None):
        return Admitted.EARLY  # its past is not all here, although what it names is
    deps = before
    if named:
        deps = frontier.join(before, named)
        _check_past(reader, pasts, chains, header, before, deps)
    if head is None and not is_admissible(fold.entities, birth, raw, deps, workspace):
        if fold.waits_within(key_of("device", device_entity(birth.public_key)), deps):
            return Admitted.UNKNOWN
        raise RemoteProtocolError("a change by a device that is not a member")
    return Checked(place, named, deps, birth.public_key)


def place_of(reader: StoreReader, change: Change, chains: Chains | None = None) -> Place | Admitted:
    """
    Return the place of a change, if it can be taken now.

    Otherwise return why not: it is already here, or something before it is missing, or is another change.
    """
    chains, header = chains or Chains(reader), change.header
    head = reader.log.heads().get(header.actor)
    place: Place | None
    follows = head is not None and head.seq == header.seq - 1 and head.hash == header.previous
    if follows and not points_of(reader, header.actor):
        place = Place(header.actor, change.hash, (header.actor, header.seq - 1), None)  # the usual case
    elif chains.knows(change):
        return Admitted.KNOWN
    else:
        place = chains.place(change)
    if place is None:
        return Admitted.FORKED if chains.is_apart(change) else Admitted.EARLY
    needed = list(header.deps)
    if header.birth is not None and (continued := header.birth.continues) is not None:
        needed.append(continued)
    outcome = None
    for name, seq, digest in needed:
        if chains.find(name, seq, digest) is None:
            if not chains.holds_some(chains.actor(name), seq):
                return Admitted.EARLY
            outcome = Admitted.FORKED
    return place if outcome is None else outcome


def is_admissible(entities: Entities, birth: Birth, raw: bytes, deps: Mapping[bytes, int], workspace: bytes) -> bool:
    """Tell whether a life may begin: its key founded the workspace, or was made a member in its past."""
    if authority.is_founder(birth, raw, deps, workspace):
        return True
    device = entities.existing("device", device_entity(birth.public_key))
    return authority.is_member_in(device, deps)


def _check_past(
    reader: StoreReader,
    pasts: Pasts,
    chains: Chains,
    header: Header,
    before: Mapping[bytes, int],
    deps: Mapping[bytes, int],
) -> None:
    """Check that the dependencies of a change only grow, and that what they depend on is covered too."""
    for named, seq, digest in header.deps:
        dot = chains.find(named, seq, digest) or (named, seq)
        if chains.names.called(dot[0], deps) != named:  # a device that does not know of the fork could not read it
            raise RemoteProtocolError(
                "a change that names a branch where its past holds no other one, or none of several"
            )
        if chains.goes_on(dot, before):  # naming it again is allowed: it may be needed after a segment
            raise RemoteProtocolError("a change that depends on less than the one before it")
        first = chains.shared(dot, before) + 1
        if seq - first > READ_MAX and chains.is_plain and pasts.is_within(reader, named, deps):
            continue  # the last change of that chain covers everything, so this one does too
        for raw in chains.headers(dot[0], first, seq):
            theirs = changes.decode_header(raw)
            beyond = chains.deps(theirs.deps) or {}
            if theirs.birth is not None and (continued := chains.continued(theirs.birth)) is not None:
                beyond |= chains.past_of(continued)
            if not frontier.covers(deps, beyond):
                raise RemoteProtocolError("a change that depends on what its own dependencies do not cover")
