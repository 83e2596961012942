"""``edda link``: link a document to a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edda_sync.cli import items
from edda_sync.cli.commands import Command
from edda_sync.cli.common import opened, write
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
        task_id, document_id = items.task(store, task).id, items.document(store, document).id
        if remove and all(each.document_id != document_id for each in store.links(task_id=task_id)):
            raise NotLinkedError(task, document)

        def work(tx: Transaction) -> None:
            if remove:
                tx.unlink(task_id, document_id)
            else:
                tx.link(task_id, document_id, relationship or "reference")

        write(store, work)
