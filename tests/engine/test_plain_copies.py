"""Plain copies of a store that is encrypted now are overwritten and removed, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import edda_sync as edda
from edda_sync.engine import plain_copies
from edda_sync.words.config import StorageConfig
from edda_sync.words.folders import proofs_folder
from tests.encrypted import config_of, holds

OWN, OTHER = b"1" * 16, b"2" * 16


def copied(folder: Path, config: StorageConfig | None = None) -> Path:
    with edda.open(folder, config) as store:
        store.create_task(edda.Task(title="Plantedword"))
    return folder / "edda.db"


def test_the_plain_copies_of_one_store_are_overwritten_and_removed(tmp_path: Path) -> None:
    config = StorageConfig(state_path=tmp_path / "state")
    folder = proofs_folder(config)
    file = copied(folder / f"{OWN.hex()}-stick" / "kept")
    within = copied(folder / f"{OWN.hex()}-stick" / "fresh-1" / "image")
    other = copied(folder / f"{OTHER.hex()}-stick" / "kept")
    os.link(file, tmp_path / "what the disk still has")
    assert plain_copies.remove(config, OWN)
    assert not file.exists()
    assert not within.exists()
    assert other.exists()
    assert (tmp_path / "what the disk still has").read_bytes().strip(b"\0") == b""
    assert not plain_copies.remove(config, OWN)
    assert not plain_copies.remove(config, None)


def test_an_encrypted_copy_stays(tmp_path: Path) -> None:
    folder = tmp_path / "proofs" / "kept"
    file = copied(folder, StorageConfig(encryption_config=config_of(folder / "edda.db")))
    assert not plain_copies.remove_within(tmp_path)
    assert file.exists()
    assert holds(folder, b"Plantedword") == []
