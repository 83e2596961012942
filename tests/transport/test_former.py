"""Former identities: several are kept, each until it is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from edda_sync.transport import former
from edda_sync.transport.identity import Identity
from edda_sync.words.folders import FORMER_FOLDER


def test_each_identity_is_kept_until_it_is_forgotten_and_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    assert former.load(tmp_path) == []
    one, other = Identity.create(), Identity.create()
    for each in (one, other, one):
        former.save(tmp_path, each)
    assert {each.device for each in former.load(tmp_path)} == {one.device, other.device}
    former.forget(tmp_path, one.device)
    assert former.load(tmp_path) == [other]
    assert former.load(tmp_path)[0].sign(b"x") == other.sign(b"x")
    former.forget(tmp_path, other.device)
    former.forget(tmp_path, other.device)
    assert not (tmp_path / FORMER_FOLDER).exists()
