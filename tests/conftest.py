from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import edda_sync.crdt.text.edits  # noqa: F401 - it is loaded late, and has limits in its types: before a test makes one smaller

# The suite tries the same examples each time, so that what it says of a commit does not change. Other examples, and more of
# them: pytest --hypothesis-profile=thorough. A failure prints its example and the blob that repeats it.
settings.register_profile(
    "edda",
    max_examples=60,
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("thorough", parent=settings.get_profile("edda"), max_examples=3_000, derandomize=False)
settings.load_profile("edda")

# A script that runs the suite in its background (`make test &`) hands on that Ctrl-C is ignored: tests that interrupt a
# command would wait for ever.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# For what is furnished for a whole module too: a test's own keyring, once it is imported, looks like the system's.
os.environ["EDDA_KEYRING"] = "off"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--spoiler",
        choices=("wire", "netem"),
        default="wire",
        help="what makes cables bad: a wire of our own, which needs no special kernel, or tc netem, which needs sch_netem",
    )


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep each test's keys and lives in its own folder, away from the user's."""
    monkeypatch.setenv("EDDA_KEYRING", "off")
    monkeypatch.setenv("EDDA_STATE", str(tmp_path / "state"))
