from __future__ import annotations

from edda_sync.imports.memory import PLACES_MAX, Memory, hash_of, key_of
from edda_sync.words.model import Document


def test_what_is_remembered_is_read_as_it_was_written() -> None:
    memory = Memory({"title": hash_of("a")}, "=text", "2026-03-01T00:00:00.000Z", ("p",), "notes", "token")
    assert Memory.read(memory.written()) == memory
    assert Memory.read(Memory().written()) == Memory()
    item = Document(id="x", metadata={key_of("markdown"): memory.written()})
    assert (Memory.in_item(item, "markdown"), Memory.in_item(item, "beads")) == (memory, None)


def test_what_an_older_version_or_somebody_else_wrote_is_read_as_far_as_it_goes() -> None:
    assert Memory.read({"title": "ab12"}) == Memory({"title": "ab12"})
    assert Memory.read({"title": 5, ":places": "x", ":at": None, ":later": "y"}) == Memory()
    assert Memory.read("x") is Memory.read(None) is None


def test_a_memory_has_the_hash_of_each_cell_and_the_last_few_places() -> None:
    memory = Memory.of({"title": "a", "parent_id": b"\1", "content": "text"})
    assert memory.hashes.keys() == {"title", "parent_id", "content"}
    assert memory.text == "=text"
    many = memory.from_place(map(str, range(20)))
    assert (len(many.places), many.from_place(["9", "19"]).places[:3]) == (PLACES_MAX, ("9", "19", "0"))
