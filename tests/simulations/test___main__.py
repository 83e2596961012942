from __future__ import annotations

import sys

import pytest

from edda_sync.simulations import __main__ as module
from edda_sync.simulations.campaign import Campaign


def test_the_command_runs_the_campaign_that_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    conducted: list[Campaign] = []

    def conduct(campaign: Campaign) -> int:
        conducted.append(campaign)
        return 7

    monkeypatch.setattr(module, "conduct", conduct)
    monkeypatch.setattr(sys, "argv", ["x", "--seeds", "3-5", "--jobs", "2", "--backend", "sqlite"])
    assert module.main() == 7
    (campaign,) = conducted
    assert (campaign.first, campaign.last, campaign.jobs, campaign.backend) == (3, 5, 2, "sqlite")


def test_invalid_seeds_are_an_error_of_usage(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["x", "--seeds", "many"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 2
    assert "--seeds is FIRST-LAST, or a number, not many" in capsys.readouterr().err
