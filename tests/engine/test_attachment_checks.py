"""What the doctor says of attachments."""

from __future__ import annotations

import io
import os
from pathlib import Path

from edda_sync.crdt.attachments import decode
from edda_sync.engine import doctor
from edda_sync.engine.attachment_checks import check_attachments
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.files.disk import DiskChunks
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.model import Document


def document(store: StorageEngine, *names: str) -> str:
    with store.begin_transaction() as tx:
        made = tx.create_document(Document(title="D"))
        for name in names:
            tx.attach(made, io.BytesIO(name.encode() + os.urandom(limits.CHUNK_BYTES)), name=name)
    return made


def said(store: StorageEngine) -> list[tuple[bool, str]]:
    return [(each.sound, each.detail) for each in check_attachments(store)]


def test_a_store_without_attachments_is_told_nothing_about_them(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        document(store)
        assert said(store) == []


def test_damaged_and_vanished_attachments_are_named_and_nothing_is_changed(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        made = document(store, "sound", "rotten", "gone", "half")
        assert said(store) == [(True, "every byte is what was attached: 4")]
        chunks = store.reading.files.chunks
        assert isinstance(chunks, DiskChunks)
        with store.store.read() as reader:
            named = {decode(each.record).name: each.root for _, each in reader.attachments.scan()}
        chunks.path(named["gone"]).unlink()
        rotten_path = chunks.path(named["rotten"])
        raw = rotten_path.read_bytes()
        rotten_path.write_bytes(raw[:40] + bytes([raw[40] ^ 1]) + raw[41:])
        before = sorted(chunks.names())
        (rotten, rotten_said), (gone, gone_said), whole = said(store)
        assert (rotten, gone, whole) == (False, False, (True, "every byte is what was attached: 2"))
        assert f"rotten of the document {made}" in rotten_said
        assert f"gone of the document {made}" in gone_said
        assert sorted(chunks.names()) == before
        assert {each.check for each in doctor.check(store) if not each.sound} == {"attachments"}


def test_what_is_on_another_device_only_is_no_damage() -> None:
    with devices(2) as (laptop, phone):
        document(laptop, "a", "b")
        sync(laptop, phone)
        assert said(phone) == [(True, "every byte is what was attached: 0; on other devices only: 2")]
