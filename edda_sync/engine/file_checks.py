"""What the doctor checks about a store's file: whether it is whole, its version, its encryption, and what others changed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlcipher3 import dbapi2 as sqlite

from edda_sync.engine import aside
from edda_sync.store.sqlite import converting, damage, migrations, schema, shape
from edda_sync.store.sqlite.keyed import damaged_pages
from edda_sync.store.sqlite.store import SqliteStore

_NAMED_MAX: Final = 3  # damaged items that a finding names


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: whether all is sound, and in words what was checked or what is wrong."""

    check: str
    sound: bool
    detail: str


def check_file(store: SqliteStore) -> list[Finding]:
    """Check the file of a store, with SQLite's own checks, and what lies beside it."""
    connection = store.connect()
    try:
        if parts := store.checks.damaged_parts(thorough=True):
            what = f"edda.db is not what was written: it is damaged in {', '.join(parts)}"
            return [Finding("tables" if damage.can_be_made_anew(parts) else "file", False, what)]
        if changed := store.checks.changed_shape():
            what = f"{some(changed)}; another program did that, and `edda doctor --rebuild` puts it right"
            return [Finding("file", True, "SQLite finds it whole"), Finding("schema", False, what)]
        version = _version(store, migrations.applied(connection.execute))
        encryption = [] if store.keys is None else [_check_encryption(store)]
        dangling = shape.dangling(connection.execute)
        referring = shape.referring(connection.execute)
    except (sqlite.Error, UnicodeDecodeError) as error:
        return [Finding("file", False, f"edda.db cannot be read whole ({error})")]
    finally:
        connection.close()
    return [
        Finding("file", True, "SQLite finds it whole"),
        Finding("version", True, version),
        *encryption,
        Finding(
            "references",
            not dangling,
            f"rows that point at nothing: {dangling:,}" if dangling else "every row points at rows that are there",
        ),
        *(Finding("schema", True, _reference(name, table)) for name, table in referring),
    ]


def _check_encryption(store: SqliteStore) -> Finding:
    """Check the code of each page of an encrypted file, and whether something beside it is plain."""
    assert store.keys is not None, "it is encrypted"
    if not store.is_read_only and (damaged := damaged_pages(store.connect)):
        return Finding("encryption", False, f"pages that are not what was encrypted: {some(damaged)}")
    if not store.keys.is_salt_whole:
        what = (
            "the first 16 bytes of edda.db are damaged, and not used; `edda key rotate --store --data` writes them anew"
        )
        return Finding("encryption", False, what)
    plain = converting.plain_files(store.path, aside.outstanding(store.path.parent))
    left = f"; plain, and yours to delete: {some(plain)}" if plain else ""
    return Finding("encryption", True, f"every page is what was encrypted; the key is {store.keys.kept}{left}")


def _version(store: SqliteStore, applied: Sequence[migrations.Applied]) -> str:
    """Return which migrations a store has, and what to say about copies from before them."""
    names = some([f"{each.name} ({str(each.at)[:10]})" for each in reversed(applied)])
    copies = [path.name for path in migrations.copies(store.path)]
    kept = f"; as it was before, yours to delete: {some(copies)}" if copies else ""
    return f"{len(applied)} of {schema.VERSION}, {names}{kept}"


def _reference(name: str, table: str) -> str:
    """Return what to say about a table of another program that refers to one of ours."""
    return f"table {name} of another program refers to {table}: edda deletes what its rows point at all the same"


def some(names: Sequence[str]) -> str:
    """Return the first names of many, and how many more there are."""
    more = f" and {len(names) - _NAMED_MAX:,} more" if len(names) > _NAMED_MAX else ""
    return ", ".join(names[:_NAMED_MAX]) + more
