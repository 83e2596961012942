"""``edda link``: link a document to a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edda_sync.cli import items
from edda_sync.cli.commands import Command
from edda_sync.cli.common import note, opened, safe_line, write
from edda_sync.words.errors import NotLinkedError, UsageError

if TYPE_CHECKING:
    from edda_sync.engine.transaction import Transaction


@click.command("link", cls=Command)
@click.argument("task")
@click.argument("document")
@click.option(
    "--as", "relationship", metavar="NAME", help="What the document is to the task; reference unless you say so."
)
@click.option("--remove", is_flag=True, help="Take the link away.")
def link(task: str, document: str, relationship: str | None, remove: bool) -> None:
    """Link DOCUMENT to TASK; `edda task show` and `edda doc list --task` show links."""
    if remove and relationship is not None:
        raise UsageError("--remove takes the link away whatever it is; leave out --as.")
    with opened() as store:
        linked, to = items.document(store, document), items.task(store, task)
        if remove and all(each.document_id != linked.id for each in store.links(task_id=to.id)):
            raise NotLinkedError(task, document)

        def work(tx: Transaction) -> None:
            if remove:
                tx.unlink(to.id, linked.id)
            else:
                tx.link(to.id, linked.id, relationship or "reference")

        write(store, work)
    how = f"as {safe_line(relationship or 'reference')}"
    note(f"No longer linked to {to.title}: {linked.title}" if remove else f"Linked to {to.title} {how}: {linked.title}")
