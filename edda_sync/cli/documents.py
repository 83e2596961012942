"""``edda doc``: add, list, show, edit, rm, restore, search, files, fetch, save, detach."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

import click

from edda_sync.cli import attachments, earlier, editing, finding, items, limiting, shown, taking_back, times
from edda_sync.cli.columns import print_table
from edda_sync.cli.commands import Group
from edda_sync.cli.common import (
    count,
    json_option,
    note,
    on_terminal,
    opened,
    parse_object,
    print_json,
    read_text,
    say,
    tags_option,
    write,
)
from edda_sync.words.errors import UsageError
from edda_sync.words.model import Document
from edda_sync.words.query import DOCUMENT_ORDERS, DocumentQuery

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction


@click.group("doc", cls=Group)
def doc() -> None:
    """Documents: texts that merge, word by word, and files that are attached to them."""


for _command in (attachments.files, attachments.fetch, attachments.save, attachments.detach):
    doc.add_command(_command)


def _fields(*, new: bool) -> Callable[[Any], Any]:
    """Return what adds the options that set a document's fields; those of a new document have defaults."""
    options = (
        click.option("--agent-context", metavar="JSON", help="A JSON object for AI agents, key by key."),
        click.option("--metadata", metavar="JSON", help="A JSON object, key by key."),
        tags_option("--tag", "tags", help="Add a tag; several with commas, or given again."),
        click.option(
            "--content-type", metavar="TYPE", help=f"A media type{'; text/markdown unless you say so' if new else ''}."
        ),
        click.option(
            "--type", "doc_type", metavar="NAME", help=f"What it is for{'; note unless you say so' if new else ''}."
        ),
        click.option("--title", metavar="TEXT", help="One line of 1 to 500 characters."),
    )
    return lambda function: reduce(lambda made, option: option(made), options, function)


@doc.command("add")
@click.argument("file")
@_fields(new=True)
@click.option("--attach", "attaches", is_flag=True, help="Attach FILE as it is, instead of reading a text from it.")
@json_option
def add(file: str, attaches: bool, as_json: bool, **fields: Any) -> None:
    """
    Add a document from FILE, or from stdin for -, and print its id.

    Its title is its first heading, else the file's name, unless --title says otherwise.
    """
    from edda_sync.imports.front import title_of

    if attaches:
        _add_attached(file, as_json, fields)
        return
    try:
        content = read_text(file)
    except FileNotFoundError as error:
        hint = f"{error.strerror}; `echo TEXT | edda doc add - --title TITLE` adds a text without a file"
        raise FileNotFoundError(error.errno, hint, file) from None
    made = Document(content=content, tags=set(fields["tags"]))
    _set_fields(made, fields)
    if fields["title"] is None:
        made.title = title_of(content, "" if file == "-" else PurePath(file).stem)
        if not made.title:
            raise UsageError("This text has no heading to be its title; give it one with --title.")
    with opened(make=True) as store:
        document_id = write(store, lambda tx: tx.create_document(made))
        items.print_item(store, store.get_document(document_id)) if as_json else items.say_id(
            store, "document", document_id
        )


def _add_attached(file: str, as_json: bool, fields: dict[str, Any]) -> None:
    """Add a document that has no text, and the file as its only attachment."""
    title = fields["title"] or (PurePath(file).name if file != "-" else None)
    if title is None:
        raise UsageError("What comes from stdin has no name; give the document one with --title.")
    made = Document(tags=set(fields["tags"]))
    _set_fields(made, fields | {"title": title, "content_type": fields["content_type"] or attachments.type_of(title)})

    def work(tx: Transaction) -> str:
        document_id = tx.create_document(made)
        tx.attach(document_id, attachments.source_of(file), name=title if file == "-" else None)
        return document_id

    with opened(make=True) as store:
        document_id = write(store, work)
        items.print_item(store, store.get_document(document_id)) if as_json else items.say_id(
            store, "document", document_id
        )


def _list_options(function: Any) -> Any:
    for option in (
        json_option,
        finding.answers,
        click.option("--all", "everything", is_flag=True, help="Show as many as there are."),
        limiting.limit_option,
        click.option("--reverse", is_flag=True, help="Reverse the order."),
        click.option("--task", metavar="ID", help="Linked to a task."),
        finding.conditions("documents"),
        click.option("--content-type", "content_types", metavar="TYPE", multiple=True, help="May be given again."),
        click.option("--type", "doc_types", metavar="NAME", multiple=True, help="May be given again."),
    ):
        function = option(function)
    return function


@doc.command("list", cls=finding.FilterCommand)
@click.argument("words", nargs=-1, metavar="[WORD]...")
@click.option(
    "--text",
    metavar="WORDS",
    help="Words in title or content; `rep*` matches a beginning, `'\"two words\"'` those two side by side.",
)
@click.option("--trash", is_flag=True, help="Show what was deleted instead; `edda doc restore` brings it back.")
@finding.order_option(DOCUMENT_ORDERS, "updated_at unless you say so")
@_list_options
def list_(trash: bool, words: tuple[str, ...], **conditions: Any) -> None:
    """
    List documents, the latest first.

    Each WORD is a condition: milk (a word in title or content), +home, -work (without this tag), type:note, task:ID,
    sort:-title.
    """
    if trash:
        finding.check_trash(click.get_current_context(), words)
        limit = conditions["limit"]
        with opened() as store:
            found = [item for item in store.trash("document") if isinstance(item, Document)]
            shorts = store.reading.short_ids("document", [each.id for each in found])
            if conditions["count_only"]:
                finding.say_count(len(found), as_json=conditions["as_json"])
                return
            total, found = len(found), found[: limiting.chosen(limit, everything=True)]
            answer = items.listed(store, found) if conditions["as_json"] else None
        none = items.none_shown("document", total, limit, trash=True)
        _print_documents(found, shorts, answer, none, None)
    else:
        _find(words, "updated_at", **conditions)


@doc.command("search", cls=finding.FilterCommand)
@click.argument("words", nargs=-1, required=True, metavar="WORD...")
@finding.order_option(DOCUMENT_ORDERS, "relevance unless you say so")
@_list_options
def search(words: tuple[str, ...], **conditions: Any) -> None:
    """
    Find documents that hold all WORDs in title or content, the most relevant first.

    `rep*` matches the beginning of a word, and `'"two words"'` those two side by side. The conditions of `edda doc list`,
    such as +home and -work (without this tag), may stand among the words.
    """
    _find(words, "relevance", text=None, **conditions)


def _find(
    words: tuple[str, ...], usual: str, *, everything: bool, limit: int | None, as_json: bool, **given: Any
) -> None:
    conditions = _with_words(given, words) if words else given
    unlimited = everything or (as_json and conditions["after"] is None and not conditions["explain"])
    shown = limiting.chosen(limit, everything=unlimited)
    order = conditions["order"] or (usual if conditions["text"] else "updated_at", False)
    with opened() as store:
        finding.note_unknown(store, conditions["no_tags"])
        linked_from = None if conditions["task"] is None else items.task(store, conditions["task"]).id
        query = DocumentQuery(
            doc_type=conditions["doc_types"] or None, content_type=conditions["content_types"] or None,
            task=linked_from, text=conditions["text"], order=order[0], descending=conditions["reverse"] != order[1],
            no_text=conditions.get("no_text", ()), limit=None if shown is None else shown + 1, **finding.shared(conditions),
        )  # fmt: skip
        if finding.answered(store, query, conditions, as_json=as_json):
            return
        listed = store.query_documents(query)
        found = limiting.cut(
            listed, limit, "documents", lambda: store.count(finding.all_of(query)), everything=unlimited
        )
        finding.note_next(query, conditions, listed, found)
        total = 0 if found else store.counts()["documents"]
        answer = items.listed(store, found) if as_json else None
        shorts = store.reading.short_ids("document", [] if as_json else [each.id for each in found])
        if as_json and not found:
            finding.note_nearly(store, query)
        hint = "" if found or as_json else finding.nearly(store, query)
    none = items.none_shown("document", total, limit, asked=finding.typed(), hint=hint)
    _print_documents(found, shorts, answer, none, conditions["text"])


def _with_words(given: dict[str, Any], words: tuple[str, ...]) -> dict[str, Any]:
    """Return the options with the conditions that stand in words."""
    from edda_sync.words import filters  # a plain list has no conditions

    asked = filters.read(words, times.clock(), "document")
    text, order = " ".join(filter(None, (given["text"], *asked.words))) or None, given["order"]
    if order is None and asked.sort is not None:
        order = finding.Order(DOCUMENT_ORDERS).convert(asked.sort, None, None)
    return given | {
        "text": text, "order": order, "task": given["task"] or asked.task, "doc_types": (*given["doc_types"], *asked.types),
        "tags": (*given["tags"], *asked.tags), "no_tags": (*given["no_tags"], *asked.no_tags),
        "no_text": asked.no_words,
    }  # fmt: skip


def _print_documents(
    found: list[Document], shorts: dict[str, str], answer: list[dict[str, Any]] | None, none: str, text: str | None
) -> None:
    if answer is not None:
        print_json(answer)
    elif not found:
        note(none)
    else:
        rows = [[shorts[d.id], d.doc_type, times.past(d.updated_at), items.with_tags(d.title, d.tags)] for d in found]
        print_table(
            ["id", "type", "updated", "title"],
            rows,
            items.found_lines(found, rows, text),
            cuts=True,
            spare=("type", "updated"),
        )


@doc.command("show")
@click.argument("id")
@earlier.at_option
@json_option
def show(id: str, moment: str | None, as_json: bool) -> None:
    """Print a document's content, byte for byte; to a person also what is known of it."""
    with opened() as store:
        found = items.document(store, id) if moment is None else earlier.find(store, Document, id, moment)
        if moment is None:
            shown.remember(store, found)
        if as_json:
            items.print_item(store, found) if moment is None else earlier.print_as_json(found)
            return
        if moment is None and on_terminal():
            items.note_kept(store, found)
    if on_terminal():
        items.print_fields(found, leave_out=("content",))
        say(f"\n{found.content or ''}")
    else:
        click.echo((found.content or "").encode(), nl=False)


@doc.command("edit")
@click.argument("id")
@click.option("--content", metavar="TEXT", help="The new content.")
@click.option("--file", metavar="FILE", help="Read the new content from a file, or - for stdin.")
@click.option(
    "--base", metavar="VERSION", help="The version that the new content was made from, as show --json has it."
)
@editing.allow_empty_option
@_fields(new=False)
@editing.untag_option
@editing.unset_option
@json_option
def edit(
    id: str,
    content: str | None,
    file: str | None,
    base: str | None,
    allow_empty: bool,
    untags: tuple[str, ...],
    unset: tuple[str, ...],
    as_json: bool,
    **fields: Any,
) -> None:
    """
    Change what you name of a document; without any option, its content in your editor.

    What was written meanwhile is kept: your edits are merged into it. They are what the new content has otherwise than the
    version that --base names, or that `edda doc show` last showed you.
    """
    if content is not None and file is not None:
        raise UsageError("Give --content or --file, not both.")
    if file is not None:
        content = read_text(file)
    if base is not None and content is None:
        raise UsageError("--base says what a new content was made from; give --content or --file, too.")
    change = Document()
    _set_fields(change, fields)
    named = untags or unset or content is not None or any(value not in (None, ()) for value in fields.values())
    with opened() as store:
        found = items.document(store, id)
        change.id = found.id
        if not named:
            _edit_in_editor(store, found, id, allow_empty, quiet=as_json)
        else:
            if content is not None:
                editing.check_emptied("document", id, found.content, content, allowed=allow_empty)
                rewritten = shown.rewritten(store, found, base, content)

            def work(tx: Transaction) -> None:
                if content is not None:
                    tx.update_document(rewritten)
                tx.update_document(change)
                items.change_tags(tx, "document", found.id, fields["tags"], untags)
                if unset:
                    now = tx.get_document(found.id)
                    assert now is not None, "an update of a missing document was refused"
                    items.remove_keys(now.metadata, unset)
                    tx.update_document(now)

            with taking_back.written(store) as dots:
                write(store, work)
            if not as_json:
                also = items.also(tags=fields["tags"] or untags, metadata=unset, content=content is not None)
                items.note_changed(found, store.get_document(found.id), change, also)
                if found.content and content is not None and content != found.content:
                    taking_back.note_undo(dots)
            if content is not None:
                shown.remember_written(store, store.get_document(found.id), content, is_shown=as_json)
        if as_json:
            items.print_item(store, store.get_document(found.id))


def _edit_in_editor(store: StorageEngine, found: Document, reference: str, allow_empty: bool, *, quiet: bool) -> None:
    suffix, is_secret = ".md" if found.content_type == "text/markdown" else ".txt", store.reading.is_encrypted()
    with editing.edited(found.content or "", suffix, is_secret=is_secret) as new:
        if new == (found.content or ""):
            note("Nothing was changed.")
            items.note_if_gone(store, "document", found.id)
            return
        editing.check_emptied("document", reference, found.content, new, allowed=allow_empty)
        had, found.content = found.content, new  # the difference from what was read is merged into the present text
        with taking_back.written(store) as dots:
            write(store, lambda tx: tx.update_document(found))
        shown.remember_written(store, store.get_document(found.id), new)
    if not quiet:
        note(f"Changed content: {found.title}")
        if had:
            taking_back.note_undo(dots)


@doc.command("rm")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def rm(ids: tuple[str, ...]) -> None:
    """Move documents to the trash; `edda doc restore` brings them back."""
    with opened() as store:
        doomed = items.several(lambda reference: items.document(store, reference), ids)

        def work(tx: Transaction) -> None:
            for each in doomed:
                tx.delete_document(each.id)

        write(store, work)
        shorts = store.reading.short_ids("document", [each.id for each in doomed])
    note(f"Moved {count(len(doomed), 'document')} to the trash{items.way_back('doc restore', shorts.values())}.")


@doc.command("restore")
@click.argument("ids", metavar="ID...", nargs=-1, required=True)
def restore(ids: tuple[str, ...]) -> None:
    """Bring documents back from the trash."""
    with opened() as store:
        items.restore(store, "document", ids)


def _set_fields(change: Document, fields: dict[str, Any]) -> None:
    """Write the options that were given into a document."""
    if fields["title"] is not None:
        change.title = items.one_line(fields["title"])
    for name in ("doc_type", "content_type"):
        if fields[name] is not None:
            setattr(change, name, fields[name])
    if fields["metadata"] is not None:
        change.metadata = parse_object("metadata", fields["metadata"])
    if fields["agent_context"] is not None:
        change.agent_context = parse_object("agent_context", fields["agent_context"])
