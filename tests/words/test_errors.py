from __future__ import annotations

import inspect
import re
from typing import Any

import pytest

from edda_sync.words import errors
from edda_sync.words.errors import EddaError

ID = "0192f0c1-79b0-7cc3-98c4-dc0c0c07398f"
MADE: list[EddaError] = [
    errors.InvalidValueError("title", "is empty; 1 to 500 are possible", ""),
    errors.BugError(ZeroDivisionError("division by zero")),
    errors.NotFoundError("task", ID),
    errors.NotFoundError("document", "x\ny" * 100),
    errors.NotFoundError("change", "5:7"),
    errors.InTrashError("task", ID),
    errors.NotLinkedError(ID, ID),
    errors.AmbiguousIdError("07398f", [ID, ID, ID, ID, ID]),
    errors.ConflictError([(ID, "title"), (ID, "status")]),
    errors.LimitError("the text", 20_000_000, 16_777_216),
    errors.UsageError("This store is closed; open it again."),
    errors.NotAStoreError("/home/a/notes"),
    errors.NewerStoreError("/home/a/notes", 7, 1),
    errors.LostStoreError("/home/a/notes/edda.db", ["identity.json", "identity.key"]),
    errors.LostStoreError("/home/a/notes/edda.db", ["edda.db", "edda.db-wal"]),
    errors.LostStoreError("/home/a/notes/edda.db", []),
    errors.LostStoreError("/home/a/notes/edda.db", ["edda.db", "identity.json", "identity.key"], overwritten=True),
    errors.ReplacedStoreError("/home/a/notes/edda.db"),
    errors.LostIdentityError("/home/a/notes"),
    errors.LinkError("/home/a/notes/edda.db"),
    errors.NotPrivateError("/home/a/notes/edda.db"),
    errors.ReadOnlyError("/home/a/notes"),
    errors.DiskFullError("/home/a/notes"),
    errors.DiskFaultError("/home/a/notes", "disk I/O error"),
    errors.BusyError("/home/a/notes"),
    errors.CorruptError("The state of a task"),
    errors.DamagedStoreError("/home/a/notes/edda.db"),
    errors.DamagedStoreError("/home/a/notes/edda.db", "The state of a task"),
    errors.RemoteProtocolError("a frame of 5 bytes", "7abcc6c5yq2b6ai4"),
    errors.RemoteProtocolError("a frame of 5 bytes"),
    errors.RemoteMismatchError("it speaks version 2", "7abcc6c5yq2b6ai4"),
    errors.RemoteFaultError("The disk that holds /a/edda.db is full", "upv53fgohycoabcdefgh"),
    errors.RefusedTextError("a clock with a gap"),
    errors.NotReachableError("192.0.2.7:4711"),
    errors.NotReachableError("192.0.2.7:4711", "connection refused"),
    errors.LinkClosedError("7abcc6c5yq2b6ai4"),
    errors.LinkClosedError("7abcc6c5yq2b6ai4", "it went to sleep"),
    errors.NotAMemberError("7abcc6c5yq2b6ai4"),
    errors.PairingError("the code is not the one that was shown"),
    errors.PairingError("nobody on this network invites with that code", nobody_asked=True),
]
BASES = {errors.EddaError, errors.LocalError, errors.StorageError, errors.RemoteError}


def classes() -> list[type[EddaError]]:
    found = [each for _, each in inspect.getmembers(errors, inspect.isclass) if issubclass(each, EddaError)]
    return [each for each in found if each.__module__ == errors.__name__]


def drawn() -> dict[str, tuple[str | None, set[str]]]:
    """The tree in the module's docstring: each class with its parent and, from the end of its line, its fields."""
    tree: dict[str, tuple[str | None, set[str]]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"^    ([│ ]*)(?:[├└]── )?(\w*Error)\b(.*)$", line):
            indent, name, rest = found.groups()
            depth = len(indent) // 4 + ("──" in line)
            path[depth:] = [name]
            listed = re.search(r"\((\w+(?:, \w+)*)\)$", rest)
            fields = set(listed.group(1).split(", ")) if listed else set()
            tree[name] = (path[depth - 1] if depth else None, fields)
    return tree


def test_every_error_is_in_the_test_below() -> None:
    assert {type(error) for error in MADE} == set(classes()) - BASES


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_is_one_sentence_for_a_person(error: EddaError) -> None:
    text = str(error)
    assert text.isprintable()  # so no line break either
    assert len(text) < 300
    assert len(re.findall(r"[.?](?= |$)", text)) == (
        2 if isinstance(error, errors.PairingError | errors.BugError) else 1
    )
    assert text[-1] in ".?"


def test_the_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    tree = drawn()
    assert set(tree) == {each.__name__ for each in classes()}
    for each in classes():
        parent, _ = tree[each.__name__]
        assert parent == (None if each is EddaError else each.__mro__[1].__name__)


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_carries_the_fields_that_the_tree_lists(error: EddaError) -> None:
    _, fields = drawn()[type(error).__name__]
    assert all(hasattr(error, field) for field in fields)


def test_whose_fault_it_is_shows_in_the_exit_code() -> None:
    codes = {type(error).__name__: error.exit_code for error in MADE}
    assert codes["InvalidValueError"] == codes["LimitError"] == codes["UsageError"] == 2
    assert codes["NotFoundError"] == codes["InTrashError"] == 3
    assert codes["ConflictError"] == 1
    assert {error.exit_code for error in MADE if not isinstance(error, errors.LocalError)} == {1}


def test_fields_are_those_that_were_given() -> None:
    conflict = errors.ConflictError([(ID, "title"), (ID, "status")])
    assert conflict.cells == [(ID, "title"), (ID, "status")]
    assert "title" in str(conflict)
    newer = errors.NewerStoreError("/home/a/notes", 7, 1)
    assert (newer.path, newer.found, newer.known) == ("/home/a/notes", 7, 1)
    limit = errors.LimitError("the text", 20_000_000, 16_777_216)
    assert "20,000,000" in str(limit)
    trash = errors.InTrashError("task", ID)
    assert (trash.kind, trash.reference) == ("task", ID)
    assert f"edda task restore {ID}" in str(trash)


@pytest.mark.parametrize(
    ("text", "quoted"),
    [("abc", "'abc'"), ("a\nb\x1b[31m", "'a\\nb\\x1b[31m'"), ("a" * 100, "'" + "a" * 59 + "…'")],
)
def test_what_a_person_typed_is_quoted_short_and_without_control_characters(text: str, quoted: str) -> None:
    assert errors.shown(text) == quoted


def test_a_kind_is_listed_by_the_command_of_its_group() -> None:
    assert [errors.command_of(kind) for kind in ("task", "document", "tag", "device")] == [
        "task",
        "doc",
        "tag",
        "devices",
    ]


@pytest.mark.parametrize("error", MADE, ids=lambda error: type(error).__name__)
def test_an_error_can_be_raised_and_caught_as_one_of_ours(error: Any) -> None:
    with pytest.raises(EddaError) as caught:
        raise error
    assert caught.value is error


def test_a_reason_that_is_a_sentence_of_its_own_ends_ours_once() -> None:
    for error in (
        errors.InvalidValueError("title", "is empty."),
        errors.RemoteMismatchError("it ended the talk: it is full."),
        errors.PairingError("it hung up."),
    ):
        assert ".." not in str(error)
    assert "(it is gone);" in str(errors.NotReachableError("192.0.2.7:4711", "it is gone."))


def test_an_error_of_a_peer_is_told_with_the_name_that_people_call_it() -> None:
    error = errors.RemoteFaultError("The disk that holds /a/edda.db is full; nothing was written.", "upv53fgohyco" * 4)
    assert error.told("small") == (
        "The trouble is on the other device small: The disk that holds /a/edda.db is full; nothing was written."
    )
    assert errors.NotAMemberError("upv53fgohyco" * 4).told("small").startswith("small and this device")
    assert errors.RemoteMismatchError("it is old").told("small") == str(errors.RemoteMismatchError("it is old"))
