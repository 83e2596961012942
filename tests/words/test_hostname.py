from __future__ import annotations

import platform

import pytest

from edda_sync.words import hostname, limits, values


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"laptop", "laptop"),
        ("häus".encode(), "häus"),
        (b"h\xe4us", "h\ufffdus"),
        (b"a\nb\tc", "a b c"),
        ("pc\u202e1\u200b".encode(), "pc 1"),
        (b"", "device"),
        (b" \t", "device"),
        ("\u202e".encode(), "device"),
        (b"x" * 500, "x" * limits.NAME_CODE_POINTS_MAX),
    ],
)
def test_a_host_name_of_any_bytes_becomes_a_name_that_every_device_accepts(raw: bytes, name: str) -> None:
    assert hostname.fitting(raw) == name
    assert values.line("name", name) == name


def test_a_machine_is_called_as_its_host_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "node", lambda: "kitchen\udcff")
    assert hostname.host_name() == "kitchen\ufffd"
