from __future__ import annotations

import json
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edda_sync.cli.log import Line, Log
from tests.cli.meeting import Machines
from tests.cli.processes import Machine

TROUBLE = Line("the disk \x1b[31mis full", "trouble", {"device": "a"}, is_trouble=True)


@pytest.fixture
def json_log() -> Iterator[Log]:
    logger = logging.getLogger("edda_sync")
    before = list(logger.handlers)
    yield Log("json")
    logger.handlers = before


def read(printed: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in printed.splitlines()]


def test_a_program_gets_an_object_a_line_with_time_level_and_event(
    json_log: Log, capsys: pytest.CaptureFixture[str]
) -> None:
    json_log.said("listening on port 1", "ready", port=1)
    json_log.happened(TROUBLE)
    json_log.noted("Not everything works")
    printed = capsys.readouterr()
    ready, trouble = read(printed.out)
    (note,) = read(printed.err)
    assert (ready["level"], ready["event"], ready["port"]) == ("info", "ready", 1)
    assert (trouble["level"], trouble["text"], trouble["device"]) == ("warning", TROUBLE.text, "a")
    assert (note["level"], note["event"]) == ("warning", "note")
    assert ready["time"].endswith("Z")
    assert "\x1b" not in printed.out


def test_what_the_library_logs_is_an_object_with_its_trace(json_log: Log, capsys: pytest.CaptureFixture[str]) -> None:
    try:
        raise ZeroDivisionError("by nothing")
    except ZeroDivisionError:
        logging.getLogger("edda_sync.device.device").exception("a bug")
    (found,) = read(capsys.readouterr().err)
    assert found["text"].startswith("a bug\nTraceback")
    assert "ZeroDivisionError: by nothing" in found["text"]


def test_quiet_prints_only_what_is_not_as_it_should_be(capsys: pytest.CaptureFixture[str]) -> None:
    log = Log(quiet=True)
    log.said("listening on port 1", "ready")
    log.happened(Line("connected to phone", "connected"))
    log.happened(TROUBLE)
    log.noted("Not everything works")
    printed = capsys.readouterr()
    (line,) = printed.out.splitlines()
    assert line.endswith(" the disk \\x1b[31mis full")
    assert printed.err == "Not everything works\n"


@contextmanager
def watching(machine: Machine, path: Path) -> Iterator[socket.socket]:
    """What a machine's processes tell, as systemd would hear it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as watcher:
        watcher.bind(os.path.relpath(path))  # a short one: the kernel takes 108 bytes
        watcher.settimeout(20)
        machine.environment["NOTIFY_SOCKET"] = str(path)
        yield watcher


def test_a_device_says_all_in_json_and_tells_what_watches_it(pair: tuple[Machine, Machine], tmp_path: Path) -> None:
    laptop, phone = pair
    with watching(laptop, tmp_path / "watcher") as watcher:
        running, address = laptop.up("--log-format", "json")
        assert [watcher.recv(999) for _ in range(2)] == [b"STATUS=opening the store", b"READY=1"]
        phone.run("sync", "--at", address)
        running.wait_for('"event": "equal"')
        assert running.end(signal.SIGTERM) == 0
        told = [watcher.recv(999).decode()]
        while told[-1] != "STOPPING=1":
            told.append(watcher.recv(999).decode())
    assert told[0].startswith("STATUS=running on port ")
    assert any(each.startswith("STATUS=connected to phone") for each in told)
    events = [json.loads(line) for line in running.lines]
    assert events[0]["event"] == "ready"
    assert events[-1]["event"] == "stopped"
    (connected,) = [each for each in events if each["event"] == "connected"]
    assert connected["name"] == "phone"
    assert len(connected["device"]) == 52


def test_a_device_that_is_quiet_prints_nothing_and_one_in_json_ends_in_json(machine: Machines, tmp_path: Path) -> None:
    laptop = machine("laptop")
    laptop.run("init")
    with watching(laptop, tmp_path / "watcher") as watcher:
        quiet = laptop.start("up", "--no-discovery", "--quiet")
        while watcher.recv(999) != b"READY=1":
            pass
    del laptop.environment["NOTIFY_SOCKET"]
    refused = laptop.start("up", "--log-format", "json")
    assert refused.wait() == 2
    (said,) = [json.loads(line) for line in refused.lines]
    assert said["text"].startswith("Another edda is syncing")
    assert quiet.end(signal.SIGINT) == 0
    assert quiet.lines == []
