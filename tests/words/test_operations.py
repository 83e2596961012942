from __future__ import annotations

from typing import get_args

from edda_sync.words.operations import TransactionOperation


def test_there_are_the_six_operations_of_the_specification() -> None:
    assert [each.__name__ for each in get_args(TransactionOperation)] == [
        "CreateTask", "UpdateTask", "DeleteTask", "CreateDocument", "UpdateDocument", "DeleteDocument",
    ]  # fmt: skip
