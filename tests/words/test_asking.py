from __future__ import annotations

from edda_sync.words import asking


def test_who_asks_is_set_once_and_can_be_taken_back() -> None:
    asking.ask_with(None)
    assert asking.asker() is None
    asking.ask_with(lambda prompt, _new: f"{prompt}!")
    ask = asking.asker()
    assert ask is not None
    assert ask("a", False) == "a!"
    asking.ask_with(None)
    assert asking.asker() is None
