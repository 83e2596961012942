"""``edda attach``, and ``edda doc`` files, fetch, save, detach: files that are attached to documents."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import click

from edda_sync.cli import fetching, items, taking_back
from edda_sync.cli.columns import print_table
from edda_sync.cli.commands import Command
from edda_sync.cli.common import (
    count,
    json_option,
    note,
    on_terminal,
    opened,
    print_json,
    safe_line,
    write,
)
from edda_sync.cli.overwriting import check_free, force_option
from edda_sync.cli.running import at_option
from edda_sync.words import limits
from edda_sync.words.errors import (
    AmbiguousIdError,
    DamagedFileError,
    FileNotHereError,
    NotFoundError,
    UsageError,
    typed,
)
from edda_sync.words.model import as_json as item_as_json
from edda_sync.words.units import size_in_words

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.engine.transaction import Transaction
    from edda_sync.words.listed import Attachment


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
        known.add(each.name)


def type_of(name: str) -> str:
    """Return the media type that a file's name suggests."""
    import mimetypes

    return mimetypes.guess_type(name, strict=False)[0] or "application/octet-stream"


def source_of(file: str) -> Path | BinaryIO:
    """
    Return what to attach for an argument: a path, or stdin for ``-``.

    Raises:
        UsageError: It is a folder, or empty.
    """
    if file == "-":
        return sys.stdin.buffer
    path = Path(file)
    if not file:
        raise UsageError("FILE is empty; name the file to attach.")
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
        note(f"Nothing is attached to {found.title}; `edda attach {typed(id)} FILE` attaches a file.")
    else:
        shorts = _short_ids([each.id for each in attached])
        rows = [
            [shorts[a.id], size_in_words(a.size), a.content_type, "" if a.here else "not here yet", safe_line(a.name)]
            for a in attached
        ]
        print_table(["id", "size", "type", "", "name"], rows)
        if not all(each.here for each in attached):
            note(f"`edda doc fetch {typed(id)}` gets what is not here.")


@click.command("fetch", cls=Command)
@click.argument("id")
@click.argument("file", required=False)
@at_option
def fetch(id: str, file: str | None, at: tuple[tuple[str, int], ...]) -> None:
    """
    Fetch what is attached to a document from the devices that have it: FILE (its name or id), or everything.

    What is here is read, and fetched again if it is damaged.

    Small files come by themselves while `edda up` runs; the setting files.always_below says how small.
    """
    with opened() as store:
        found = items.document(store, id)
        attached = store.attachments(found.id) if file is None else [_meant(store, id, file)]
    if not attached:
        note(f"Nothing is attached to {found.title}; `edda attach {typed(id)} FILE` attaches a file.")
    elif fetched := fetching.fetch(attached, at):
        note(f"Fetched: {', '.join(map(safe_line, fetched))}")
    else:
        note("Nothing is to be fetched: everything is here.")


@click.command("save", cls=Command)
@click.argument("id")
@click.argument("file", required=False)
@click.argument("target", required=False)
@click.option(
    "--to", metavar="TARGET", help="The same as TARGET; for the only file, whose name need not be typed then."
)
@force_option
@at_option
def save(
    id: str, file: str | None, target: str | None, to: str | None, force: bool, at: tuple[tuple[str, int], ...]
) -> None:
    """
    Make a file of what is attached to a document: of FILE (its name or id), or of the only one.

    TARGET is the new file, or a folder for it; without one it gets its own name in this folder, and - writes to stdout. What
    is not on this device is fetched first.
    """
    if target is not None and to is not None:
        raise UsageError("TARGET and --to both say where to; leave one of them out.")
    with opened() as store:
        found = _meant(store, id, file)
    path = _path_of(found, to if target is None else target)
    check_free(path, force)
    if path is None and on_terminal():
        raise UsageError("This terminal would show its bytes; name a file, or write into a pipe.")
    try:
        _copy(found, path, force)
    except (FileNotHereError, DamagedFileError) as error:
        if path is None and not isinstance(error, FileNotHereError):
            raise  # a part of it is written already, and would be written twice
        fetching.fetch([found], at)
        _copy(found, path, force)
    if path is not None:
        note(f"Saved {safe_line(found.name)} as {safe_line(str(path))} ({size_in_words(found.size)}).")


def _path_of(found: Attachment, target: str | None) -> Path | None:
    """Return the file to make of an attachment; None for stdout. Its own name decides only what it is called."""
    from edda_sync.files import saving

    own = saving.safe_name(found.name)
    if target is None:
        return Path(own)
    if target == "-":
        return None
    if not target:
        raise UsageError("The name of the file to make is empty; leave it out, or name a file or folder.")
    path = Path(target)
    if os.path.isdir(path):
        return path / own
    if target.endswith(("/", os.sep)):
        raise UsageError(f"There is no folder {safe_line(target)}; nothing was written: make it first.")
    return path


def _copy(found: Attachment, path: Path | None, force: bool) -> None:
    """Copy an attachment into a file, or to stdout."""
    import shutil

    from edda_sync.files import saving

    with opened() as store, store.open_attachment(found.document_id, found.id) as stream:
        if path is None:
            shutil.copyfileobj(stream, sys.stdout.buffer)
        else:
            saving.save(stream, path, replace=force)


@click.command("detach", cls=Command)
@click.argument("id")
@click.argument("file")
def detach(id: str, file: str) -> None:
    """Take FILE (its name or id) off a document. Its content is kept for a day, and then dropped if nothing needs it."""
    with opened() as store:
        found = _meant(store, id, file)
        with taking_back.written(store) as dots:
            write(store, lambda tx: tx.detach(found.document_id, found.id))
    note(f"Detached: {safe_line(found.name)}")
    taking_back.note_undo(dots)


def _meant(store: StorageEngine, document: str, file: str | None) -> Attachment:
    """Return the attachment that somebody means; without a name, the only one."""
    whole = items.document(store, document).id
    listed = f"`edda doc files {typed(document)}` lists what is attached"
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
        error, attached = NotFoundError("attachment", file), store.attachments(whole)
        error.args = (f"No file {safe_line(file)!r} is attached to this document; {listed}.",)
        if len(attached) == 1:
            only = safe_line(attached[0].name)
            error.args = (f"No file {safe_line(file)!r} is attached to this document, only {only!r}.",)
        raise error from None
    except AmbiguousIdError as several:
        several.args = (
            f"{count(len(several.candidates), 'file')} are called {safe_line(file)!r}; {listed} with its id.",
        )
        raise


def _short_ids(ids: Sequence[str]) -> dict[str, str]:
    """Return the ends of the ids of a document's attachments, just long enough that no two are the same."""
    length = limits.SHORT_ID_CHARACTERS_MIN
    bare = {whole: whole.replace("-", "") for whole in ids}
    while length < 32 and len({digits[-length:] for digits in bare.values()}) < len(bare):
        length += 1
    return {whole: digits[-length:] for whole, digits in bare.items()}
