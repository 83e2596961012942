"""
What the doctor says of attachments: which are damaged on this disk, have vanished from it, or are not here, and what lies
there that nothing needs.
"""

from __future__ import annotations

from collections.abc import Iterable

from edda_sync.crdt.attachments import AttachmentRecord, File, decode
from edda_sync.crdt.keys import kind_and_id
from edda_sync.engine.engine import StorageEngine
from edda_sync.engine.file_checks import Finding, some
from edda_sync.files.coding import is_sealed
from edda_sync.files.collecting import unneeded
from edda_sync.files.disk import DiskChunks
from edda_sync.files.reading import Wholeness, wholeness
from edda_sync.words import values

_CHECK = "attachments"


def check_attachments(engine: StorageEngine) -> list[Finding]:
    """Read the content of every attachment, and compare it with its hashes. Nothing is changed."""
    with engine.store.read() as reader:
        rows = [
            (key, decode(each.record), reader.attachments.holds(each.root)) for key, each in reader.attachments.scan()
        ]
    if not (rows or engine.reading.files.are_kept):
        return []
    return [*_check_content(engine, rows), *_check_rest(engine, [record.file for _, record, _ in rows])]


def _check_content(engine: StorageEngine, rows: list[tuple[bytes, AttachmentRecord, bool]]) -> list[Finding]:
    found: dict[File, Wholeness] = {}
    damaged, vanished, absent = list[str](), list[str](), list[str]()
    for key, record, was_here in rows:
        if record.file not in found:
            found[record.file] = wholeness(engine.reading.files.chunks, record.file)
        named = f"{record.name} of the document {values.id_text(kind_and_id(key)[1])}"
        if found[record.file] is Wholeness.DAMAGED:
            damaged.append(named)
        elif found[record.file] is Wholeness.MISSING:
            (vanished if was_here else absent).append(named)
    findings = []
    if damaged:
        findings.append(Finding(_CHECK, False, f"damaged, fetch or attach the file again: {some(damaged)}"))
    if vanished:
        findings.append(
            Finding(_CHECK, False, f"vanished from this disk, fetch or attach the file again: {some(vanished)}")
        )
    here = len(rows) - len(damaged) - len(vanished) - len(absent)
    if here or absent:
        elsewhere = f"; not on this device ({len(absent):,}): {some(absent)}" if absent else ""
        findings.append(Finding(_CHECK, True, f"every byte is what was attached: {here:,}{elsewhere}"))
    return findings


def _check_rest(engine: StorageEngine, needed: Iterable[File]) -> list[Finding]:
    """Return what lies among the chunks that nothing needs, that was set aside, or that is not sealed and should be."""
    files = engine.reading.files
    rest = [kept for name in unneeded(files.chunks, needed) if (kept := files.chunks.kept(name)) is not None]
    findings = []
    if rest:
        size, freed = sum(kept.size for kept in rest), "`edda up` frees them a day after it first sees that"
        findings.append(Finding(_CHECK, True, f"parts that no attachment needs: {len(rest):,}, {_size(size)}; {freed}"))
    if not isinstance(files.chunks, DiskChunks):
        return findings
    if aside := files.chunks.set_aside_here():
        what = (
            f"parts that were damaged, were set aside, and are yours to delete: {len(aside):,}, in {files.chunks.aside}"
        )
        findings.append(Finding(_CHECK, True, what))
    if files.chunks.coding.seals and (plain := sum(not is_sealed(digits) for digits in files.chunks.files())):
        what = f"parts in {files.chunks.folder} that are not encrypted: {plain:,}; `edda store encrypt` seals them"
        findings.append(Finding(_CHECK, False, what))
    return findings


def _size(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
