from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from edda_sync import imports
from edda_sync.engine.engine import StorageEngine
from edda_sync.imports import markdown
from edda_sync.testing import devices, sync
from edda_sync.words.query import DocumentQuery
from tests.imports.sources import PAGES, needs_data


def test_a_folder_becomes_documents_known_by_their_paths(store: StorageEngine, tmp_path: Path) -> None:
    raws = {
        "a.md": b"# A\n",
        "sub/b.md": b"\xef\xbb\xbfno heading\r\n\0",
        "sub/deep/c.MD": "# Ü\n".encode(),
        "not.txt": b"x",
    }
    for name, raw in raws.items():
        path = tmp_path / "notes" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(raw)
    (tmp_path / "notes" / "loop").symlink_to(tmp_path / "notes")
    read = markdown.read(tmp_path / "notes")
    assert not read.refused
    imports.merge_into(store, read.source(store))
    found = {document.metadata["markdown.path"]: document for document in store.query_documents(DocumentQuery())}
    assert found.keys() == {"a.md", "sub/b.md", "sub/deep/c.MD"}
    for name, document in found.items():
        assert document.id == markdown.document_id(name, "notes")
        assert (document.content or "").encode() == raws[name]
    assert [found[name].title for name in sorted(found)] == ["A", "b", "Ü"]


def test_a_changed_file_replaces_what_nobody_edited_and_merges_with_what_somebody_did(
    store: StorageEngine, tmp_path: Path
) -> None:
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("# Old\n")
    imports.merge_into(store, markdown.read(tmp_path).source(store))
    store.edit_text(markdown.document_id("b.md", tmp_path.name), "content", [(0, 0, "mine ")])
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text("# New\n")
    report = imports.merge_into(store, markdown.read(tmp_path).source(store))
    assert (report.edited, report.merged) == ([], [("b.md", "content")])
    contents = [
        getattr(store.get_document(markdown.document_id(name, tmp_path.name)), "content", None)
        for name in ("a.md", "b.md")
    ]
    assert contents == ["# New\n", "mine # New\n"]


def test_a_changed_file_imported_on_two_devices_is_not_doubled(tmp_path: Path) -> None:
    with devices(2) as (laptop, phone):
        for text in ("one two three", "one 2 three four"):
            (tmp_path / "a.md").write_text(text)
            for each in (laptop, phone):
                imports.merge_into(each, markdown.read(tmp_path).source(each))
            sync(laptop, phone)
            assert laptop.conflicts() == []
            (document,) = phone.query_documents(DocumentQuery())
            assert document.content == text


def test_a_name_with_differently_composed_accents_is_the_same_file(tmp_path: Path) -> None:
    for folder, form in (("mac/in", "NFD"), ("linux/in", "NFC")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / unicodedata.normalize(form, "é.md")).write_text("x")  # type: ignore[arg-type]
    (mac,), (linux,) = markdown.read(tmp_path / "mac" / "in").items, markdown.read(tmp_path / "linux" / "in").items
    assert mac.item == linux.item
    (tmp_path / "linux" / "in" / "e\u0301.md").write_text("y")
    read = markdown.read(tmp_path / "linux" / "in")
    assert (len(read.items), len(read.refused)) == (1, 1)


def test_files_that_no_document_can_hold_are_refused_and_the_others_are_imported(tmp_path: Path) -> None:
    (tmp_path / "good.md").write_text("x")
    (tmp_path / "latin.md").write_bytes(b"caf\xe9")
    (tmp_path / "long.md").write_bytes(b"x" * (16 * 2**20 + 1))
    (tmp_path / "folder.md").mkdir()
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere")
    with open(bytes(tmp_path) + b"/caf\xe9.md", "wb") as file:
        file.write(b"x")
    read = markdown.read(tmp_path)
    assert [each.name for each in read.items] == ["good.md"]
    assert len(read.refused) == 4
    said = " ".join(f"{each.name} {each.why}" for each in read.refused)
    assert "not UTF-8" in said
    assert "16,777,216" in said
    assert said.isascii()


def test_one_file_is_known_by_its_name_and_a_prefix_keeps_folders_apart(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("x")
    (only,) = markdown.read(tmp_path / "a.md").items
    (same,) = markdown.read(tmp_path).items
    (other,) = markdown.read(tmp_path, under="/second/").items
    assert only.item.id == same.item.id == markdown.document_id("a.md", tmp_path.name)
    assert other.item.id == markdown.document_id("second/a.md", tmp_path.name)
    with pytest.raises(FileNotFoundError):
        markdown.read(tmp_path / "nowhere")


@needs_data
@pytest.mark.shared
def test_the_real_pages_come_back_byte_for_byte(store: StorageEngine) -> None:
    read = markdown.read(PAGES)
    assert not read.refused
    imports.merge_into(store, read.source(store))
    for document in store.query_documents(DocumentQuery()):
        assert (document.content or "").encode() == (PAGES / document.metadata["markdown.path"]).read_bytes()
    assert len(read.items) == len(list(PAGES.rglob("*.md")))
    digest = store.digest()
    assert imports.merge_into(store, read.source(store)).unchanged == len(read.items)
    assert store.digest() == digest


def test_a_link_that_leads_out_of_the_folder_is_refused_and_named(store: StorageEngine, tmp_path: Path) -> None:
    notes, secrets = tmp_path / "notes", tmp_path / "secrets"
    (notes / "sub").mkdir(parents=True)
    secrets.mkdir()
    (secrets / "key.md").write_text("secret")
    (notes / "sub" / "own.md").write_text("# Own\n")
    (notes / "inside.md").symlink_to(Path("sub") / "own.md")
    (notes / "out.md").symlink_to(secrets / "key.md")
    (notes / "sub" / "up.md").symlink_to(Path("..") / ".." / "secrets" / "key.md")
    (notes / "by-folder.md").symlink_to(Path("door") / "key.md")
    (notes / "door").symlink_to(secrets)
    (tmp_path / "alias").symlink_to(notes)
    for folder in (notes, tmp_path / "alias"):
        read = markdown.read(folder)
        assert [(each.name, each.why) for each in read.refused] == [
            (name, "the file: is a link that leads out of the folder; put the file itself there")
            for name in ("'by-folder.md'", "'out.md'", "'sub/up.md'")
        ]
        assert [(each.name, each.why) for each in read.left_out] == [
            ("'inside.md'", "leads to 'sub/own.md', which is imported itself")
        ]
        imports.merge_into(store, read.source(store))
    assert [each.content for each in store.query_documents(DocumentQuery())] == ["# Own\n"]


def test_a_link_to_what_is_not_imported_itself_is_a_document_and_one_to_nothing_is_named(tmp_path: Path) -> None:
    (tmp_path / ".kept").mkdir()
    (tmp_path / ".kept" / "a.md").write_text("# A\n")
    (tmp_path / "a.md").symlink_to(Path(".kept") / "a.md")
    (tmp_path / "gone.md").symlink_to("nowhere.md")
    read = markdown.read(tmp_path)
    assert [each.name for each in read.items] == ["a.md"]
    assert [(each.name, each.why) for each in read.refused] == [
        ("'gone.md'", "the file: is a link that leads to nothing")
    ]


def test_a_single_file_that_is_a_link_is_what_the_person_named(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text("# A\n")
    (tmp_path / "link.md").symlink_to("a.md")
    (item,) = markdown.read(tmp_path / "link.md").items
    assert item.item.title == "A"


def test_hidden_folders_and_machinery_are_left_out_and_named_unless_they_are_wanted(tmp_path: Path) -> None:
    for name in (
        "a.md",
        ".trash/b.md",
        ".obsidian/plugins/x/README.md",
        "node_modules/y/README.md",
        "c.markdown",
        "d.txt",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "._a.md").write_bytes(b"\0\5\x16\7 of another system")
    read = markdown.read(tmp_path)
    assert [each.name for each in read.items] == ["a.md", "c.markdown"]
    assert {each.name for each in read.left_out} == {"'._a.md'", "'.obsidian'", "'.trash'", "'d.txt'", "'node_modules'"}
    assert len(markdown.read(tmp_path, hidden=True).items) == 6


def test_title_tags_and_times_come_from_the_front_matter_and_the_text_stays(
    store: StorageEngine, tmp_path: Path
) -> None:
    text = "---\ntitle: Real\ntags: [home]\ncreated: 2026-01-02\nmodified: 2026-02-02\n---\n# Other\n"
    (tmp_path / "a.md").write_text(text)
    imports.merge_into(store, markdown.read(tmp_path).source(store))
    (document,) = store.query_documents(DocumentQuery())
    assert (document.title, document.tags, document.content) == ("Real", {"home"}, text)
    assert document.created_at == "2026-01-02T00:00:00.000Z"
    (tmp_path / "a.md").write_text(text.replace("2026-02-02", "2026-02-01").replace("Real", "Older"))
    assert imports.merge_into(store, markdown.read(tmp_path).source(store)).older == 1
