"""Helpers for tests of pictures: recordings, and pages that are read as XML."""

from __future__ import annotations

from xml.etree import ElementTree

from edda_sync.simulations import picture
from edda_sync.simulations.protocols import Verdict
from edda_sync.simulations.recording import Recording
from edda_sync.simulations.runs import run
from edda_sync.simulations.scenarios import SCENARIOS
from edda_sync.simulations.tape import Tape

SVG = "{http://www.w3.org/2000/svg}"


def recorded(seed: int) -> tuple[Recording, Verdict]:
    recording = Recording()
    return recording, run(Tape(seed, backend="memory"), recording)


def acted_out(name: str) -> tuple[Recording, Verdict, str]:
    recording = Recording()
    verdict = SCENARIOS[name].simulation(recording).run()
    return recording, verdict, picture.page(recording, verdict, command=f"edda simulate --scenario {name}")


def parsed(page: str) -> ElementTree.Element:
    return ElementTree.fromstring(page)
