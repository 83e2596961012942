"""
Around: what an export of ours holds beside its tasks and documents: tags, links and attachments.

What is here already stays as it is here, as the items do; what is other in the export is told, or taken if a person prefers
the source.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Final

from edda_sync.imports.batches import batches
from edda_sync.imports.merge import HERE, SOURCE, attach, lacking_files
from edda_sync.imports.report import CREATED, UPDATED, Report, Row
from edda_sync.imports.source import Imported
from edda_sync.words.listed import Link, Tag

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction

_OF_TAGS: Final = ("name", "color", "description")
_OF_LINKS: Final = "relationship_type"


@dataclass(frozen=True, slots=True)
class Around:
    """
    Brings into a store what is around the items of an export.

    Attributes:
        store: Where to.
        report: Is told what was done, and what is other here.
        prefer: Whose value is taken where both have one; None leaves what is here, and tells it.
        dry_run: Whether to write nothing.
        agent, reason: Who imports, and why.
    """

    store: StorageEngine
    report: Report
    prefer: str | None
    dry_run: bool
    agent: str | None
    reason: str

    def bring_tags(self, tags: Sequence[Tag]) -> None:
        """Make the tags that are not here. One that was deleted stays so."""
        here = {each.id: each for each in self.store.tags()}
        wanted = [each for each in tags if each.id not in here]
        for each in tags:
            now = here.get(each.id)
            other = [] if now is None else [name for name in _OF_TAGS if getattr(each, name) is not None]
            fields = [name for name in other if getattr(each, name) != getattr(now, name)]
            wanted += [each] if self._takes(each.name, each.id, fields) else []
        for batch in batches([] if self.dry_run else wanted):
            self.store.transact(partial(_write_tags, self.store, batch), agent=self.agent, reason=self.reason)

    def bring_links(self, links: Sequence[Link], titles: Mapping[str, str]) -> None:
        """
        Make the links that are not here, between what is here.

        Args:
            links: The links.
            titles: What to call tasks and documents, by id.
        """
        here = {(each.task_id, each.document_id): each.relationship_type for each in self.store.links()}
        wanted = [each for each in links if (each.task_id, each.document_id) not in here]
        for each in links:
            kind = here.get((each.task_id, each.document_id), each.relationship_type)
            name = " - ".join(titles.get(end, end) for end in (each.task_id, each.document_id))
            is_taken = self._takes(name, each.task_id, [_OF_LINKS] if kind != each.relationship_type else [])
            wanted += [each] if is_taken else []
        for batch in batches([] if self.dry_run else wanted):
            self.store.transact(partial(_write_links, batch), agent=self.agent, reason=self.reason)

    def bring_files(self, items: Sequence[Imported]) -> None:
        """Attach what the documents that were here already lack, if that is preferred."""
        made = {row.id for row in self.report.rows if row.verdict == CREATED}
        for each in items:
            if not each.files or each.item.id in made or self.store.get_document(each.item.id) is None:
                continue
            lacking = lacking_files(self.store, each)
            fields = [f"attachment {one.name}" for one in lacking]
            if self._takes(each.item.title, each.item.id, fields) and not self.dry_run:
                work = partial(_attach, replace(each, files=lacking), self.report)
                self.store.transact(work, agent=self.agent, reason=self.reason)

    def _takes(self, name: str, its_id: str, fields: Sequence[str]) -> bool:
        """Tell whether fields that are other here take the export's values, and report it."""
        if fields and self.prefer == SOURCE:
            self.report.updated += 1
            self.report.rows.append(Row(UPDATED, name, name, its_id, taken=tuple(fields)))
        elif self.prefer != HERE:
            self.report.edited += [(name, each) for each in fields]
        return bool(fields) and self.prefer == SOURCE


def _attach(each: Imported, report: Report, tx: Transaction) -> None:
    attach(tx, each, report)


def _write_tags(store: StorageEngine, tags: Sequence[Tag], tx: Transaction) -> None:
    trash = store.reading.in_trash("tag", [tag.id for tag in tags])
    for tag in tags:
        if tag.id not in trash:
            tx.create_tag(tag.name, tag.color, tag.description)


def _write_links(links: Sequence[Link], tx: Transaction) -> None:
    for each in links:
        if tx.get_task(each.task_id) is not None and tx.get_document(each.document_id) is not None:
            tx.link(each.task_id, each.document_id, each.relationship_type)
