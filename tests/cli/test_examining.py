from __future__ import annotations

import json

from edda_sync.transport.interfaces import has_network
from tests.cli.conftest import Edda

STEPS = ["interface", "multicast", "port", "firewall", "certificate", "clock"]


def test_every_step_is_told_to_a_person_and_to_a_program(edda: Edda) -> None:
    failed = not has_network()
    told = edda("doctor", "--network", code=int(failed)).stdout
    lines = [line for line in told.splitlines() if "to do:" not in line]
    assert [line.split()[1].rstrip(":") for line in lines] == STEPS
    assert [
        each["step"] for each in json.loads(edda("doctor", "--network", "--json", code=int(failed)).stdout)
    ] == STEPS
    assert {line.split()[0] for line in lines} <= {"works", "FAILS", "unknown"}
    assert "unknown  clock: no other device's clock is known yet\n         to do: let this device sync once" in told


def test_the_network_is_not_rebuilt(edda: Edda) -> None:
    said = edda("doctor", "--network", "--rebuild", code=2).stderr
    assert "--rebuild is about the store, and --network about the network" in said
