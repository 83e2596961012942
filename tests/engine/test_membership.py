"""Membership: a workspace is founded or joined, and a member lets others in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edda_sync.engine.engine import StorageEngine
from edda_sync.testing import devices, pair, sync
from edda_sync.words import limits
from edda_sync.words.config import StorageConfig
from edda_sync.words.errors import LimitError, UsageError
from edda_sync.workspace.welcome import DeviceCard


@pytest.fixture
def newcomer(tmp_path: Path) -> Iterator[StorageEngine]:
    with StorageEngine(tmp_path / "phone") as engine:
        engine.open_store(StorageConfig(backend="memory", name="phone"))
        yield engine


def card_of(engine: StorageEngine) -> DeviceCard:
    identity = engine.own.make_identity()
    return DeviceCard(identity.certificate, engine.name, identity.sealing_keys)


def test_a_founder_is_the_first_member_of_its_workspace_and_founding_again_does_nothing() -> None:
    with devices(1, backend="memory") as (laptop,):
        (member,) = laptop.members()
        assert (member.device, member.name) == (laptop.identity.device, "laptop")
        workspace, before = laptop.workspace, laptop.frontier()
        assert len(laptop.membership.workspace_key) == 32
        laptop.found()
        assert (laptop.workspace, laptop.frontier()) == (workspace, before)


def test_a_store_without_a_workspace_says_how_to_get_one(newcomer: StorageEngine) -> None:
    with pytest.raises(UsageError, match=r"edda init.*edda join"):
        _ = newcomer.workspace
    with pytest.raises(UsageError, match=r"edda init.*edda join"):
        _ = newcomer.membership.workspace_key


def test_a_newcomer_belongs_to_the_workspace_and_knows_its_key_and_members(newcomer: StorageEngine) -> None:
    with devices(1, backend="memory") as (laptop,):
        pair(laptop, newcomer)
        assert newcomer.workspace == laptop.workspace
        assert newcomer.membership.workspace_key == laptop.membership.workspace_key
        sync(laptop, newcomer)
        assert [each.name for each in newcomer.members()] == ["laptop", "phone"]


def test_a_device_that_is_a_member_is_welcomed_again_without_another_change(newcomer: StorageEngine) -> None:
    with devices(1, backend="memory") as (laptop,):
        first = laptop.welcome(card_of(newcomer), 7_000)
        at = laptop.frontier()
        assert laptop.welcome(card_of(newcomer), 7_000) == first
        assert laptop.frontier() == at
        assert first.port == 7_000


def test_a_member_that_comes_with_another_name_is_told_the_one_it_has(newcomer: StorageEngine) -> None:
    with devices(1, backend="memory") as (laptop,):
        card, own = card_of(newcomer), newcomer.own.make_identity().device
        laptop.welcome(card, 7_000)
        renamed = DeviceCard(card.certificate, "telephone", card.sealing_keys)
        assert laptop.membership.offer(renamed, 7_000).members[own].name == "phone"
        laptop.membership.rename(own, "tablet")
        assert laptop.membership.offer(renamed, 7_000).members[own].name == "tablet"


def test_a_device_is_told_its_own_name_also_where_not_all_members_have_room(
    newcomer: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "WELCOME_REST_BYTES", limits.PAIRING_FRAME_BYTES_MAX - 1_500)
    own = newcomer.own.make_identity().device
    with devices(9, backend="memory") as (laptop, *_):
        told = laptop.membership.offer(card_of(newcomer), 7_000).members
        assert 2 <= len(told) < 9
        assert {laptop.identity.device, own} <= told.keys()


def test_a_workspace_takes_a_limited_number_of_devices(
    newcomer: StorageEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MEMBERS_MAX", 1)
    with devices(1, backend="memory") as (laptop,):
        at = laptop.frontier()
        with pytest.raises(LimitError):
            laptop.welcome(card_of(newcomer))
        assert laptop.frontier() == at


def test_listeners_hear_of_a_founding_and_of_a_welcome(newcomer: StorageEngine) -> None:
    heard: list[int] = []
    newcomer.writing.on_commit(lambda: heard.append(len(newcomer.members())))
    newcomer.found()
    assert heard == [1]
    with devices(1, backend="memory") as (other,):
        newcomer.welcome(card_of(other))
    assert heard == [1, 2]


def test_a_device_that_was_let_in_once_needs_no_readmission() -> None:
    with devices(2, backend="memory") as (laptop, phone):
        phone.membership.check_can_invite()
        assert not phone.membership.readmit()
        assert not laptop.membership.readmit()
