"""Campaigns: ranges of seeds on several processes, stopped and resumed, written down."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edda_sync.simulations.campaign import PLAYED, SECTION, Block, Campaign, Digest, next_seed, repeat, seeds_of, work
from edda_sync.simulations.runs import run
from edda_sync.simulations.tape import Tape

ROOT = Path(__file__).parents[2]


def test_a_campaign_runs_every_seed_and_repeats_some_in_another_process() -> None:
    campaign = Campaign(21, 25, 2, "memory", block=2)
    campaign.run()
    tally = campaign.tally
    assert (campaign.done, tally.runs, tally.failures) == (25, 5, [])
    assert tally.repeated == 3
    assert tally.virtual_s > tally.core_s
    fields = [field.strip() for field in campaign.row().strip("|").split("|")]
    assert fields[2:5] == ["21-25", "all held", "memory"]
    assert len(fields) == SECTION.splitlines()[-2].count("|") - 1


def test_a_digest_that_differs_in_another_process_is_a_failure() -> None:
    block = Block(25, 25, "memory")
    digest = run(Tape(25, backend="memory")).digest
    assert repeat(Digest(25, digest, process=0), block) == ""
    assert "edda simulate --seed 25 --backend memory" in repeat(Digest(25, "another", process=0), block)


def test_a_failure_names_its_seed_and_the_command_that_repeats_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edda_sync.engine.life.Sidecar.doubt", lambda *_: "")
    failing = next(seed for seed in range(25, 2_000) if run(Tape(seed, backend="memory")).violation is not None)
    _, tally = work(Block(failing, failing, "memory"))
    ((seed, text),) = tally.failures
    assert seed == failing
    assert f"edda simulate --seed {failing} --backend memory" in text


def test_a_campaign_around_a_story_names_it_and_counts_its_own_seeds(tmp_path: Path) -> None:
    campaign = Campaign(1, 1, 1, "memory", play="rolled-back-disk")
    campaign.run()
    row = campaign.row()
    assert "| rolled-back-disk 1-1 | all held |" in row
    page = tmp_path / "evidence.md"
    page.write_text(f"{SECTION}| t | c | 0-41 | all held |\n\n{PLAYED}{row}\n")
    assert [next_seed(page), next_seed(page, "rolled-back-disk"), next_seed(page, "cloned-vm")] == [42, 2, 0]


def test_seeds_are_a_range_or_a_number_of_new_ones() -> None:
    assert seeds_of("5-9") == (5, 9)
    first, last = seeds_of("10")
    assert last - first == 9
    with pytest.raises(ValueError, match="invalid literal"):
        seeds_of("some")


@pytest.mark.parametrize("begun", ["at a terminal", "in the background of a script"])
def test_a_campaign_that_is_interrupted_says_what_it_did_and_how_to_go_on(begun: str) -> None:
    ignored = "" if begun == "at a terminal" else "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    code = ignored + (
        "import sys; from edda_sync.simulations import campaign, evidence; from pathlib import Path\n"
        "evidence.append = lambda section, row: print(row, flush=True)\n"
        "if __name__ == '__main__': sys.exit(campaign.conduct(campaign.Campaign(21, 100_020, 2, 'memory', block=1)))"
    )
    campaign = subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert campaign.stderr is not None
    said = ""
    while not re.search(r"[1-9]\d* of 100,000", said):  # the first blocks are done
        said += campaign.stderr.read(1)
    campaign.send_signal(signal.SIGINT)
    row, rest = campaign.communicate(timeout=60)
    done = re.search(r"\| 21-(\d+) \| all held", row)
    assert done is not None
    assert f"go on with: make simulate SEEDS={int(done[1]) + 1}-100020" in rest
    assert campaign.returncode == 0
