"""The model: its rules hold, and it finds a planted bug by the shortest way."""

from __future__ import annotations

import click
import pytest

from edda_sync.simulations import model
from edda_sync.simulations.model import SMALL, Bounds, check
from edda_sync.simulations.model_stores import Rules


@pytest.mark.parametrize("name", SMALL)
def test_everything_within_small_bounds_holds(name: str) -> None:
    found = check(SMALL[name])
    click.echo(f"{name}: {found.states:,} states, {found.steps:,} steps")
    assert (found.wrong, found.trace) == ("", ())
    assert found.states > 2_000


def test_the_model_reports_what_it_saw_and_fails_when_something_is_wrong(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model, "SMALL", {"one write": Bounds(writes=1)})
    assert model.main(["--small"]) == 0
    assert capsys.readouterr().out.startswith("one write: 4 states, ")
    monkeypatch.setattr(Rules, "needs_life", lambda *_: True)
    monkeypatch.setattr(model, "LARGE", {"two writes": Bounds(writes=2)})
    assert model.main([]) == 1
    assert "a store opened a life for nothing:" in capsys.readouterr().out
