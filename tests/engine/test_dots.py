"""The names of changes: what people may type, and what is told when it means nothing."""

from __future__ import annotations

import pytest

import edda_sync as edda
from edda_sync.engine.dots import dot_of, dots_of, is_name, text_of
from edda_sync.testing import devices
from edda_sync.words.errors import InvalidValueError, NotFoundError


def test_a_change_is_named_by_the_beginning_of_its_life_and_its_number() -> None:
    with devices(1, backend="memory") as (laptop,):
        laptop.create_task(edda.Task(title="Milk"))
        ((actor, seq),) = laptop.frontier().items()
        with laptop.store.read() as reader:
            for typed in (text_of((actor, seq)), text_of((actor, seq), 8), f" {text_of((actor, seq), 4).upper()} "):
                assert dots_of(reader, typed) == [(actor, seq)]
            assert dots_of(reader, f"{actor.hex()[:6]}-1..{seq}") == [(actor, each) for each in range(1, seq + 1)]
            other = "0000" if not actor.hex().startswith("0000") else "1111"
            for missing in (f"{other}-1", text_of((actor, seq + 1)), text_of((actor, 0)), f"{actor.hex()}-2..1"):
                with pytest.raises(NotFoundError, match="edda history"):
                    dots_of(reader, missing)
            for wrong in ("", "12", "xyz-1", f"{actor.hex()}", f"{actor.hex()}-"):
                with pytest.raises(InvalidValueError, match="1f3a9c20-12"):
                    dots_of(reader, wrong)


def test_a_name_of_one_change_is_told_from_a_time_and_from_a_name_of_several() -> None:
    assert [is_name(each) for each in ("1f3a9c20-12", " 1F3A9C20B7-3 ", "1f3a9c20-1..2")] == [True] * 3
    assert [is_name(each) for each in ("2026-12", "2026-12-01", "2026-12-01 09:30", "friday", "")] == [False] * 5
    with devices(1, backend="memory") as (laptop,):
        laptop.create_task(edda.Task(title="Milk"))
        ((actor, seq),) = laptop.frontier().items()
        with laptop.store.read() as reader:
            assert dot_of(reader, text_of((actor, seq))) == (actor, seq)
            with pytest.raises(InvalidValueError, match="name one"):
                dot_of(reader, f"{actor.hex()}-1..{seq}")
