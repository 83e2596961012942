from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from edda_sync import imports
from edda_sync.engine.engine import StorageEngine
from edda_sync.imports import markdown, sidecar
from edda_sync.imports.memory import Memory
from edda_sync.testing import devices, sync
from edda_sync.words import values
from edda_sync.words.errors import UsageError
from edda_sync.words.model import Document
from edda_sync.words.query import DocumentQuery

LONG = "".join(f"Sentence {number} of the text.\n" for number in range(80))


def bring(store: StorageEngine, path: Path, under: str = "", *, same: bool = False) -> imports.Report:
    return imports.merge_into(store, markdown.read(path, under).source(store, same=same))


def contents(store: StorageEngine) -> dict[str, str | None]:
    return {each.metadata["markdown.path"]: each.content for each in store.query_documents(DocumentQuery())}


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.md").write_text(text)
    return folder


def test_files_of_one_name_in_two_folders_are_two_documents(store: StorageEngine, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert bring(store, write(tmp_path / name, README=f"# {name}\n")).created == 1
    assert bring(store, tmp_path / "two" / "README.md").unchanged == 1, "a file alone is known by its folder, too"
    assert sorted(each.content or "" for each in store.query_documents(DocumentQuery())) == ["# one\n", "# two\n"]


def test_another_folder_of_the_same_name_is_refused_with_what_to_do(store: StorageEngine, tmp_path: Path) -> None:
    first, second = write(tmp_path / "a" / "docs", README="# one\n"), write(tmp_path / "b" / "docs", README="# two\n")
    bring(store, first)
    digest = store.digest()
    with pytest.raises(UsageError, match=r"another folder that is called 'docs'.*--under.*--same"):
        bring(store, second)
    assert store.digest() == digest
    write(first, README="# one, edited\n")
    assert bring(store, first).updated == 1, "where it was imported from, it may change as a whole"
    assert bring(store, second, "b").created == 1
    assert bring(store, second, same=True).updated == 1
    assert contents(store) == {"README.md": "# two\n", "b/README.md": "# two\n"}


def test_a_copy_of_the_folder_elsewhere_is_the_same_folder(store: StorageEngine, tmp_path: Path) -> None:
    bring(store, write(tmp_path / "a" / "docs", x="# x\n", y="# y\n"))
    shutil.copytree(tmp_path / "a" / "docs", tmp_path / "b" / "docs")
    digest = store.digest()
    assert (bring(store, tmp_path / "b" / "docs").unchanged, store.digest()) == (2, digest)
    write(tmp_path / "b" / "docs", y="# other\n")
    report = bring(store, tmp_path / "b" / "docs")
    assert (report.updated, report.unchanged) == (1, 1)


def test_a_renamed_file_is_the_document_that_it_was(store: StorageEngine, tmp_path: Path) -> None:
    notes = write(tmp_path / "notes", same="# Same\n", edited=LONG, gone="# Gone\n\nthis text goes\n")
    bring(store, notes)
    ids = {each.metadata["markdown.path"]: each.id for each in store.query_documents(DocumentQuery())}
    (notes / "sub").mkdir()
    (notes / "same.md").rename(notes / "sub" / "moved.md")
    (notes / "edited.md").unlink()
    (notes / "new name.md").write_text(LONG.replace("Sentence 7 ", "Sentence seven "))
    (notes / "gone.md").unlink()
    write(notes, unlike="# Quite another\n\ntext\n")
    report = bring(store, notes)
    assert (report.created, report.updated) == (1, 2)
    now = {each.id: each.metadata["markdown.path"] for each in store.query_documents(DocumentQuery())}
    assert (now[ids["same.md"]], now[ids["edited.md"]], now[ids["gone.md"]]) == (
        "sub/moved.md",
        "new name.md",
        "gone.md",
    )
    digest = store.digest()
    assert bring(store, notes).unchanged == 3
    assert store.digest() == digest


def test_a_file_imported_alone_takes_no_document_of_a_file_that_is_still_there(
    store: StorageEngine, tmp_path: Path
) -> None:
    notes = write(tmp_path / "notes", a="# A\n")
    bring(store, notes)
    shutil.copy(notes / "a.md", notes / "copy.md")
    assert bring(store, notes / "copy.md").created == 1
    assert contents(store) == {"a.md": "# A\n", "copy.md": "# A\n"}


def test_a_document_that_an_older_version_imported_is_known_if_it_is_alike(
    store: StorageEngine, tmp_path: Path
) -> None:
    memory = {"content": "x", "title": "x"}
    old = Document(
        title="A", content="# A\n", metadata={"markdown.path": "a.md", "import.markdown": memory}, tags=set()
    )
    old.id = values.uuid8("markdown", "a.md")
    store.create_document(old)
    assert bring(store, write(tmp_path / "other", a="# Unlike\n")).created == 1
    assert bring(store, write(tmp_path / "notes", a="# A\n")).created == 0
    write(tmp_path / "notes", a="# A, edited\n")
    bring(store, tmp_path / "notes")
    assert getattr(store.get_document(old.id), "content", None) == "# A, edited\n", "from then on it is of this folder"


def test_a_rename_that_one_device_imported_is_known_on_the_other(tmp_path: Path) -> None:
    notes = write(tmp_path / "notes", a=LONG)
    with devices(2) as (laptop, phone):
        bring(laptop, notes)
        sync(laptop, phone)
        (notes / "a.md").rename(notes / "b.md")
        bring(laptop, notes)
        sync(laptop, phone)
        assert bring(phone, notes).unchanged == 1
        bring(laptop, notes)
        sync(laptop, phone)
        assert (contents(phone), laptop.conflicts()) == ({"b.md": LONG}, [])


def test_a_folder_is_the_same_through_a_link(store: StorageEngine, tmp_path: Path) -> None:
    notes = write(tmp_path / "notes", a="# A\n")
    os.symlink(notes, tmp_path / "alias")
    bring(store, notes)
    write(notes, a="# B\n")
    assert bring(store, tmp_path / "alias").updated == 1


def test_where_a_known_file_lies_is_no_change_of_its_document(store: StorageEngine, tmp_path: Path) -> None:
    first, second = write(tmp_path / "first", a="# A\n", b="# B\n"), write(tmp_path / "second", a="# A\n", b="# B\n")
    bring(store, first)
    found, frontier = store.query_documents(), store.frontier()
    lines = [
        sidecar.line(markdown.exported(each.metadata["markdown.path"], each.id, "", each.content or ""))
        for each in found
    ]
    (second / sidecar.NAME).write_bytes(b"".join(lines))
    assert [bring(store, each).unchanged for each in (second, first, second)] == [2, 2, 2]
    assert store.frontier() == frontier


def paths(store: StorageEngine) -> dict[str, str]:
    return {each.metadata["markdown.path"]: each.id for each in store.query_documents(DocumentQuery())}


def test_a_new_file_under_the_name_of_a_renamed_one_is_a_document_of_its_own(
    store: StorageEngine, tmp_path: Path
) -> None:
    notes = write(tmp_path / "notes", old="# First\n\none two three\n")
    bring(store, notes)
    (notes / "old.md").rename(notes / "new.md")
    bring(store, notes)
    report = bring(store, write(notes, old="# Second\n\nquite other words\n"))
    assert (report.created, report.unchanged) == (1, 1)
    assert contents(store) == {"new.md": "# First\n\none two three\n", "old.md": "# Second\n\nquite other words\n"}
    digest = store.digest()
    assert (bring(store, notes).unchanged, store.digest()) == (2, digest)
    (notes / "old.md").rename(notes / "third.md")
    bring(store, notes)
    assert bring(store, write(notes, old="# Third\n\nand once more\n")).created == 1
    assert len(set(paths(store).values())) == 3


def test_a_new_file_under_the_name_of_a_renamed_one_is_not_in_the_trash_with_that(
    store: StorageEngine, tmp_path: Path
) -> None:
    notes = write(tmp_path / "notes", old="# First\n\none two three\n")
    bring(store, notes)
    (notes / "old.md").rename(notes / "new.md")
    bring(store, notes)
    store.delete_document(paths(store)["new.md"])
    (notes / "new.md").unlink()
    assert bring(store, write(notes, old="# Second\n")).created == 1
    assert contents(store) == {"old.md": "# Second\n"}
    store.delete_document(paths(store)["old.md"])
    assert bring(store, notes).in_trash == 1, "what was thrown away under its own name stays there"


def told(folder: Path, **ids: str) -> None:
    """Let the file of an export say which documents the files of a folder are."""
    lines = [sidecar.line(sidecar.Exported(f"{name}.md", each, Memory())) for name, each in ids.items()]
    (folder / sidecar.NAME).write_bytes(b"".join(lines))


def test_no_two_files_are_the_document_that_an_export_names(store: StorageEngine, tmp_path: Path) -> None:
    notes, other = write(tmp_path / "notes", a="# A\n", b="# B\n"), "00000000-0000-8000-8000-000000000001"
    told(notes, a=other, b=other)
    assert bring(store, notes).created == 2
    assert (paths(store)["a.md"], contents(store)) == (other, {"a.md": "# A\n", "b.md": "# B\n"})
    digest = store.digest()
    assert (bring(store, notes).unchanged, store.digest()) == (2, digest)


def test_the_old_name_of_an_exported_file_that_was_renamed_is_free_for_another(
    store: StorageEngine, tmp_path: Path
) -> None:
    notes, other = write(tmp_path / "notes", old=LONG), "00000000-0000-8000-8000-000000000001"
    told(notes, old=other)
    bring(store, notes)
    (notes / "old.md").rename(notes / "new.md")
    bring(store, notes)
    write(notes, copy=LONG, old="# Another\n")
    assert [bring(store, notes / f"{name}.md").created for name in ("old", "copy")] == [1, 1]
    assert bring(store, notes).unchanged == 3
    assert (paths(store)["new.md"], contents(store)["old.md"], len(paths(store))) == (other, "# Another\n", 3)
    digest = store.digest()
    assert (bring(store, notes).unchanged, store.digest()) == (3, digest)
