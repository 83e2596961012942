"""Schedules that broke earlier drafts: texts that start, are edited, replaced and shared between processes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edda_sync as edda
from edda_sync.crdt.text import wordbreak
from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, sync
from edda_sync.words.errors import InvalidValueError, NotFoundError

Engines = tuple[StorageEngine, StorageEngine]
NOTE = "0192f0c1-0000-7000-8000-00000000beef"


class Clock:
    """The wall clock of the next writer, in seconds after a moment."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return 1_800_000_000 + self.s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(params=["memory", "sqlite"])
def two(request: pytest.FixtureRequest, clock: Clock) -> Iterator[Engines]:
    with devices(2, backend=request.param, now=clock) as (laptop, phone):
        yield laptop, phone


def content(engine: StorageEngine, note: str = NOTE) -> str | None:
    document = engine.get_document(note)
    assert document is not None
    return document.content


def both(engines: Engines) -> str | None:
    """Sync, and return what the note reads on both devices."""
    laptop, phone = engines
    sync(laptop, phone)
    assert laptop.table("documents") == phone.table("documents")
    assert laptop.conflicts() == phone.conflicts()
    assert laptop.digest() == phone.digest()
    for engine in engines:
        read = content(engine)
        engine.rebuild()
        assert content(engine) == read
    return content(laptop)


def shared_note(engines: Engines, words: str | None) -> None:
    engines[0].create_document(edda.Document(id=NOTE, title="Note", content=words))
    sync(*engines)


# --- 7 and 8: starts --------------------------------------------------------------------------------------------------


def test_counterexample_7_of_two_first_texts_one_is_shown_and_the_other_kept_with_its_edits(
    two: Engines, clock: Clock
) -> None:
    laptop, phone = two
    laptop.create_document(edda.Document(id=NOTE, title="Note", content="hello world"))
    laptop.edit_text(NOTE, "content", [(0, 5, "goodbye")])
    clock.s += 1
    phone.create_document(edda.Document(id=NOTE, title="Note", content="HELLO"))
    phone.edit_text(NOTE, "content", [(5, 0, "!")])
    assert both(two) == "HELLO!"
    (conflict,) = laptop.conflicts()
    assert (conflict.field, conflict.shown.value) == ("content", "HELLO!")
    assert [kept.value for kept in conflict.kept] == ["goodbye world"]
    laptop.edit_text(NOTE, "content", [(6, 0, "!")])
    assert both(two) == "HELLO!!"


def test_counterexample_7_the_same_first_text_on_two_devices_is_one_text_with_the_edits_of_both(
    two: Engines, clock: Clock
) -> None:
    laptop, phone = two
    laptop.create_document(edda.Document(id=NOTE, title="Note", content="hello world"))
    laptop.edit_text(NOTE, "content", [(5, 0, ",")])
    clock.s += 1
    phone.create_document(edda.Document(id=NOTE, title="Note", content="hello world"))
    phone.edit_text(NOTE, "content", [(11, 0, "!")])
    assert both(two) == "hello, world!"
    assert laptop.conflicts() == []


def test_counterexample_7_an_edit_shows_even_if_the_other_device_wrote_the_same_start_later(
    two: Engines, clock: Clock
) -> None:
    """The later stamp belongs to a bare start, and the edit belongs to the text with that start: they are one text."""
    laptop, phone = two
    laptop.create_document(edda.Document(id=NOTE, title="Note", content="hello world"))
    laptop.edit_text(NOTE, "content", [(5, 0, ",")])
    clock.s += 60
    phone.create_document(edda.Document(id=NOTE, title="Note", content="hello world"))
    assert both(two) == "hello, world"
    assert laptop.conflicts() == []
    phone.edit_text(NOTE, "content", [(12, 0, "!")])
    assert both(two) == "hello, world!"


def test_counterexample_8_an_empty_field_filled_on_both_sides_with_the_same_words_reads_them_once(two: Engines) -> None:
    shared_note(two, None)
    for engine in two:
        engine.update_document(edda.Document(id=NOTE, content="the same words"))
    assert both(two) == "the same words"
    assert two[0].conflicts() == []


def test_words_written_again_after_they_were_edited_and_cleared_read_as_they_were_written(two: Engines) -> None:
    """The text of that start exists, with its edits: those must not come back with the words."""
    laptop, phone = two
    shared_note(two, "the end")
    laptop.edit_text(NOTE, "content", [(0, 4, "")])
    laptop.update_document(edda.Document(id=NOTE, content=None))
    sync(*two)
    laptop.update_document(edda.Document(id=NOTE, content="the end"))
    assert both(two) == "the end"
    phone.edit_text(NOTE, "content", [(7, 0, ".")])
    laptop.edit_text(NOTE, "content", [(0, 3, "THE")])
    assert both(two) == "THE end."


def test_a_text_cleared_here_and_edited_there_keeps_the_edit_beside_it(two: Engines, clock: Clock) -> None:
    laptop, phone = two
    shared_note(two, "draft")
    phone.edit_text(NOTE, "content", [(5, 0, " two")])
    clock.s += 1
    laptop.update_document(edda.Document(id=NOTE, content=None))
    assert both(two) is None
    (conflict,) = phone.conflicts()
    assert [kept.value for kept in conflict.kept] == ["draft two"]


# --- 9: what fails leaves nothing -------------------------------------------------------------------------------------


def test_counterexample_9_an_exception_inside_a_text_edit_leaves_no_phantom(two: Engines) -> None:
    laptop, _ = two
    shared_note(two, "base")
    with pytest.raises(InvalidValueError):
        laptop.edit_text(NOTE, "content", [(4, 0, " phantom"), (99, 0, "outside")])

    def interrupted() -> None:
        with laptop.begin_transaction() as tx:
            tx.edit_text(NOTE, "content", [(4, 0, " phantom")])
            raise RuntimeError("somebody pulled the plug")

    with pytest.raises(RuntimeError, match="somebody pulled the plug"):
        interrupted()
    laptop.edit_text(NOTE, "content", [(0, 0, "real ")])
    assert both(two) == "real base"


def test_counterexample_9_a_transaction_that_fails_after_its_text_was_edited_leaves_no_phantom(two: Engines) -> None:
    """The edit is made in memory before the last operation of the change is refused."""
    laptop, _ = two
    shared_note(two, "base")
    laptop.edit_text(NOTE, "content", [(0, 0, "")])  # the document is in memory
    tx = laptop.begin_transaction()
    tx.edit_text(NOTE, "content", [(4, 0, " phantom")])
    tx.delete_task("0192f0c1-0000-7000-8000-00000000dead")
    with pytest.raises(NotFoundError):
        tx.commit()
    assert tx.state is edda.TransactionState.ABORTED
    assert content(laptop) == "base"
    laptop.edit_text(NOTE, "content", [(0, 0, "real ")])
    assert both(two) == "real base"


# --- 10: two processes ------------------------------------------------------------------------------------------------

COMMAND = """
import sys
import edda_sync as edda
home, state, note = sys.argv[1:]
from pathlib import Path
with edda.open(home, edda.StorageConfig(state_path=Path(state))) as store:
    print("held", store.get_document(note).content, flush=True)
    store.edit_text(note, "content", [(0, 0, "+")])  # its text is in memory from here on
    for line in sys.stdin:
        text = store.get_document(note).content
        store.edit_text(note, "content", [(len(text), 0, line.strip())])
        print("done", flush=True)
"""


def test_counterexample_10_two_processes_that_hold_one_document_in_memory_both_write_into_it() -> None:
    with devices(2) as (device, phone):
        shared_note((device, phone), "start")
        device.edit_text(NOTE, "content", [(5, 0, ":")])
        assert device.config.state_path is not None
        with subprocess.Popen(
            [sys.executable, "-c", COMMAND, str(device.home), str(device.config.state_path), NOTE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as command:
            assert command.stdin is not None
            assert command.stdout is not None

            def command_writes(words: str) -> None:
                assert command.stdin is not None
                assert command.stdout is not None
                command.stdin.write(words + "\n")
                command.stdin.flush()
                assert command.stdout.readline() == "done\n"

            assert command.stdout.readline() == "held start:\n"
            command_writes("-cli")
            device.edit_text(NOTE, "content", [(len(content(device) or ""), 0, "-up")])
            command_writes("-cli2")
            device.edit_text(NOTE, "content", [(0, 1, "")])
            command.stdin.close()
            assert command.wait(60) == 0
        assert both((device, phone)) == "start:-cli-up-cli2"
        assert len(device.frontier()) == 1, "both processes write under the one actor of their store"


# --- 11: long runs of what is gone ------------------------------------------------------------------------------------


def test_counterexample_11_text_inserted_and_deleted_in_one_transaction_passes_on_the_peer(two: Engines) -> None:
    """The update's run of deleted items is longer than its bytes: honest, and no bomb."""
    laptop, phone = two
    shared_note(two, "ab")
    with laptop.begin_transaction() as tx:
        tx.edit_text(NOTE, "content", [(1, 0, "x" * 100_000), (1, 100_000, ""), (1, 0, "!")])
    assert both(two) == "a!b"
    assert phone.waiting() == 0


# --- one value, replaced on both sides --------------------------------------------------------------------------------

Row = tuple[str, str, str]


def merge_all(engines: Engines, rows: Sequence[Row]) -> list[str]:
    """Make a document from each base, rewrite it on both sides, and return the texts after a sync."""
    laptop, phone = engines
    notes = [laptop.create_document(edda.Document(title="Note", content=base)) for base, _, _ in rows]
    sync(laptop, phone)
    for note, (_, one, other) in zip(notes, rows, strict=True):
        laptop.update_document(edda.Document(id=note, content=one))
        phone.update_document(edda.Document(id=note, content=other))
    sync(laptop, phone)
    assert laptop.digest() == phone.digest()
    merged = [content(laptop, note) or "" for note in notes]
    assert merged == [content(phone, note) or "" for note in notes]
    return merged


def written(*values: str) -> Row:
    """Return a sentence with a value, and the sentences with the values of two people."""
    base, one, other = (f"Say {value} now.\n" for value in values)
    return base, one, other


@pytest.mark.parametrize(
    ("base", "one", "other", "before", "values", "after"),
    [
        ("Budget: 1000 EUR", "Budget: 1500 EUR", "Budget: 2000 EUR", "Budget: ", ("1500", "2000"), " EUR"),
        ("The dose is 10 mg.", "The dose is 15 mg.", "The dose is 20 mg.", "The dose is ", ("15", "20"), " mg."),
        ("price = 99", "price = 89", "price = 95", "price = ", ("89", "95"), ""),
        ("We meet at nine.", "We meet at noon.", "We meet at ten.", "We meet at ", ("noon", "ten"), "."),
        ("Call Anna on Monday", "Call Anna on Tuesday", "Call Anna on Friday", "Call Anna on ", ("Tuesday", "Friday"), ""),
        ("status: draft", "status: final", "status: review", "status: ", ("final", "review"), ""),
    ],
)  # fmt: skip
def test_two_people_who_replace_one_value_get_both_side_by_side(
    two: Engines, base: str, one: str, other: str, before: str, values: tuple[str, str], after: str
) -> None:
    (merged,) = merge_all(two, [(base, one, other)])
    assert merged in {f"{before}{values[0]} {values[1]}{after}", f"{before}{values[1]} {values[0]}{after}"}


VALUES = [
    ("-3.5", "-4.5", "3.5"), ("1,000.00", "1,500.00", "2,000.00"), ("10:30", "10:45", "11:30"),
    ("3,5", "3,6", "4,5"), ("2026-01-05", "2026-02-05", "2026-01-06"),
    ("05/01/2026", "06/01/2026", "05/02/2026"), ("50%", "60%", "70%"), ("50", "50%", "60"),
    ("€50", "€60", "$50"), ("50€", "60€", "50$"), ("foo_bar", "foo_baz", "fox_bar"),
    ("fooBar", "fooBaz", "foxBar"), ("v1.2.3", "v1.3.3", "v1.2.4"),
    ("192.168.0.1", "192.168.0.2", "192.168.1.1"),
    ("https://a.org/x?a=1&b=2", "https://a.org/x?a=2&b=2", "https://a.org/x?a=1&b=3"),
    ("me@a.org", "me@b.org", "we@a.org"), ("don't", "can't", "won't"),
    ("well-known", "well-worn", "best-known"), ("ten", "tent", "often"), ("nine", "", "ten"),
    ("👩‍👩‍👧", "👩‍👩‍👦", "👨‍👩‍👧"), ("👍🏽", "👍🏿", "👎🏽"), ("🇩🇪", "🇩🇰", "🇫🇷"), ("1️⃣", "2️⃣", "3️⃣"),
    ("cafe\u0301", "cafe\u0302", "café"), ("월요일에", "화요일에", "금요일에"),
    ("الاثنين", "الثلاثاء", "الجمعة"), ("שני", "שלישי", "רביעי"),
    ("सोमवार", "मंगलवार", "शुक्रवार"), ("понедельник", "вторник", "среда"),
    ("Δευτέρα", "Τρίτη", "Τετάρτη"), ("two words", "2 items", "II signs"),
]  # fmt: skip


def test_two_people_who_replace_one_value_of_any_form_get_both_side_by_side(two: Engines) -> None:
    merged = merge_all(two, [written(*values) for values in VALUES])
    for read, (_, *values) in zip(merged, VALUES, strict=True):
        one, other = (value for value in values)
        both = {f"Say {one} {other} now.\n", f"Say {other} {one} now.\n"} if one else {f"Say {other} now.\n"}
        assert read in both


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (("(10)", "(15)", "(20)"), {"(15(20)", "(20(15)"}),
        (('"draft"', '"final"', '"review"'), {'"final"review"', '"review"final"'}),
        (("a=10;", "a=15;", "a=20;"), {"a=15=20;", "a=20=15;"}),
        (("f(1, 2)", "f(3, 2)", "f(1, 4)"), {"f(3, 4)"}),
        (("a=", "a=1", "a=2"), {"a=1=2", "a=2=1"}),
        (("Buy ", "Buy milk", "Buy eggs"), {"Buy milk eggs", "Buy eggs milk"}),
        (("Buy milk", "Buy oat milk", "Buy soy milk"), {"Buy oat soy milk", "Buy soy oat milk"}),
        (("Buy milk", "Buy milk.", "Buy oats"), {"Buy oats.", "Buy. oats"}),
        (("10 apples\n", "15 apples\n", "20 apples\n"), {"15 20 apples\n", "20 15 apples\n"}),
        (("one\r\ntwo\r\n", "one\r\n2\r\n", "one\r\nII\r\n"), {"one\r\n2\r\nII\r\n", "one\r\nII\r\n2\r\n"}),
        (("- a\n", "- a\n- b\n", "- a\n- c\n"), {"- a\n- b\n- c\n", "- a\n- c\n- b\n"}),
        (("a b\nc d\n", "a b\nnew\nc d\n", "a b\nC d\n"), {"a b\nnew\nC d\n"}),
        (("a b\nc d\n", "a b x\nc d\n", "a b\nC d\n"), {"a b x\nC d\n"}),
        (("東京で10時に", "東京で11時に", "東京で12時に"), {"東京で11で12時に", "東京で12で11時に"}),
        (("会議は火曜日", "会議は水曜日", "会議は金曜日"), {"会議は水金曜日", "会議は金水曜日"}),
        (("กินข้าวที่บ้าน", "กินน้ำที่บ้าน", "กินข้าวที่วัด"), {"กินน้ำที่วัด"}),
    ],
)
def test_values_without_spaces_are_split_at_signs_and_scripts_without_words_at_whole_characters(
    two: Engines, row: Row, expected: set[str]
) -> None:
    assert set(merge_all(two, [row])) <= expected


def words_of(text: str) -> set[str]:
    found = wordbreak.breaks(text, 0, reach=len(text) + 1)
    tokens = {text[start:end] for start, end in pairwise(found)}
    return {token for token in tokens if wordbreak.has_word(token)}


words = st.sampled_from(
    ["one", "10", "-3.5", "1,000", "50%", "10:30", "don't", "a/b", "(x)", '"y"', "nine.", "so,", "한국", "🙂"]
)


@st.composite
def replacements(draw: st.DrawFn) -> Row:
    """Lines of words, and what two people write in place of the same one to three words, which do not begin a line."""
    before, after = (
        draw(st.sampled_from(["a", "a b", "x\n- a", "k:"])),
        draw(st.sampled_from(["", ".", " z", "\nz", ", z\n"])),
    )
    versions = [draw(st.lists(words, min_size=1, max_size=3)) for _ in range(3)]
    base, one, other = (f"{before} {' '.join(version)}{after}" for version in versions)
    return base, one, other


@given(st.lists(replacements(), min_size=1, max_size=30))
@settings(max_examples=15, deadline=None)
def test_two_people_who_replace_the_same_words_make_no_word_that_nobody_wrote(rows: list[Row]) -> None:
    with devices(2, backend="memory") as (laptop, phone):
        for read, (base, one, other) in zip(merge_all((laptop, phone), rows), rows, strict=True):
            assert words_of(read) <= words_of(base) | words_of(one) | words_of(other)
            assert words_of(read) >= (words_of(one) | words_of(other)) - words_of(base)
