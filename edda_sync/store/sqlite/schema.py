"""
The schema of the SQLite store: the specification's tables, column by column, and our own tables beside them.

What makes them is a list of named migrations, in order. ``user_version`` counts those that were applied. A store with a
higher count was made by a newer version of edda, and is not opened. ``migrations`` applies them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NamedTuple

from edda_sync.store.sqlite import fulltext, summary, sums
from edda_sync.words.errors import NewerStoreError

Execute = Callable[..., Any]
"""Runs a statement, like the method of a connection."""

APPLICATION_ID: Final = 0x45444441  # "EDDA" in the file's header

# References are checked when a transaction ends, since rows come in any order. `PRAGMA defer_foreign_keys` would do the
# same, but SQLite would then prepare every statement again in each transaction: a fifth of the time of a durable create.
SPECIFICATION: Final = """
CREATE TABLE tasks (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    description TEXT,
    status TEXT NOT NULL,
    priority INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    completed_at TEXT,
    due_date TEXT,
    parent_id TEXT,
    metadata TEXT,
    agent_context TEXT,
    FOREIGN KEY (parent_id) REFERENCES tasks(id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE documents (
    id TEXT PRIMARY KEY,
    title TEXT NOT NULL,
    content_type TEXT NOT NULL,
    content TEXT,
    doc_type TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    version TEXT NOT NULL,
    metadata TEXT,
    agent_context TEXT
);
CREATE TABLE task_documents (
    task_id TEXT NOT NULL,
    document_id TEXT NOT NULL,
    relationship_type TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (task_id, document_id),
    FOREIGN KEY (task_id) REFERENCES tasks(id) DEFERRABLE INITIALLY DEFERRED,
    FOREIGN KEY (document_id) REFERENCES documents(id) DEFERRABLE INITIALLY DEFERRED
);
CREATE TABLE tags (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    color TEXT,
    description TEXT,
    created_at TEXT NOT NULL
);
CREATE TABLE entity_tags (
    entity_type TEXT NOT NULL,
    entity_id TEXT NOT NULL,
    tag_id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    PRIMARY KEY (entity_type, entity_id, tag_id),
    FOREIGN KEY (tag_id) REFERENCES tags(id) DEFERRABLE INITIALLY DEFERRED
);
CREATE INDEX idx_tasks_status_priority ON tasks(status, priority);
CREATE INDEX idx_tasks_created_at ON tasks(created_at);
CREATE INDEX idx_tasks_parent_id ON tasks(parent_id);
CREATE INDEX idx_documents_doc_type ON documents(doc_type);
CREATE INDEX idx_task_documents_task_id ON task_documents(task_id);
CREATE INDEX idx_task_documents_document_id ON task_documents(document_id);
CREATE INDEX idx_entity_tags_entity ON entity_tags(entity_type, entity_id)
"""

# An underscore marks our tables in a list of tables. Datasette hides tables whose names begin with one.
_OURS: Final = """
-- open tasks in the order in which they are done, so that a list reads only the fifty tasks that it shows
CREATE INDEX idx_tasks_urgent ON tasks(priority, due_date IS NULL, due_date, created_at, id)
    WHERE status IN ('open', 'in_progress');
CREATE INDEX idx_tasks_settled ON tasks(priority, due_date IS NULL, due_date, created_at, id)
    WHERE status NOT IN ('open', 'in_progress');
-- the orders of lists, so that a list reads only the page that it shows; and the entities that carry a tag
CREATE INDEX idx_tasks_updated_at ON tasks(updated_at, id);
CREATE INDEX idx_tasks_due_date ON tasks(due_date, id) WHERE due_date IS NOT NULL;
CREATE INDEX idx_documents_updated_at ON documents(updated_at, id);
CREATE INDEX idx_documents_created_at ON documents(created_at, id);
CREATE INDEX idx_entity_tags_tag ON entity_tags(tag_id);

CREATE TABLE _meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- the log: the truth
CREATE TABLE _log (
    position INTEGER PRIMARY KEY, actor BLOB NOT NULL, seq INTEGER NOT NULL,
    hash BLOB NOT NULL, raw BLOB NOT NULL, body BLOB NOT NULL
);
CREATE UNIQUE INDEX idx_log_dot ON _log(actor, seq);
CREATE TABLE _log_parts (position INTEGER NOT NULL, number INTEGER NOT NULL, part BLOB NOT NULL);
CREATE UNIQUE INDEX idx_log_parts ON _log_parts(position, number);
CREATE TABLE _segments (position INTEGER PRIMARY KEY, hash BLOB NOT NULL);
CREATE TABLE _segment_parts (hash BLOB NOT NULL, number INTEGER NOT NULL, part BLOB NOT NULL);
CREATE UNIQUE INDEX idx_segment_parts ON _segment_parts(hash, number);
CREATE TABLE _heads (
    actor BLOB PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL, deps BLOB NOT NULL,
    birth BLOB NOT NULL, signed_seq INTEGER NOT NULL, signature BLOB NOT NULL
) WITHOUT ROWID;
-- how much of the log behind a segment has arrived
CREATE TABLE _behind (
    actor BLOB PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL, deps BLOB NOT NULL,
    birth BLOB NOT NULL, signed_seq INTEGER NOT NULL, signature BLOB NOT NULL
) WITHOUT ROWID;
CREATE TABLE _rewritten (
    position INTEGER NOT NULL, entity BLOB NOT NULL, before TEXT, edits BLOB NOT NULL, leaves BLOB NOT NULL
);
CREATE INDEX idx_rewritten ON _rewritten(entity);
CREATE TABLE _signatures (
    actor BLOB NOT NULL, seq INTEGER NOT NULL, signature BLOB NOT NULL, PRIMARY KEY (actor, seq)
) WITHOUT ROWID;
CREATE TABLE _incoming (actor BLOB NOT NULL, seq INTEGER NOT NULL, raw BLOB NOT NULL, PRIMARY KEY (actor, seq));
CREATE INDEX idx_incoming_seq ON _incoming(seq);
CREATE TABLE _incoming_parts (
    actor BLOB NOT NULL, seq INTEGER NOT NULL, number INTEGER NOT NULL, part BLOB NOT NULL,
    PRIMARY KEY (actor, seq, number)
);
-- signed statements that decide which changes count: a set, which is the same in every order of arrival
CREATE TABLE _evidence (name BLOB PRIMARY KEY, evidence BLOB NOT NULL) WITHOUT ROWID;
-- which changes mention an entity, so that a few entities can be folded anew
CREATE TABLE _mentions (entity BLOB NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (entity, position)) WITHOUT ROWID;

-- the view: everything below, and the specification's tables, can be folded anew from the log; the key of an entity is
-- the number of its kind (model.KINDS) and its id
CREATE TABLE _entities (
    number INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, hidden INTEGER NOT NULL, conflicted INTEGER NOT NULL,
    hash BLOB NOT NULL, state BLOB NOT NULL
);
CREATE INDEX idx_entities_conflicted ON _entities(key) WHERE conflicted;
CREATE INDEX idx_entities_hidden ON _entities(key) WHERE hidden;
-- short ids: the last six hexadecimal digits of an entity's id
CREATE INDEX idx_entities_ending ON _entities(substr(key, -3));
CREATE TABLE _withheld (
    source BLOB NOT NULL, cell TEXT NOT NULL, target BLOB NOT NULL, why TEXT NOT NULL, PRIMARY KEY (source, cell)
) WITHOUT ROWID;
CREATE INDEX idx_withheld_target ON _withheld(target);
CREATE INDEX idx_withheld_ring ON _withheld(source) WHERE why = 'ring';
CREATE TABLE _texts (
    entity BLOB NOT NULL, field TEXT NOT NULL, genesis BLOB NOT NULL, serial INTEGER NOT NULL, state BLOB NOT NULL,
    PRIMARY KEY (entity, field, genesis)
);
CREATE TABLE _text_tail (
    entity BLOB NOT NULL, field TEXT NOT NULL, genesis BLOB NOT NULL, serial INTEGER NOT NULL, actor BLOB NOT NULL,
    seq INTEGER NOT NULL, edit BLOB NOT NULL, PRIMARY KEY (entity, field, genesis, serial)
) WITHOUT ROWID;
CREATE TABLE _stale (entity BLOB PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE _unapplied (
    position INTEGER NOT NULL, number INTEGER NOT NULL, entity BLOB NOT NULL, refused INTEGER NOT NULL, why TEXT NOT NULL,
    PRIMARY KEY (position, number, refused)
) WITHOUT ROWID;
CREATE INDEX idx_unapplied_entity ON _unapplied(entity);
CREATE INDEX idx_unapplied_waiting ON _unapplied(entity, position) WHERE NOT refused;
CREATE TABLE _unindexed (kind TEXT NOT NULL, id TEXT NOT NULL, PRIMARY KEY (kind, id)) WITHOUT ROWID
"""

# which files documents refer to: a part of the view; and which of these files are complete on this device
_ATTACHMENTS: Final = """
CREATE TABLE _attachments (
    entity BLOB NOT NULL, cell TEXT NOT NULL, record BLOB NOT NULL, root BLOB NOT NULL, size INTEGER NOT NULL,
    created_at TEXT NOT NULL, PRIMARY KEY (entity, cell)
) WITHOUT ROWID;
CREATE INDEX idx_attachments_root ON _attachments(root);
CREATE TABLE _held_files (root BLOB PRIMARY KEY) WITHOUT ROWID
"""

# unique indexes that the view follows, and what entities claim under them (``fold.uniques``)
_UNIQUES: Final = """
CREATE TABLE _unique (name TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE _claims (
    name TEXT NOT NULL, value BLOB NOT NULL, entity BLOB NOT NULL, withheld INTEGER NOT NULL,
    PRIMARY KEY (name, value, entity)
) WITHOUT ROWID;
CREATE INDEX idx_claims_entity ON _claims(entity);
CREATE INDEX idx_claims_withheld ON _claims(name, value, entity) WHERE withheld
"""

# titles, so that the items that a title names are found without a look at the others
_TITLES: Final = """
CREATE INDEX idx_tasks_title ON tasks(title, id);
CREATE INDEX idx_documents_title ON documents(title, id)
"""

# deletions that nobody who had seen them has answered (``fold.deletions``); older ones are read from the log
_DELETIONS: Final = """
CREATE TABLE _deletions (entity BLOB PRIMARY KEY, open BLOB NOT NULL, contested INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX idx_deletions_contested ON _deletions(entity) WHERE contested
"""

# what the changes at some positions are about, without a look at all other changes
_MENTIONED: Final = "CREATE INDEX idx_mentions_position ON _mentions(position)"

VIEW_TABLES: Final = (
    "entity_tags", "task_documents", "tasks", "documents", "tags", "_entities", "_withheld", "_texts", "_text_tail",
    "_stale", "_unapplied", "_unindexed", "_attachments", "_unique", "_claims", "_deletions",
    *sums.TABLES.values(),
)  # fmt: skip


PENDING_TABLE: Final = "_pending"
SETTLED_TABLE: Final = "_settled"
ROCKS_TABLES: Final = (PENDING_TABLE, SETTLED_TABLE)
"""Tables of the view that exist only while something else than SQL keeps the states (``store.rocks``)."""


class Migration(NamedTuple):
    """One step from an older schema to the next: its name, which never changes, and its statements."""

    name: str
    statements: tuple[str, ...]


def _statements(script: str) -> list[str]:
    lines = [line for line in script.splitlines() if not line.startswith("--")]
    return [statement.strip() for statement in "\n".join(lines).split(";") if statement.strip()]


READ_ANEW: Final = "INSERT OR REPLACE INTO _meta VALUES ('read_anew', x'01')"
"""For a migration to a version that can read more: ``Writing.read_anew`` then reads what older ones could not."""

# A migration that is here is in somebody's store, and stays as it is. What changes in the schema is a further migration, at
# the end; then ``python -m tests.store.sqlite.versions`` keeps a store of that version for ever.
MIGRATIONS: Final = (
    Migration(
        "first",
        (*_statements(SPECIFICATION), *_statements(_OURS), *fulltext.FIRST, summary.SCHEMA, summary.BEGIN),
    ),
    Migration("attachments", (*_statements(_ATTACHMENTS), READ_ANEW)),
    Migration("folded search", fulltext.ANEW),
    Migration("unique indexes", (*_statements(_UNIQUES), READ_ANEW)),
    Migration("titles", tuple(_statements(_TITLES))),
    Migration("sums of rows", (*sums.SCHEMA, *sums.FILL)),
    Migration("deletions", (*_statements(_DELETIONS), READ_ANEW)),
    Migration("conflicts of links", (READ_ANEW,)),
    Migration("what changes are about", (_MENTIONED,)),
)
VERSION: Final = len(MIGRATIONS)


def statements() -> list[str]:
    """Return what makes an empty store, one statement each."""
    return [statement for migration in MIGRATIONS for statement in migration.statements]


def version(execute: Execute) -> int:
    """Return how many migrations a store has."""
    return int(execute("PRAGMA user_version").fetchone()[0])


def refuse_newer(execute: Execute) -> None:
    """
    Begin to read a store's state, unless it has migrations that this version does not know.

    Raises:
        NewerStoreError: A newer version of edda has migrated the store.
    """
    found = version(execute)
    if found > VERSION:
        path = next((row[2] for row in execute("PRAGMA database_list") if row[1] == "main"), "")
        raise NewerStoreError(path, found, VERSION)
