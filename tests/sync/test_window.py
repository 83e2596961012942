from __future__ import annotations

from edda_sync.sync.window import Window
from edda_sync.words import limits

LEAST, MOST = 100, 1_000


def test_a_window_grows_by_what_is_answered_soon_up_to_its_most() -> None:
    window = Window(LEAST, MOST)
    window.answered(80, 0.01)
    assert window.size == LEAST + 80
    for _ in range(100):
        window.answered(80, 0.01)
    assert window.size == MOST


def test_a_window_shrinks_while_answers_come_late_down_to_its_least() -> None:
    window = Window(LEAST, MOST)
    for _ in range(100):
        window.answered(80, 0.01)
    window.answered(80, 0.01 + 2 * limits.FILE_WINDOW_S)
    assert window.size == MOST - 80
    for _ in range(100):
        window.answered(80, 10.0)
    assert window.size == LEAST


def test_a_way_that_always_takes_long_does_not_count_as_late() -> None:
    window = Window(LEAST, MOST)
    for _ in range(100):
        window.answered(80, 3.0)
    assert window.size == MOST
