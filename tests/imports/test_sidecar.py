from __future__ import annotations

from pathlib import Path

from edda_sync.imports import markdown, sidecar
from edda_sync.imports.sidecar import Exported
from edda_sync.words import values

ID = values.uuid8("test", "1")


def test_what_an_export_wrote_is_read_and_named_by_a_mark_of_its_own(tmp_path: Path) -> None:
    each = markdown.exported("sub/é.md", ID, "v1", "# É\n")
    (tmp_path / sidecar.NAME).write_bytes(sidecar.line(each))
    (found,) = sidecar.read(tmp_path).values()
    assert (found.path, found.id, found.memory.hashes) == ("sub/é.md", ID, each.memory.hashes)
    (tmp_path / sidecar.NAME).write_bytes(sidecar.line(Exported(each.path, each.id, each.memory, "v2")))
    (later,) = sidecar.read(tmp_path).values()
    assert found.memory.export != later.memory.export, "another export of equal texts is another one"


def test_a_line_that_cannot_be_read_is_as_if_it_were_not_there(tmp_path: Path) -> None:
    good = sidecar.line(markdown.exported("a.md", ID, "v", "x"))
    bad = [b"<<<<<<< HEAD\n", b"{}\n", b"[]\n", b'{"path": "b.md", "id": "x", "exported": {}}\n', b"\xff\n", good]
    (tmp_path / sidecar.NAME).write_bytes(b"".join(bad))
    assert sidecar.read(tmp_path).keys() == {"a.md"}


def test_the_export_of_a_folder_is_found_from_inside_of_it(tmp_path: Path) -> None:
    (tmp_path / "out" / "sub").mkdir(parents=True)
    (tmp_path / "out" / sidecar.NAME).write_bytes(b"")
    assert sidecar.above(tmp_path / "out" / "sub") == tmp_path / "out"
    assert sidecar.above(tmp_path) is None
