"""
The doctor: checks that the store is what was written, and that its tables match its log.

:func:`check` changes nothing. It checks the file (with SQLite's own checks), the chains of the log, the tables against
a fold of the whole log in a scratch store, and the digest against the rows. :func:`rebuild` folds the log into the
store's own tables again. That mends everything that is wrong with them, as long as the log is intact.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edda_sync.changes import change as changes
from edda_sync.changes.chains import Chains
from edda_sync.crdt.records import told_apart
from edda_sync.engine import backend, missing, standing
from edda_sync.engine.attachment_checks import check_attachments
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.file_checks import Finding, check_file, some
from edda_sync.engine.scratch import Progress, scratch_of
from edda_sync.fold.scrub import PAGE, Damage, scrub_texts
from edda_sync.fold.texts import Texts
from edda_sync.ledger.ledger import Ledger
from edda_sync.ledger.refold import verify_logged
from edda_sync.segments import segment as segments
from edda_sync.store.seams import Row, StoreReader
from edda_sync.store.sqlite.store import SqliteStore
from edda_sync.sync.merging import open_taken
from edda_sync.words import limits, values
from edda_sync.words.callbacks import Callback
from edda_sync.words.errors import CorruptError, RemoteProtocolError, StorageError
from edda_sync.workspace.lives import Life


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """
    What a rebuild did.

    Attributes:
        changes: How many changes were folded.
        different: The tables that had other rows before, with the number of these rows. Tables whose own definition was
            changed are left out.
        mended: What other programs had changed in tables, indexes and triggers, in words.
    """

    changes: int
    different: Mapping[str, int]
    mended: Sequence[str] = ()


def check(engine: StorageEngine, progress: Progress = lambda _done: None) -> list[Finding]:
    """
    Check everything that is stored, and change nothing.

    Args:
        engine: An open store.
        progress: Called with the number of changes that were folded, then with the number of entities that were
            checked. If it raises an exception, this is logged, and it is not called again.
    """
    progress = Callback(progress, "The progress of the doctor")
    findings = check_file(engine.store) if isinstance(engine.store, SqliteStore) else []
    if all(each.sound for each in findings):  # of a damaged file it would mean nothing
        findings += [Finding("states", *each) for each in backend.look(engine.store)]
    if any(each.check in ("tables", "states") and not each.sound for each in findings):
        return [*findings, _check_log(engine)]  # the tables can be made again from the log
    if any(each.check in ("file", "schema") and not each.sound for each in findings):
        return findings  # further findings about a broken file would mean nothing
    findings.append(_check_log(engine))
    if findings[-1].sound:
        findings.append(_check_tables(engine, progress))
    if findings[-1].sound and findings[-1].check == "tables":
        findings += _check_indexes(engine)
    compared = any(each.sound and each.check == "tables" for each in findings)
    findings.append(_check_digest(engine, progress, compared=compared))
    findings.append(_check_lives(engine))
    findings += _check_missing(engine)
    findings += check_attachments(engine)
    findings += _check_names(engine)
    findings += _check_identity(engine)
    findings += _check_membership(engine)
    findings += _check_sizes(engine)
    refused = engine.refused()
    if refused:
        findings.append(
            Finding("refused", True, f"operations that break the rules, here as on every other device: {refused:,}")
        )
    return findings


def rebuild(engine: StorageEngine, progress: Progress = lambda _done: None) -> Rebuilt:
    """
    Fold the whole log into new tables.

    Args:
        engine: An open store.
        progress: Called with the number of changes that were folded for the comparison; as for :func:`check`.

    Raises:
        CorruptError: The log itself is damaged. Nothing was changed.
    """
    found = _check_log(engine)
    if not found.sound:
        raise CorruptError(f"The log of changes ({found.detail})")
    changed = _changed_shape(engine)
    if isinstance(engine.store, SqliteStore) and (parts := engine.store.checks.damaged_parts(thorough=True)):
        engine.store.checks.forget_damaged()
        changed = [*changed, f"damage in {', '.join(parts)}"]
    changed += [what for is_sound, what in backend.look(engine.store) if not is_sound]
    different = {} if changed else _compare_with_log(engine, Callback(progress, "The progress of the doctor"))
    if isinstance(engine.store, SqliteStore) and not changed and not different:
        changed = [f"what {each} holds" for each in engine.store.checks.wrong_indexes()]
    return Rebuilt(engine.rebuild(), different, changed)


def _changed_shape(engine: StorageEngine) -> list[str]:
    """Describe what other programs changed in the tables, indexes and triggers of the file."""
    return engine.store.checks.changed_shape() if isinstance(engine.store, SqliteStore) else []


# --- the log ----------------------------------------------------------------------------------------------------------


def _check_log(engine: StorageEngine) -> Finding:
    """Follow each actor's chain of hashes from its start, or from a segment, to its head."""
    with engine.store.read() as reader:
        try:
            count = _follow_chains(reader, engine)
        except CorruptError as error:
            return Finding("log", False, f"{error.what} is not what was written")
        except RemoteProtocolError as error:
            return Finding("log", False, f"it holds {error.reason}")
    held = "1 change, chained to nothing" if count == 1 else f"{count:,} changes, each chained to the one before it"
    return Finding("log", True, held)


def _follow_chains(reader: StoreReader, engine: StorageEngine) -> int:
    taken, names = dict(reader.segments.merged()), Chains(reader)
    chains: dict[bytes, tuple[int, bytes]] = {}
    positions = reader.log.positions_after({})
    for position in sorted([*positions, *taken]):
        if position in taken:
            if not segments.is_whole(reader, taken[position]):
                raise CorruptError("what this store began with")
            for head in segments.read(segments.parts_of(reader, taken[position])).heads:
                if head.seq > chains.get(head.actor, (0, b""))[0]:
                    chains[head.actor] = head.seq, head.hash
            continue
        logged = reader.log.read(position)
        try:
            verify_logged(reader, logged)
        except CorruptError:
            raise CorruptError(_change(engine, logged.actor, logged.seq)) from None
        header = changes.decode_header(logged.raw)
        before = names.before((logged.actor, logged.seq))
        if (logged.seq - 1, header.previous) != (chains.get(before[0]) if before else (0, changes.NO_HASH)):
            raise CorruptError(f"what {_change(engine, logged.actor, logged.seq)} follows")
        chains[logged.actor] = logged.seq, logged.hash
    for head in reader.log.heads().values():
        if chains.get(head.actor) != (head.seq, head.hash):
            raise CorruptError(f"the end of the log, {_change(engine, head.actor, head.seq)},")
    return len(positions)


def _change(engine: StorageEngine, actor: bytes, seq: int) -> str:
    """Return what to call a change: its number, and the device that wrote it, if that can still be read."""
    try:
        device = next((life.device for life in engine.reading.lives() if life.name == actor), None)
        name = None if device is None else told_apart(standing.names(engine)).get(device)
    except (CorruptError, RemoteProtocolError):
        name = None
    return f"change {seq:,} of {name or actor.hex()[:12]}"


# --- the tables -------------------------------------------------------------------------------------------------------


def _check_tables(engine: StorageEngine, progress: Progress) -> Finding:
    try:
        different = _compare_with_log(engine, progress)
    except CorruptError as error:
        return Finding("tables", False, f"{error.what} is not what was written")
    if different:
        listed = ", ".join(f"{name} ({count:,})" for name, count in different.items())
        return Finding("tables", False, f"rows that are not what the log says: {listed}")
    return Finding("tables", True, "every row is what the log says")


def _check_indexes(engine: StorageEngine) -> list[Finding]:
    """Check whether searches and indexes of people, which follow from the rows, hold what the rows say."""
    if not isinstance(engine.store, SqliteStore):
        return []
    wrong = engine.store.checks.wrong_indexes()
    said = f"{some(wrong)} does not hold what the rows say; `edda doctor --rebuild` puts it right"
    return [Finding("indexes", not wrong, said if wrong else "searches and indexes hold what the rows say")]


def _compare_with_log(engine: StorageEngine, progress: Progress) -> dict[str, int]:
    """Fold the log into a scratch store, and count the rows of each table that differ."""
    store = engine.store
    key = store.keys.data.current.pragma if isinstance(store, SqliteStore) and store.keys is not None else None
    with engine.snapshot() as reader, scratch_of(reader, progress, key) as scratch:
        Ledger(Texts()).rebuild(scratch, open_taken)
        different = {
            table: _count_differences(ours, theirs, columns)
            for table, columns, ours, theirs in _tables(reader, scratch)
        }
    return {table: count for table, count in different.items() if count}


def _tables(ours: StoreReader, theirs: StoreReader) -> Iterator[tuple[str, int, Iterable[Row], Iterable[Row]]]:
    """Yield each table's name, the number of columns in its key, and its rows on both sides, ordered by key."""
    for table, columns in (("tasks", 1), ("documents", 1), ("tags", 1), ("entity_tags", 3), ("task_documents", 2)):
        yield table, columns, ours.tables.scan(table), theirs.tables.scan(table)
    yield "entities", 1, ours.states.scan(), theirs.states.scan()
    yield (
        "conflicts",
        1,
        [(entity,) for entity in ours.index.conflicted()],
        [(entity,) for entity in theirs.index.conflicted()],
    )
    yield "deletions", 1, _deletions(ours), _deletions(theirs)
    # without the reason: a device that knows of a fork may refuse an operation for another reason
    yield (
        "unapplied",
        2,
        [each[:4] for each in ours.unapplied.operations()],
        [each[:4] for each in theirs.unapplied.operations()],
    )
    yield "unique indexes", 1, sorted(ours.uniques.settings().items()), sorted(theirs.uniques.settings().items())
    yield "claims", 2, _claims(ours), _claims(theirs)
    yield "digest", 1, [("sum", ours.index.digest())], [("sum", theirs.index.digest())]


def _deletions(reader: StoreReader) -> list[Row]:
    """Return the open deletions at which people should look, as rows with the keys of their items first."""
    keys = reader.index.contested()
    found = reader.index.deletions(keys)
    return [(key, found.get(key)) for key in keys]


def _claims(reader: StoreReader) -> Iterator[Row]:
    """Yield what items claim under unique indexes, as rows with their keys first."""
    yield from ((each.name, each.entity, each.value, each.withheld) for each in reader.uniques.scan())


def _count_differences(ours: Iterable[Row], theirs: Iterable[Row], columns: int) -> int:
    """Count the keys for which one side has no row or another row. Both sides are ordered by their keys."""
    left, right = iter(ours), iter(theirs)
    one, other = next(left, None), next(right, None)
    count = 0
    while one is not None or other is not None:
        count += one != other
        first = min((row[:columns] for row in (one, other) if row is not None), key=_as_sorted)
        if one is not None and one[:columns] == first:
            one = next(left, None)
        if other is not None and other[:columns] == first:
            other = next(right, None)
    return count


def _as_sorted(key: Row) -> list[tuple[int, Any]]:
    """Return a key for sorting as SQLite sorts: nothing, numbers, texts, bytes. Another program may have written any."""
    ranks = {type(None): 0, int: 1, float: 1, str: 2, bytes: 3}
    return [(ranks[type(each)], 0 if each is None else each) for each in key]


# --- the digest -------------------------------------------------------------------------------------------------------


def _check_digest(engine: StorageEngine, progress: Progress, *, compared: bool) -> Finding:
    """
    Compute the hashes of entities again from what is stored, and compare them.

    Args:
        engine: An open store.
        progress: Called with the number of entities that were checked.
        compared: Whether states, rows and sum are known to match the log. Then only the texts are left to check.
    """
    damaged: list[str] = []
    for looked, page in enumerate(_texts(engine) if compared else _entities(engine), start=1):
        damaged += [each.what for each in page]
        progress(looked * PAGE)
    if damaged:
        return Finding("digest", False, f"what does not fit its hash ({len(damaged):,}): {some(damaged)}")
    return Finding("digest", True, f"{engine.digest()} fits every entity")


def _texts(engine: StorageEngine) -> Iterator[list[Damage]]:
    with engine.store.read() as reader:
        yield from scrub_texts(reader)


def _entities(engine: StorageEngine) -> Iterator[list[Damage]]:
    after: bytes | None = b""
    while after is not None:
        found, after = engine.reading.scrub(after, PAGE)
        yield found


def _check_lives(engine: StorageEngine) -> Finding:
    """Return how many lives there are and why, whether this store has copies, and which chains are proved to fork."""
    lives, forked = engine.reading.lives(), engine.reading.forked()
    devices = len({life.device for life in lives})
    many, others = ("life" if len(lives) == 1 else "lives"), ("device" if devices == 1 else "devices")
    detail = f"{len(lives):,} {many} of the stores of {devices:,} {others}"
    reasons = Counter(life.why for life in lives if life.why)
    if reasons:
        detail += f"; begun anew: {', '.join(f'{number:,} ({why})' for why, number in sorted(reasons.items()))}"
    crowded = sorted(d for d in {life.device for life in lives} if _leaves(lives, d) > limits.LEAVES_MAX)
    if crowded:
        detail += f"; more stores write than can be meant, of {some([device[:12] for device in crowded])}"
    copies = engine.reading.copies()
    if copies:
        wrote = values.time_of(copies[0].wrote_ms)[:10]
        detail += (
            f"; this device's store exists more than once (a copy wrote on {wrote}); each goes on in its own lives"
        )
    if forked:
        detail += f"; two stores wrote in one life, of {some([device[:12] for device in forked])}: both are kept"
    return Finding("lives", not crowded, detail)


def _check_missing(engine: StorageEngine) -> list[Finding]:
    """Return findings about acknowledged changes that are gone, and journals that were put aside; none if all is well."""
    findings = []
    if number := engine.reading.missing():
        findings.append(Finding("missing", False, missing.sentence(number).rstrip(".")))
    if names := engine.reading.journals_aside():
        findings.append(Finding("journal", True, missing.aside_sentence(names).rstrip(".")))
    return findings


def _check_names(engine: StorageEngine) -> list[Finding]:
    """Return a finding if the store's file has other names, which share what is written; none otherwise."""
    if isinstance(engine.store, SqliteStore) and engine.store.checks.has_other_names():
        detail = (
            "edda.db has another name (a hard link), which shows all that is written until no program uses the store"
        )
        return [Finding("names", True, f"{detail}; the next one that does gives it a file of its own")]
    return []


def _check_identity(engine: StorageEngine) -> list[Finding]:
    """Return a finding if the identity is missing, damaged or locked; none otherwise."""
    try:
        engine.own.check_identity()
        if engine.own.has_identity:
            _ = engine.identity
    except StorageError as error:
        return [Finding("identity", False, str(error).rstrip("."))]
    return []


def _check_membership(engine: StorageEngine) -> list[Finding]:
    """Return a finding if another device no longer knows this one; none otherwise."""
    by = standing.shut_out_by(engine)
    if by is None:
        return []
    names = told_apart(standing.names(engine))
    return [Finding("membership", False, standing.shut_out_sentence(names.get(by, by[:12])).rstrip("."))]


def _check_sizes(engine: StorageEngine) -> list[Finding]:
    """Return a finding that names entities that are too large to be shown; none if there are none."""
    names = [f"{kind} {entity_id}" for kind, entity_id in engine.reading.overfull()]
    if not names:
        return []
    what = f"larger than can be shown: {some(names)}; what was written into it is in the log: go on in a new one"
    return [Finding("size", True, what)]


def _leaves(lives: Sequence[Life], device: str) -> int:
    return sum(life.device == device and life.is_leaf and not life.is_closed for life in lives)
