from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import edda_sync
from edda_sync.sync.messages import Goodbye
from edda_sync.transport.pairing.frames import SENTENCES as PAIRING
from edda_sync.words.reasons import SENTENCES, SHOWN_MAX, Reason, told_here, told_there

PRODUCT = Path(edda_sync.__path__[0])
ENDS = ("close", "end")  # the methods that end a link, a session, or what waits for a link
CONTROL_BYTES_MAX = 123  # RFC 6455: a control frame holds 125 bytes, two of them for the code
NETWORK = (PRODUCT.parent / "docs" / "network.md").read_text(encoding="utf-8")


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Every call in the parts of the product that end links and sessions."""
    for folder in ("transport", "device", "sync"):
        for path in sorted((PRODUCT / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield f"{path.name}:{node.lineno}", node


def named(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def reasons_of(tree: ast.AST) -> set[Reason]:
    return {
        Reason[node.attr]
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "Reason"
    }


def test_nothing_is_ended_for_a_reason_that_is_not_in_the_table() -> None:
    given = 0
    for place, call in calls():
        if named(call) in ENDS:
            words = [each for each in ast.walk(call) if isinstance(each, ast.Constant) and isinstance(each.value, str)]
            words = [each for each in words if each in [*call.args, *(keyword.value for keyword in call.keywords)]]
            assert not words, f"{place} says {words[0].value!r} in words of its own"
            given += bool(reasons_of(call))
    assert given >= 8, "the ends were found"


def test_every_reason_of_the_table_is_given_by_some_part() -> None:
    used = set[Reason]()
    for path in PRODUCT.rglob("*.py"):
        if path.name != "reasons.py":
            used |= reasons_of(ast.parse(path.read_text(encoding="utf-8")))
    assert used == set(Reason) == set(SENTENCES)


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_is_a_part_of_one_sentence_on_both_sides_and_fits_where_it_is_sent(reason: Reason) -> None:
    assert len(reason.value.encode()) <= CONTROL_BYTES_MAX
    for text in (told_here(reason), told_there(reason.value)):
        assert re.fullmatch(r"[a-z`][^.\n]*[^.\s]", text)
        assert text != reason.value, "it is said in words for a person"


@pytest.mark.parametrize("said", ["of a later version", "closing ", "\x1b]0;owned\x07", "x" * 10_000])
def test_what_is_not_in_the_table_is_quoted_short_and_without_control_characters(said: str) -> None:
    told = told_there(said)
    assert told.startswith("it gave a reason that this version does not know: '")
    assert told.endswith("; update edda here")
    assert told.isprintable()
    assert len(told) < SHOWN_MAX + 90


def test_the_page_on_networks_has_all_reasons_and_what_is_told_of_each() -> None:
    rows = [tuple(map(str.strip, line.strip("|").split("|"))) for line in NETWORK.splitlines() if line.startswith("| ")]
    assert {(reason.value or "(nothing)", *told) for reason, told in SENTENCES.items()} <= set(rows)
    assert set(PAIRING.items()) <= set(rows)


def test_a_goodbye_without_a_fault_has_a_reason_of_the_table() -> None:
    for _, call in calls():
        if named(call) == Goodbye.__name__ and isinstance(call.args[1], ast.Constant):
            assert call.args[1].value == "none"
            assert ast.unparse(call.args[0]) == "reason.value"
