"""The table of the specification: every name that it uses is mapped to code that exists, and to a test that exists."""

from __future__ import annotations

import ast
import importlib
import re
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from edda_sync.store.sqlite import schema

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "specification.md"

NAMES: Final = {
    "StorageEngine": "initialize create_task update_task delete_task get_task query_tasks create_document update_document"
    " delete_document get_document query_documents begin_transaction close",
    "StorageConfig": "backend database_path rocksdb_path file_storage_path connection_pool_size cache_config backup_config"
    " encryption_config",
    "tasks": "id title description status priority created_at updated_at completed_at due_date parent_id metadata"
    " agent_context",
    "documents": "id title content_type content doc_type created_at updated_at version metadata agent_context",
    "task_documents": "task_id document_id relationship_type created_at",
    "tags": "id name color description created_at",
    "entity_tags": "entity_type entity_id tag_id created_at",
    "indexes": "idx_tasks_status_priority idx_tasks_created_at idx_tasks_parent_id idx_documents_doc_type"
    " idx_task_documents_task_id idx_task_documents_document_id idx_entity_tags_entity",
    "CacheManager": "memory_cache config stats",
    "CacheConfig": "max_size ttl eviction_policy compression",
    "EvictionPolicy": "Lru Lfu Fifo Ttl",
    "Transaction": "id state operations storage",
    "TransactionState": "Active Committed RolledBack Aborted",
    "TransactionOperation": "CreateTask UpdateTask DeleteTask CreateDocument UpdateDocument DeleteDocument",
    "BackupManager": "config storage backup_path",
    "BackupConfig": "frequency retention compression encryption",
    "BackupFrequency": "Never Daily Weekly Monthly Custom",
    "EncryptionManager": "config master_key",
    "EncryptionConfig": "algorithm kdf key_rotation",
    "EncryptionAlgorithm": "Aes256Gcm ChaCha20Poly1305 XChaCha20Poly1305",
    "StorageMetrics": "database_size task_count document_count cache_hit_rate avg_query_time transaction_count backup_count"
    " last_backup",
    "IndexManager": "indexes storage",
    "IndexConfig": "name columns index_type unique where_clause",
    "IndexType": "BTree Hash FullText Spatial",
    "types": "StorageError StorageBackend Task TaskId TaskQuery Document DocumentId DocumentQuery KeyDerivationFunction"
    " KeyRotationPolicy RetentionPolicy CacheStats CacheEntry",
    "components": "SQLite-Database RocksDB-Store File-System-Storage Sync-Engine Migration-System",
}
"""What the specification names, by the type, table or list to which it belongs."""


class Row(NamedTuple):
    """A row of the page: the type or table, the name in it, where the code is, and which test shows it."""

    part: str
    name: str
    code: str
    test: str


@cache
def rows() -> list[Row]:
    found, part = [], ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            part = line.removeprefix("## ").split(" ")[0].strip("`")
        elif line.startswith("| `"):
            name, code, test = (cell.strip().strip("`") for cell in line.strip("|").split("|"))
            found.append(Row(part, name, code, test))
    return found


def test_every_name_of_the_specification_has_one_row() -> None:
    wanted = [(part, name) for part, names in NAMES.items() for name in names.split()]
    assert [(row.part, row.name) for row in rows()] == wanted


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.part}.{row.name}")
def test_a_row_points_at_code_and_at_a_test_that_exist(row: Row) -> None:
    assert row.code, "no cell is empty"
    assert row.test, "no cell is empty"
    path, _, name = row.code.partition(": ")
    assert (ROOT / path).exists(), path
    if name:
        found = resolved(path, name)
        if row.part in schema.SPECIFICATION:  # a table, which the code holds as text
            assert re.search(rf"CREATE TABLE {row.part} \([^;]*\b{row.name}\b", found)
        elif row.part == "indexes":
            assert f"CREATE INDEX {row.name} ON" in found
    test_path, _, test = row.test.partition("::")
    assert test in functions(test_path), row.test


def resolved(path: str, name: str) -> Any:
    found: Any = importlib.import_module(path.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        fields = getattr(found, "__dataclass_fields__", {})
        found = fields[part] if part in fields else getattr(found, part)
    return found


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
