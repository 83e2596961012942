"""Workspaces: founding, joining, and who belongs."""

from __future__ import annotations

from pathlib import Path

import pytest

import edda_sync as edda
from edda_sync import workspaces
from edda_sync.crdt.change import Birth
from edda_sync.engine import StorageEngine
from edda_sync.errors import UsageError
from edda_sync.testing import devices, pair, sync
from edda_sync.transport.membership import DeviceRecord


def test_opening_an_empty_folder_founds_a_workspace_with_this_device_as_its_member(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home", edda.StorageConfig(name="laptop")) as store:
        (member,) = store.members()
        assert (member.name, member.device) == ("laptop", store.identity.device)
        assert store.certificates() == {store.identity.device: store.identity.certificate}
        workspace = store.workspace
    with edda.open(tmp_path / "home") as store:
        assert store.workspace == workspace
        assert len(store.members()) == 1


def test_a_newcomer_trusts_whom_the_welcome_names_before_it_has_synced(tmp_path: Path) -> None:
    config = edda.StorageConfig(name="phone")
    with edda.open(tmp_path / "a") as member, StorageEngine(tmp_path / "b") as newcomer:
        newcomer.open_store(config)
        pair(member, newcomer)
        assert set(newcomer.certificates()) == {member.identity.device, newcomer.identity.device}
        assert newcomer.workspace == member.workspace
        assert newcomer.workspace_key == member.workspace_key


def test_a_newcomer_that_has_not_synced_yet_passes_on_whom_it_was_told_of(tmp_path: Path) -> None:
    with (
        edda.open(tmp_path / "a") as member,
        StorageEngine(tmp_path / "b") as second,
        StorageEngine(tmp_path / "c") as third,
    ):
        second.open_store(edda.StorageConfig(name="phone"))
        pair(member, second)
        third.open_store(edda.StorageConfig(name="tablet"))
        pair(second, third)
        assert set(third.certificates()) == {each.identity.device for each in (member, second, third)}


def test_a_store_of_one_workspace_does_not_adopt_another(tmp_path: Path) -> None:
    with edda.open(tmp_path / "a") as first, edda.open(tmp_path / "b") as second:
        welcome = first.welcome(DeviceRecord(second.identity.certificate, "second"))
        before = second.digest()
        with pytest.raises(UsageError):
            second.adopt(welcome)
        assert second.digest() == before


def test_a_third_device_learns_of_the_second_from_the_log() -> None:
    with devices(3) as (laptop, phone, tablet):
        sync(phone, tablet)
        names = {member.name for member in tablet.members()}
        assert names == {"laptop", "phone", "tablet"}
        assert phone.certificates() == tablet.certificates() == laptop.certificates()


def test_a_member_that_writes_a_certificate_that_is_none_is_no_device_to_trust() -> None:
    with devices(2) as (laptop, phone):
        draft = workspaces.member_draft(b"\1" * 32, b"no certificate", "ghost")
        laptop.commit_drafts([draft], None, None, None)
        sync(laptop, phone)
        assert {member.name for member in phone.members()} == {"laptop", "phone"}


def test_of_two_who_found_a_workspace_in_one_store_the_first_one_does(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        workspace = store.workspace
        birth = Birth(store.identity.public_key, bytes(16))
        assert store.store.transact(lambda tx: workspaces.found(tx, birth, bytes(32))) is False
        assert store.workspace == workspace
