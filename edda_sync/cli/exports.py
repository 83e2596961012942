"""``edda export``: write everything to files."""

from __future__ import annotations

import itertools
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource

from edda_sync.cli.commands import Command
from edda_sync.cli.common import FilePath, count, note, opened, safe_line
from edda_sync.cli.enclosed import Enclosed, check_way, folded
from edda_sync.cli.interrupts import keep
from edda_sync.cli.overwriting import check_free, force_option
from edda_sync.cli.progress import Progress
from edda_sync.engine.items import item_of_row
from edda_sync.engine.soundly import MENDED_MAX
from edda_sync.imports import sidecar
from edda_sync.imports.markdown import PATH_KEY, SUFFIX, exported, is_markdown
from edda_sync.words.errors import DamagedRowsError, UsageError
from edda_sync.words.files import make_folders, replace_file
from edda_sync.words.listed import Link, Tag
from edda_sync.words.model import Document, Item, as_json
from edda_sync.words.query import pages

if TYPE_CHECKING:
    from edda_sync.engine.engine import StorageEngine
    from edda_sync.store.seams import StoreReader

PAGE: Final = 1_000  # rows that are read at a time, so that memory does not grow with the store
NAME_BYTES_MAX: Final = 240  # of a file name: file systems allow 255
_UNFIT: Final = re.compile(r'[\x00-\x1f\x7f/\\:*?"<>|]')  # what some system does not allow in a file name
_UNSOUND: Final = _UNFIT if os.name == "nt" else re.compile(r"[\x00-\x1f\x7f\\]")  # what this system does not allow


_NAMED_MAX: Final = 5  # files that an error names
_FORMATS: Final = ("jsonl", "markdown")
_WORDS: Final = {
    **dict.fromkeys(("jsonl", "json", "ndjson"), "jsonl"),
    **dict.fromkeys(("markdown", "md"), "markdown"),
    **dict.fromkeys(
        ("csv", "tsv", "html", "xml", "yaml", "yml", "toml", "text", "txt", "org", "opml", "ics", "pdf"), ""
    ),
}
"""Words that name a format, with our name of it; empty for a format that we do not write."""


class _Target(FilePath):
    """Where to write, as it was typed: ``./markdown`` is a file, but ``markdown`` is a format."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # type: ignore[override]
        """Return the text that was typed."""
        super().convert(value, param, ctx)
        return str(value)


@click.command("export", cls=Command)
@click.argument("path", required=False, type=_Target())
@click.option("--format", "format", type=click.Choice(_FORMATS), default="jsonl", show_default=True)
@force_option
@click.pass_context
def export(ctx: click.Context, path: str | None, format: str, force: bool) -> None:
    """
    Write everything out, except what is in the trash.

    As jsonl: every tag, document, task, link and attachment, one JSON object on each line, in a stable order, to the file
    PATH, or to stdout for - or without PATH. As markdown: every document as a file in the folder PATH, under the path from
    which it was imported, or else under its title.
    What is attached to documents is written into folders whose names end in .files, beside the file PATH or the document's;
    stdout has none of it.
    An existing file is replaced only with --force; one that would not change needs none.
    """
    if path is not None and ctx.get_parameter_source("format") is ParameterSource.DEFAULT:
        _check_meant(path)
    _export(None if path is None or path == "-" else Path(path), format, force)


def _check_meant(typed: str) -> None:
    """Refuse a path whose name shows that another format than JSON lines is wanted."""
    shown, word = safe_line(typed), typed.lower()
    jsonl = "`edda export FILE` writes JSON lines to a file, and without FILE to stdout"
    markdown = "`edda export --format markdown DIR` writes documents as Markdown files"
    if word in _WORDS:
        other = {"jsonl": jsonl, "markdown": markdown, "": f"{jsonl}, and {markdown}"}[_WORDS[word]]
        what = "is a format" if _WORDS[word] else "is a format in which nothing is written"
        raise UsageError(f"{shown} {what}; nothing was written: {other}. A file of that name is ./{shown}.")
    if word.endswith(("/", os.sep)):
        raise UsageError(f"{shown} is a folder; nothing was written: {jsonl}, and {markdown}.")
    if _WORDS.get(word.rpartition(".")[2]) == "markdown":
        raise UsageError(
            f"JSON lines are no Markdown; nothing was written: {markdown}, or name a file that does not end like {shown}."
        )


def _export(path: Path | None, format: str, force: bool) -> None:
    if format == "jsonl":
        check_free(path, force)
        with opened() as store, Progress("Exporting", sum(store.counts().values())) as progress:
            if path is None:
                if attached := write_jsonl(store, sys.stdout.buffer, progress)["attachment"]:
                    are = "1 attached file is" if attached == 1 else f"{attached:,} attached files are"
                    note(f"{are} named without the content; `edda export FILE` writes that, too.")
            else:
                beside = path.with_name(path.name + SUFFIX)
                held = _soundly(store, lambda: _write_whole(store, path, progress, beside, force))
                wrote = ", ".join(count(held[kind], kind) for kind in ("task", "document", "tag", "link"))
                note(f"Wrote {wrote} to {safe_line(str(path))}{_beside(held['file'], str(beside))}.")
        return
    if path is None:
        raise UsageError("Name the folder to write Markdown files to: `edda export --format markdown DIR`.")
    with opened() as store, Progress("Exporting", store.counts()["documents"]) as progress:
        held = _soundly(store, lambda: write_markdown(store, path, force, progress))
    files = f" and {count(held['file'], 'attached file')}" if held["file"] else ""
    note(f"Wrote {count(held['document'], 'document')}{files} to {safe_line(str(path))}.")


def _soundly(store: StorageEngine, write: Callable[[], Counter[str]]) -> Counter[str]:
    """Write; if rows turn out to be damaged, have them made anew, and begin again: nothing has its name yet."""
    for _ in range(MENDED_MAX):
        try:
            return write()
        except DamagedRowsError as error:
            store.reading.mend(error)
    return write()


def _write_whole(
    store: StorageEngine, path: Path, progress: Callable[[int], object], beside: Path, force: bool
) -> Counter[str]:
    held = Counter[str]()
    replace_file(path, lambda file: held.update(write_jsonl(store, file, progress, beside, force)), keep_mode=True)
    return held


# --- JSON lines -------------------------------------------------------------------------------------------------------


def write_jsonl(
    store: StorageEngine,
    file: IO[bytes],
    progress: Callable[[int], object],
    beside: Path | None = None,
    force: bool = False,
) -> Counter[str]:
    """
    Write the tags, documents, tasks, links and attachments of one moment, each kind ordered by id.

    Args:
        store: The store.
        file: Where to.
        progress: Called with the number of lines.
        beside: The folder for the content of attachments, in a folder for each document; None to leave it out.
        force: Whether other files that are there are replaced.

    Returns:
        How many of each kind, and how many files.

    Raises:
        UsageError: Other files are there already. Nothing was written.
    """
    held = Counter[str]()
    with store.snapshot() as reader:
        enclosed = Enclosed(store, reader, beside)
        if beside is not None:
            for document in _documents(reader):
                enclosed.add(document.id, document.id)
            enclosed.check(force=force)
            held["file"] = enclosed.write()
            enclosed.tell()
        for number, (kind, each) in enumerate(_everything(reader)):
            _write_line(file, kind, as_json(each))
            held[kind] += 1
            progress(number)
        for document in _documents(reader):
            for attachment in enclosed.of(document.id):
                told = {name: value for name, value in as_json(attachment).items() if name != "here"}
                _write_line(file, "attachment", {**told, "file": enclosed.paths.get(attachment.id)})
                held["attachment"] += 1
    file.flush()
    return held


def _write_line(file: IO[bytes], kind: str, told: dict[str, Any]) -> None:
    file.write(json.dumps({"kind": kind, **told}, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def _beside(files: int, folder: str) -> str:
    return f", and {count(files, 'attached file')} to {safe_line(folder)}" if files else ""


def _everything(reader: StoreReader) -> Iterator[tuple[str, Item | Tag | Link]]:
    for row in reader.tables.all("tags"):
        yield "tag", Tag(id=row[0], name=row[1], color=row[2], description=row[3], created_at=row[4])
    for kind in ("document", "task"):
        yield from ((kind, item) for item in _items(reader, kind))
    for row in reader.tables.all("task_documents"):
        yield "link", Link(task_id=row[0], document_id=row[1], relationship_type=row[2], created_at=row[3])


def _items(reader: StoreReader, kind: str) -> Iterator[Item]:
    """Yield all documents or tasks, ordered by id."""
    for rows in pages(reader.tables.rows, kind, PAGE):
        tags = reader.edges.tags_of(kind, [row[0] for row in rows])
        yield from (item_of_row(kind, row, [name for _, name in tags[row[0]]]) for row in rows)


# --- Markdown ---------------------------------------------------------------------------------------------------------


def write_markdown(store: StorageEngine, folder: Path, force: bool, progress: Callable[[int], object]) -> Counter[str]:
    """
    Write every document as a file, byte for byte, and what is attached to it into a folder beside that; return how many.

    Raises:
        UsageError: Different files are there already, or a path leads through a link. Nothing was written.
    """
    with store.snapshot() as reader:
        targets = {document_id: folder / name for document_id, name in names_of(_documents(reader)).items()}
        for target in targets.values():
            check_way(folder, target)
        different = list[str]()
        for document in _documents(reader):
            target = targets[document.id]
            if target.exists() and not _holds(target, document):
                different.append(safe_line(str(target.relative_to(folder))))
        if different and not force:
            shown, others = ", ".join(different[:_NAMED_MAX]), " and others" if len(different) > _NAMED_MAX else ""
            raise UsageError(
                f"{count(len(different), 'file')} in {safe_line(str(folder))} would be replaced ({shown}{others}); nothing "
                "was written: --force does that."
            )
        enclosed = Enclosed(store, reader, folder, [str(target.relative_to(folder)) for target in targets.values()])
        for document_id, target in targets.items():
            enclosed.add(document_id, str(target.relative_to(folder).with_suffix(SUFFIX)))
        enclosed.check(force=force)
        make_folders(folder)  # also if there are no documents
        told: list[bytes] = []
        for number, document in enumerate(_documents(reader)):
            target = targets[document.id]
            if not _holds(target, document):
                keep()
                make_folders(target.parent)
                content = (document.content or "").encode()
                replace_file(target, lambda file, content=content: file.write(content), keep_mode=True)  # type: ignore[misc]
            told.append(sidecar.line(_exported(document, target.relative_to(folder).as_posix())))
            progress(number)
        if told:
            replace_file(folder / sidecar.NAME, lambda file: file.writelines(told), keep_mode=True)
        files = enclosed.write()
        enclosed.tell()
    return Counter({"document": len(targets), "file": files})


def _exported(document: Document, path: str) -> sidecar.Exported:
    return exported(path, document.id, document.version, document.content or "")


def _documents(reader: StoreReader) -> Iterator[Document]:
    return (item for item in _items(reader, "document") if isinstance(item, Document))


def _holds(target: Path, document: Document) -> bool:
    content = (document.content or "").encode()
    return target.is_file() and target.stat().st_size == len(content) and target.read_bytes() == content


def names_of(documents: Iterable[Document]) -> dict[str, str]:
    """
    Return a path inside the folder for each document, by its id. No two are the same file on any file system.

    The paths from which documents were imported are assigned first, so that no title takes one of them. If a path is
    taken already, the end of the document's id is added. If that is taken, too, the id is the name.

    Args:
        documents: In a stable order: if two documents want one name, the earlier one gets it.
    """
    taken = _Taken()
    names, clashing, titled = {}, {}, {}
    for document in documents:
        path = document.metadata.get(PATH_KEY)
        if not isinstance(path, str) or not _is_sound(path):
            titled[document.id] = f"{_as_name(document.title)}.md"
        elif taken.take(path):
            names[document.id] = path
        else:
            clashing[document.id] = path
    for document_id, name in [*clashing.items(), *titled.items()]:
        names[document_id] = next(
            each for each in _candidates(name, document_id) if _is_sound(each) and taken.take(each)
        )
    return names


def _candidates(name: str, document_id: str) -> Iterator[str]:
    yield name
    stem, _, ending = name.rpartition(".")
    yield f"{stem}-{document_id[-12:]}.{ending}"
    yield f"{document_id}.md"
    yield from (f"{document_id}-{number}.md" for number in itertools.count(2))  # another title may be this id


class _Taken:
    """The assigned files and their folders, compared as the least precise file system would."""

    def __init__(self) -> None:
        self._files: set[str] = set()
        self._folders: set[str] = set()

    def take(self, name: str) -> bool:
        """Take a name; return False if it is taken, or if a file would also have to be a folder."""
        parts = folded(name).split("/")
        above = {"/".join(parts[:depth]) for depth in range(1, len(parts))}
        whole = "/".join(parts)
        if whole in self._files or whole in self._folders or above & self._files:
            return False
        self._files.add(whole)
        self._folders |= above
        return True


def _is_sound(path: str) -> bool:
    parts = path.split("/")
    return is_markdown(path) and all(
        part not in ("", ".", "..") and not _UNSOUND.search(part) and len(part.encode()) <= NAME_BYTES_MAX
        for part in parts
    )


def _as_name(title: str) -> str:
    name = _UNFIT.sub("-", title).strip(" .") or "untitled"
    return name.encode()[: NAME_BYTES_MAX - 30].decode(errors="ignore")
