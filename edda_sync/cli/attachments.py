"""``edda attach``, and ``edda doc`` files, save, detach: files that are attached to documents."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final

import click

from edda_sync.cli import items
from edda_sync.cli.columns import print_table
from edda_sync.cli.commands import Command
from edda_sync.cli.common import (
    check_free,
    count,
    force_option,
    json_option,
    note,
    on_terminal,
    opened,
    print_json,
    safe_line,
    short_ids,
    write,
)
from edda_sync.words.errors import AmbiguousIdError, NotFoundError, UsageError
from edda_sync.words.model import as_json as item_as_json

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction
    from edda_sync.words.listed import Attachment

_UNITS: Final = ("bytes", "KB", "MB", "GB")


@click.command("attach", cls=Command)
@click.argument("document")
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--name", metavar="NAME", help="What people call it; the name of the file unless you say so.")
@click.option(
    "--type", "content_type", metavar="TYPE", help="Its media type; what its name suggests unless you say so."
)
def attach(document: str, files: tuple[str, ...], name: str | None, content_type: str | None) -> None:
    """
    Attach FILE to DOCUMENT, or what stdin holds for -.

    `edda doc files` lists what is attached, and `edda doc save` makes a file of it again.
    """
    if name is not None and len(files) > 1:
        raise UsageError("--name names one file; attach them one by one.")
    if "-" in files and name is None:
        raise UsageError("What comes from stdin has no name; give it one with --name.")
    with opened() as store:
        found = items.document(store, document)
        known = {each.name for each in store.attachments(found.id)}

        def work(tx: Transaction) -> list[str]:
            return [tx.attach(found.id, source_of(file), name=name, content_type=content_type) for file in files]

        made = write(store, work)
        attached = [each for each in store.attachments(found.id) if each.id in made]
    for each in attached:
        note(f"Attached to {found.title}: {safe_line(each.name)} ({size_in_words(each.size)})")
        if each.name in known:
            note(f"{safe_line(each.name)} was attached before; both are kept, and `edda doc files` shows their ids.")


def type_of(name: str) -> str:
    """Return the media type that a file's name suggests."""
    import mimetypes

    return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def source_of(file: str) -> Path | BinaryIO:
    """
    Return what to attach for an argument: a path, or stdin for ``-``.

    Raises:
        UsageError: It is a folder.
    """
    if file == "-":
        return sys.stdin.buffer
    path = Path(file)
    if path.is_dir():
        raise UsageError(f"{safe_line(file)} is a folder; attach the files in it, or an archive of it.")
    return path


@click.command("files", cls=Command)
@click.argument("id")
@json_option
def files(id: str, as_json: bool) -> None:
    """List the files that are attached to a document."""
    with opened() as store:
        found = items.document(store, id)
        attached = store.attachments(found.id)
    if as_json:
        print_json([item_as_json(each) for each in attached])
    elif not attached:
        note(f"Nothing is attached to {found.title}; `edda attach {id} FILE` attaches a file.")
    else:
        shorts = short_ids([each.id for each in attached])
        rows = [
            [shorts[a.id], size_in_words(a.size), a.content_type, "" if a.here else "not here yet", safe_line(a.name)]
            for a in attached
        ]
        print_table(["id", "size", "type", "", "name"], rows)


@click.command("save", cls=Command)
@click.argument("id")
@click.argument("file", required=False)
@click.option("--to", "target", metavar="PATH", help="Where to; the file's own name in this folder unless you say so.")
@force_option
def save(id: str, file: str | None, target: str | None, force: bool) -> None:
    """
    Make a file of what is attached to a document: of FILE (its name or id), or of the only one.

    --to - writes it to stdout.
    """
    import shutil

    from edda_sync.files import saving

    with opened() as store:
        found = _meant(store, id, file)
        if target == "-":
            if on_terminal():
                raise UsageError(
                    "This terminal would show its bytes; write it into a file with --to PATH, or into a pipe."
                )
            with store.open_attachment(found.document_id, found.id) as stream:
                shutil.copyfileobj(stream, sys.stdout.buffer)
            return
        path = Path(target if target is not None else saving.safe_name(found.name))
        if path.is_dir():
            path /= saving.safe_name(found.name)
        check_free(path, force)
        with store.open_attachment(found.document_id, found.id) as stream:
            saving.save(stream, path, replace=force)
    note(f"Saved {safe_line(found.name)} as {safe_line(str(path))} ({size_in_words(found.size)}).")


@click.command("detach", cls=Command)
@click.argument("id")
@click.argument("file")
def detach(id: str, file: str) -> None:
    """Take FILE (its name or id) off a document. Its content is kept for a day, and then dropped if nothing needs it."""
    with opened() as store:
        found = _meant(store, id, file)
        write(store, lambda tx: tx.detach(found.document_id, found.id))
    note(f"Detached: {safe_line(found.name)}")


def _meant(store: StorageEngine, document: str, file: str | None) -> Attachment:
    """Return the attachment that somebody means; without a name, the only one."""
    whole = items.document(store, document).id
    listed = f"`edda doc files {document}` lists what is attached"
    if file is None:
        attached = store.attachments(whole)
        if len(attached) != 1:
            raise UsageError(
                f"{count(len(attached), 'file')} are attached; {listed}, and FILE says which one is meant."
            )
        return attached[0]
    try:
        return store.reading.files.find(whole, file)
    except NotFoundError:
        error = NotFoundError("attachment", file)
        error.args = (f"No file {safe_line(file)!r} is attached to this document; {listed}.",)
        raise error from None
    except AmbiguousIdError as several:
        several.args = (
            f"{count(len(several.candidates), 'file')} are called {safe_line(file)!r}; {listed} with its id.",
        )
        raise


def size_in_words(size: int) -> str:
    """Return a number of bytes for a person."""
    shown, unit = float(size), 0
    while shown >= 999.5 and unit < len(_UNITS) - 1:
        shown, unit = shown / 1_000, unit + 1
    return f"{size:,} {_UNITS[0]}" if not unit else f"{shown:.3g} {_UNITS[unit]}"
