from __future__ import annotations

import os

from edda_sync.backup import recovery
from edda_sync.backup.code import RecoveryCode
from edda_sync.crdt import ext as exts
from edda_sync.crdt.records import RECOVERY
from edda_sync.engine import standing
from edda_sync.engine.engine import StorageEngine
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import devices, sync
from edda_sync.transport.identity import Identity
from edda_sync.workspace import codes
from edda_sync.workspace import members as workspaces
from edda_sync.workspace.codes import Code
from edda_sync.workspace.welcome import DeviceCard
from tests.backup.shelf import CODE, OTHER


def of(store: StorageEngine) -> list[Code]:
    with store.store.read() as reader:
        return codes.listed(reader)


def current(store: StorageEngine) -> set[str]:
    with store.store.read() as reader:
        return {code.device for code in codes.current(reader)}


def test_a_code_is_a_member_that_no_link_trusts_and_no_list_of_devices_has() -> None:
    with devices(2) as (laptop, phone):
        recovery.make(laptop, CODE)
        sync(laptop, phone)
        for store in (laptop, phone):
            assert [(code.device, code.is_replaced) for code in of(store)] == [(CODE.identity.device, False)]
            assert len(store.members()) == len(store.reading.certificates()) == len(standing.devices(store)) == 2
            assert CODE.identity.device not in standing.names(store)  # by which peers are counted
            (shown,) = standing.recovery_codes(store)
            assert shown.keys() == standing.devices(store)[0].keys()
            assert (shown["recovery"], shown["this"]) == ("current", False)


def test_nobody_is_told_of_a_code_as_of_a_device_when_joining() -> None:
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        identity = Identity.create()
        welcome = laptop.membership.welcome(DeviceCard(identity.certificate, "phone", identity.sealing_keys), 0)
        assert CODE.identity.device not in welcome.members


def test_a_new_code_replaces_the_one_before_on_every_device() -> None:
    with devices(2) as (laptop, phone):
        recovery.make(laptop, CODE)
        sync(laptop, phone)
        recovery.make(phone, OTHER)
        sync(laptop, phone)
        for store in (laptop, phone):
            assert current(store) == {OTHER.identity.device}
            assert {each["recovery"] for each in standing.recovery_codes(store)} == {"current", "replaced"}


def test_codes_that_were_made_apart_are_both_current_until_the_next_one() -> None:
    with devices(2) as (laptop, phone):
        recovery.make(laptop, CODE)
        recovery.make(phone, OTHER)
        sync(laptop, phone)
        assert current(laptop) == current(phone) == {CODE.identity.device, OTHER.identity.device}
        third = RecoveryCode.new(os.urandom)
        recovery.make(laptop, third)
        assert current(laptop) == {third.identity.device}


def test_a_member_cannot_make_a_code_of_another_device_by_a_second_record_beside_its_own() -> None:
    """It writes as if it had not seen the device's record; so two records stand, and only one says that it is a code."""
    with devices(3) as (laptop, phone, liar):
        victim = Identity.create()
        card = DeviceCard(victim.certificate, "tablet", victim.sealing_keys)
        laptop.membership.welcome(card, 0)

        def lie(tx: StoreWriter) -> None:
            said = exts.of({RECOVERY: b""})
            liar.writing.commit(tx, [workspaces.member_draft(card, liar.identity.public_key, said)], None)

        liar.store.transact(lie)
        sync(laptop, liar)
        sync(laptop, phone)
        for store in (laptop, phone, liar):
            assert victim.device in store.reading.certificates()
            assert of(store) == []


def test_what_a_code_says_that_it_replaces_may_be_anything() -> None:
    with devices(1) as (laptop,):
        recovery.make(laptop, CODE)
        card = DeviceCard(OTHER.identity.certificate, "x", ())

        def lie(tx: StoreWriter) -> None:
            said = exts.of({RECOVERY: b"seven bytes and more of nothing"})
            laptop.writing.commit(tx, [workspaces.member_draft(card, laptop.identity.public_key, said)], None)

        laptop.store.transact(lie)
        assert current(laptop) == {CODE.identity.device, OTHER.identity.device}
