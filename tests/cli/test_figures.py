"""The figures of two real devices that sync: in `edda status`, and for Prometheus."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from tests.cli.processes import EDDA, Machine, Running


def scrape(url: str) -> dict[str, float]:
    with urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    return {sample.name: sample.value for family in text_string_to_metric_families(text) for sample in family.samples}


def test_two_devices_that_sync_show_it_in_their_figures(pair: tuple[Machine, Machine]) -> None:
    laptop, phone = pair
    ups = {each: each.start("up", "--no-discovery", "--metrics", "0") for each in pair}
    urls = {
        each: up.wait_for(r"^Figures for Prometheus: (http://127\.0\.0\.1:\d+/metrics)$")[1] for each, up in ups.items()
    }
    port = ups[laptop].wait_for(r"listening on port (\d+)")[1]
    laptop.run("task", "add", "Buy milk")
    done = json.loads(phone.run("sync", "--at", f"127.0.0.1:{port}", "--json"))
    assert done["equal"]
    here, there = scrape(urls[laptop]), scrape(urls[phone])
    assert here["edda_tasks"] == there["edda_tasks"] == 2
    assert here["edda_transactions_total"] == there["edda_transactions_total"]
    assert here["edda_changes_sent_total"] >= 1
    assert there["edda_changes_received_total"] >= 1
    assert there["edda_received_bytes_total"] > 0
    assert here["edda_peers"] == here["edda_peers_connected"] == here["edda_peers_equal"] == 1
    told = json.loads(phone.run("status", "--json"))["metrics"]
    assert told["sync"]["changes_received"] == there["edda_changes_received_total"]
    assert told["task_count"] == 2
    assert "MB received" in phone.run("status")
    for up in ups.values():
        assert up.end() == 0


def test_a_store_that_is_not_running_has_figures_too(tmp_path: Path, edda: object) -> None:
    found = edda.json("status")["metrics"]  # type: ignore[attr-defined]
    assert (found["task_count"], found["backup_count"], found["last_backup"]) == (0, 0, None)
    assert found["database_size"] > 0
    assert found["sync"]["bytes_sent"] == 0


def test_what_is_no_address_is_refused_before_anything_is_opened(another_edda: object) -> None:
    bare = another_edda("bare")  # type: ignore[operator]
    for wrong in ("nonsense", "99999", "host:", ":1", "[::1]"):
        said = bare("up", "--metrics", wrong, code=2).stderr
        assert "is no port or address such as 9464 or 192.168.1.20:9464" in said, wrong
    assert not bare.home.exists()


def test_the_library_is_loaded_only_when_it_is_asked_for(machine: Callable[[str], Machine]) -> None:
    laptop = machine("laptop")
    laptop.environment["PYTHONPROFILEIMPORTTIME"] = "1"
    for asked in (True, False):
        arguments = [*EDDA, "up", "--no-discovery", *(["--metrics", "0"] if asked else [])]
        up = Running(arguments, laptop.environment)  # started anew, so that it loads everything itself
        up.wait_for(r"^Ctrl-C stops it\.$")
        assert up.end() == 0
        assert any("prometheus_client" in line for line in up.lines) is asked


def test_a_person_is_told_that_others_can_read_the_figures(machine: Callable[[str], Machine]) -> None:
    with closing(socket.create_server(("0.0.0.0", 0))) as found:
        port = found.getsockname()[1]
    up = machine("laptop").start("up", "--no-discovery", "--metrics", f"0.0.0.0:{port}")
    up.wait_for(rf"^Figures for Prometheus: http://0\.0\.0\.0:{port}/metrics$")
    up.wait_for(r"^Whoever reaches that address can read them\.$")
    up.wait_for(r"^Ctrl-C stops it\.$")
    assert up.end() == 0
