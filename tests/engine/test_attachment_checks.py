"""What the doctor says of attachments."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

from edda_sync.crdt.attachments import decode
from edda_sync.engine import doctor, encryption
from edda_sync.engine.attachment_checks import check_attachments
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.engine import open as open_store
from edda_sync.files.disk import DiskChunks
from edda_sync.testing import devices, sync
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.model import Document
from tests.encrypted import config_of


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
        (rotten, rotten_said), (gone, gone_said), whole, _ = said(store)
        assert (rotten, gone, whole) == (False, False, (True, "every byte is what was attached: 2"))
        assert f"rotten of the document {made}" in rotten_said
        assert f"gone of the document {made}" in gone_said
        assert sorted(chunks.names()) == before
        assert {each.check for each in doctor.check(store) if not each.sound} == {"attachments"}


def test_what_is_on_another_device_only_is_no_damage() -> None:
    with devices(2) as (laptop, phone):
        document(laptop, "a", "b")
        sync(laptop, phone)
        ((sound, detail),) = said(phone)
        assert sound
        assert detail.startswith("every byte is what was attached: 0; not on this device (2): ")
        assert {f"{name} of the document" in detail for name in "ab"} == {True}


def test_what_nothing_needs_is_told_with_what_collecting_it_frees(tmp_path: Path) -> None:
    now_s = time.time()
    with StorageEngine(tmp_path / "home", now=lambda: now_s) as store:
        store.initialize()
        made = document(store, "kept", "detached")
        store.transact(lambda tx: tx.detach(made, "detached"))
        whole, (sound, rest) = said(store)
        assert whole == (True, "every byte is what was attached: 1")
        assert sound
        assert rest == "parts that no attachment needs: 3, 1.0 MB; `edda up` frees them a day after it first sees that"
        assert store.reading.files.collect().dropped == 0
        now_s += limits.FILE_GRACE_S + 60
        assert said(store)[1] == (sound, rest)
        assert store.reading.files.collect().dropped == 3
        assert said(store) == [whole]


def test_what_was_set_aside_is_named_and_is_not_said_to_be_elsewhere_only(tmp_path: Path) -> None:
    with open_store(tmp_path / "home") as store:
        document(store, "a")
        chunks = store.reading.files.chunks
        assert isinstance(chunks, DiskChunks)
        store.reading.files.lose({next(chunks.names())})
        first, aside = said(store)[0], said(store)[-1]
        assert "not on this device (1): a of" in first[1]
        assert aside[0]
        assert str(tmp_path / "home" / "files" / "damaged") in aside[1]


def test_what_is_plain_in_an_encrypted_store_is_found_and_sealed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with open_store(home, StorageConfig(encryption_config=config_of(home / "edda.db"))) as store:
        made = document(store, "a")
        with DiskChunks(home / "files").adding() as adding:
            adding.add(b"put there by somebody")
        assert [(each.check, each.sound) for each in check_attachments(store)][-1] == ("attachments", False)
    encryption.encrypt(home, StorageConfig(encryption_config=config_of(home / "edda.db")))
    with open_store(home) as store:
        assert {each.sound for each in check_attachments(store)} == {True}
        assert store.open_attachment(made, "a").read(1) == b"a"
