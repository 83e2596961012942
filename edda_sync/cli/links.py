"""``edda link``: link a document to a task."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from edda_sync.cli import items, taking_back
from edda_sync.cli.commands import Command
from edda_sync.cli.common import note, opened, safe_line, write
from edda_sync.words.errors import NotFoundError, NotLinkedError, UsageError, typed

if TYPE_CHECKING:
    from edda_sync.engine.transaction import Transaction


@click.command("link", cls=Command)
@click.argument("task")
@click.argument("document")
@click.option(
    "--as",
    "relationship",
    metavar="NAME",
    help="What the document is to the task; as it is, or reference, unless you say so.",
)
@click.option("--remove", is_flag=True, help="Take the link away.")
def link(task: str, document: str, relationship: str | None, remove: bool) -> None:
    """Link DOCUMENT to TASK; `edda task show` and `edda doc list --task` show links."""
    if remove and relationship is not None:
        raise UsageError("--remove takes the link away whatever it is; leave out --as.")
    with opened() as store:
        try:
            linked, to = items.document(store, document), items.task(store, task)
        except NotFoundError as error:
            if error.other and items.is_id(store, "document", task) and items.is_id(store, "task", document):
                raise UsageError(f"The task stands first: `edda link {typed(document)} {typed(task)}`.") from None
            raise
        known = next((each for each in store.links(task_id=to.id) if each.document_id == linked.id), None)
        if remove and known is None:
            raise NotLinkedError(task, document)

        before = None if known is None else known.relationship_type
        wanted = relationship or before or "reference"

        def work(tx: Transaction) -> None:
            if remove:
                tx.unlink(to.id, linked.id)
            else:
                tx.link(to.id, linked.id, wanted)

        with taking_back.written(store) as dots:
            write(store, work)
    if remove:
        note(f"No longer linked to {to.title}: {linked.title}")
    else:
        already = " already" if before == wanted else ""
        instead = f" instead of {safe_line(before)}" if before not in (None, wanted) else ""
        note(f"Linked{already} to {to.title} as {safe_line(wanted)}{instead}: {linked.title}")
    if before not in (None, wanted) or remove:
        taking_back.note_undo(dots)
