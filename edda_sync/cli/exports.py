"""``edda export``: write everything out."""

from __future__ import annotations

from pathlib import Path

import click

from edda_sync.cli.common import Progress, count, note, opened, safe_line
from edda_sync.errors import UsageError


@click.command("export")
@click.argument("path", required=False, type=click.Path(path_type=Path))
@click.option("--format", "format", type=click.Choice(["jsonl", "markdown"]), default="jsonl", show_default=True)
@click.option("--force", is_flag=True, help="Replace files that are there and differ.")
def export(path: Path | None, format: str, force: bool) -> None:
    """
    Write everything out; what is in the trash is left out.

    As jsonl: every tag, document, task and link, one JSON object a line, in an order that stays, to PATH or stdout. As
    markdown: every document as a file in the folder PATH, under the path that it was imported from, else under its title.
    """
    from edda_sync import exports

    if format == "jsonl":
        with opened() as store, Progress("Exporting", sum(store.counts().values())) as progress:
            if path is None:
                with click.open_file("-", "wb") as out:
                    exports.write_jsonl(store, out, progress)
                return
            written = exports.replace_file(path, lambda out: exports.write_jsonl(store, out, progress), force=force)
        note(f"Wrote {safe_line(str(path))}.")
        return
    if path is None:
        raise UsageError("Name the folder to write Markdown files to: `edda export --format markdown DIR`.")
    with opened() as store, Progress("Exporting", store.counts()["documents"]) as progress:
        written = exports.write_markdown(store, path, force=force, progress=progress)
    note(f"Wrote {count(written, 'document')} to {safe_line(str(path))}.")
