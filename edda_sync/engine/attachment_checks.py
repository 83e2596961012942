"""What the doctor says of attachments: which are damaged on this disk, have vanished from it, or were never here."""

from __future__ import annotations

from edda_sync.crdt.attachments import decode
from edda_sync.crdt.keys import kind_and_id
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.file_checks import Finding, some
from edda_sync.files.reading import Wholeness, wholeness
from edda_sync.words import values


def check_attachments(engine: StorageEngine) -> list[Finding]:
    """Read the content of every attachment, and compare it with its hashes. Nothing is changed."""
    with engine.store.read() as reader:
        rows = [
            (key, decode(each.record), reader.attachments.holds(each.root)) for key, each in reader.attachments.scan()
        ]
    if not rows:
        return []
    found: dict[bytes, Wholeness] = {}
    damaged, vanished, absent = [], [], 0
    for key, record, was_here in rows:
        if record.root not in found:
            found[record.root] = wholeness(engine.reading.files.chunks, record.file)
        named = f"{record.name} of the document {values.id_text(kind_and_id(key)[1])}"
        if found[record.root] is Wholeness.DAMAGED:
            damaged.append(named)
        elif found[record.root] is Wholeness.MISSING and was_here:
            vanished.append(named)
        elif found[record.root] is Wholeness.MISSING:
            absent += 1
    findings = []
    if damaged:
        findings.append(Finding("attachments", False, f"damaged, attach the file again: {some(damaged)}"))
    if vanished:
        findings.append(
            Finding("attachments", False, f"vanished from this disk, attach the file again: {some(vanished)}")
        )
    here = len(rows) - len(damaged) - len(vanished) - absent
    if here or absent:
        elsewhere = f"; on other devices only: {absent:,}" if absent else ""
        findings.append(Finding("attachments", True, f"every byte is what was attached: {here:,}{elsewhere}"))
    return findings
