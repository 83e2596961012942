from __future__ import annotations

import io
import sys

import pytest

from edda_sync.cli.progress import Progress


def test_progress_is_silent_for_a_second_and_then_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    times = iter([0.0, 0.5, 1.0, 1.05, 1.2])
    with Progress("Importing", 3_000, lambda: next(times)) as progress:
        progress(1)
        assert screen.getvalue() == ""
        progress(1_000)
        assert screen.getvalue().endswith("Importing 1,000 of 3,000")
        shown = screen.getvalue()
        progress(1_001)
        assert screen.getvalue() == shown
        progress(2_000)
        assert screen.getvalue().endswith("Importing 2,000 of 3,000")
    assert screen.getvalue().endswith("\r\x1b[K")
