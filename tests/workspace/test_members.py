"""Workspaces: founding, joining, and who belongs."""

from __future__ import annotations

import ssl
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import edda_sync as edda
from edda_sync.changes import change as changes
from edda_sync.changes.change import Birth
from edda_sync.crdt import operation as ops
from edda_sync.crdt import records
from edda_sync.crdt.entity import OWN_TIME
from edda_sync.crdt.keys import key_of
from edda_sync.engine.engine import StorageEngine
from edda_sync.ledger.admission import Admitted
from edda_sync.ledger.ledger import Ledger
from edda_sync.store.seams import StoreWriter
from edda_sync.testing import Talk, devices, pair, sync
from edda_sync.transport.identity import Identity
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError, InvalidValueError, LimitError, UsageError
from edda_sync.workspace import authority
from edda_sync.workspace import members as workspaces
from edda_sync.workspace.welcome import DeviceCard
from tests.crdt.authors import LAPTOP, PHONE, TABLET, Life, Peer, device, founded
from tests.sync.newcomers import BY_SEGMENT

Engines = tuple[StorageEngine, ...]


def card_of(identity: Identity, name: str = "device") -> DeviceCard:
    return DeviceCard(identity.certificate, name, identity.sealing_keys)


# --- founding and joining ---------------------------------------------------------------------------------------------


def test_opening_an_empty_folder_founds_a_workspace_with_this_device_as_its_member(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home", edda.StorageConfig(name="laptop")) as store:
        (member,) = store.members()
        assert (member.name, member.device) == ("laptop", store.identity.device)
        assert store.reading.certificates() == {store.identity.device: store.identity.certificate}
        workspace = store.workspace
    with edda.open(tmp_path / "home") as store:
        assert store.workspace == workspace
        assert len(store.members()) == 1


def test_the_founding_change_names_the_founder_of_the_workspace_and_its_first_key(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home", edda.StorageConfig(name="laptop")) as store:
        with store.store.read() as reader:
            logged = reader.log.read(1)
            ((name, key),) = workspaces.ring(reader)
        header = changes.decode_header(logged.raw)
        assert header.birth is not None
        assert changes.workspace_of(changes.encode_birth(header.birth)) == store.workspace
        member, epoch = [ops.decode(each) for each in ops.cut([logged.body])]
        assert isinstance(member, ops.Put)
        assert isinstance(epoch, ops.Put)
        record = records.check_device(member.id, member.cells["record"])
        assert (record.signing_key, record.added_by) == (store.identity.public_key, store.identity.public_key)
        assert [(each.suite, each.key) for each in record.sealing_keys] == list(store.identity.sealing_keys)
        assert (epoch.kind, epoch.id) == ("workspace", store.workspace)
        said = records.check_epoch(name.hex(), epoch.cells[f"epoch.{name.hex()}"])
        assert (said.depth, said.commitment) == (0, records.commitment_of(key))
        assert store.membership.workspace_key == key


def test_a_newcomer_trusts_the_members_in_its_welcome_before_it_has_synced(tmp_path: Path) -> None:
    config = edda.StorageConfig(name="phone")
    with edda.open(tmp_path / "a") as member, StorageEngine(tmp_path / "b") as newcomer:
        newcomer.open_store(config)
        pair(member, newcomer)
        assert set(newcomer.reading.certificates()) == {member.identity.device, newcomer.identity.device}
        assert newcomer.workspace == member.workspace
        assert newcomer.membership.workspace_key == member.membership.workspace_key


def test_the_first_life_of_a_newcomer_continues_the_change_that_made_it_a_member() -> None:
    with devices(2) as (laptop, phone):
        phone.create_task(edda.Task(title="first"))
        sync(laptop, phone)
        own = phone.identity.public_key
        with laptop.store.read() as reader:
            (born,) = [
                birth
                for head in reader.log.heads().values()
                if (birth := changes.decode_birth(head.birth)).public_key == own
            ]
            added = authority.added_by(reader, own)
        assert (born.parent, born.parent_seq, born.parent_hash) == added
        assert added[0] in laptop.frontier()


def test_a_device_that_is_let_in_twice_gets_the_same_change_again(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        first = store.welcome(card_of(PHONE))
        store.create_task(edda.Task(title="meanwhile"))
        again = store.welcome(card_of(PHONE))
        assert again.added == first.added
        assert len(store.members()) == 2


def test_a_newcomer_that_has_not_synced_yet_passes_on_the_members_of_its_welcome(tmp_path: Path) -> None:
    with (
        edda.open(tmp_path / "a") as member,
        StorageEngine(tmp_path / "b") as second,
        StorageEngine(tmp_path / "c") as third,
    ):
        second.open_store(edda.StorageConfig(name="phone"))
        pair(member, second)
        third.open_store(edda.StorageConfig(name="tablet"))
        pair(second, third)
        assert set(third.reading.certificates()) == {each.identity.device for each in (member, second, third)}


def test_a_store_of_one_workspace_does_not_adopt_another(tmp_path: Path) -> None:
    with edda.open(tmp_path / "a") as first, edda.open(tmp_path / "b") as second:
        welcome = first.welcome(card_of(second.identity))
        before = second.digest()
        with pytest.raises(UsageError):
            second.adopt(welcome)
        assert second.digest() == before


def test_a_third_device_learns_of_the_second_from_the_log() -> None:
    with devices(3) as (laptop, phone, tablet):
        sync(phone, tablet)
        names = {member.name for member in tablet.members()}
        assert names == {"laptop", "phone", "tablet"}
        assert phone.reading.certificates() == tablet.reading.certificates() == laptop.reading.certificates()


def test_asking_again_for_the_members_decodes_nothing_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    with devices(2) as (one, _):
        known = one.members()
        decoded: list[bytes] = []
        monkeypatch.setattr(authority, "decode_device", decoded.append)
        assert one.members() == known
        assert decoded == []


def test_the_first_of_two_foundings_in_one_store_counts(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        workspace, key = store.workspace, store.membership.workspace_key
        birth = Birth(store.identity.public_key, bytes(16))
        assert store.store.transact(lambda tx: workspaces.found(tx, birth, bytes(32))) is None
        assert (store.workspace, store.membership.workspace_key) == (workspace, key)


def test_a_workspace_takes_devices_up_to_its_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEMBERS_MAX", 2)
    with edda.open(tmp_path / "home") as store:
        store.welcome(card_of(PHONE))
        before = store.digest()
        with pytest.raises(LimitError):
            store.welcome(card_of(TABLET))
        assert store.digest() == before
        store.welcome(card_of(PHONE))  # a member needs no more room


# --- whom links trust -------------------------------------------------------------------------------------------------


def test_a_card_with_an_invalid_certificate_makes_nobody_a_member(tmp_path: Path) -> None:
    with edda.open(tmp_path / "home") as store:
        before = store.digest()
        for certificate in (
            b"no certificate",
            LAPTOP.certificate[:-60],
            LAPTOP.certificate.replace(b"gr2q", b"aaaa", 1),
        ):
            with pytest.raises(InvalidValueError):
                store.welcome(DeviceCard(certificate, "ghost"))
        assert store.digest() == before


def record_of(identity: Identity, certificate: bytes, added_by: Identity) -> ops.Put:
    """Make a device a member, with any certificate that contains its key."""
    record = records.DeviceRecord(identity.public_key, certificate, (), "member", added_by.public_key)
    cells = {"record": records.encode(record), "name": "forged", "created_at": OWN_TIME}
    return ops.Put("device", records.device_entity(identity.public_key), cells)


def bent(certificate: bytes) -> dict[str, bytes]:
    """A certificate that is refused only by code that reads all of it."""
    signature, serial = bytearray(certificate), bytearray(certificate)
    signature[-1] ^= 1
    after_version = certificate.index(b"\xa0\3\2\1\2\2") + 6
    serial[after_version + certificate[after_version]] ^= 1
    return {
        "goes-on": certificate + b"\0\0",
        "of-another-signature": bytes(signature),
        "without-signature": certificate[:-70] + b"\x30" * 70,
        "of-another-serial": bytes(serial),
    }


@pytest.mark.parametrize("how", bent(TABLET.certificate))
def test_a_member_that_writes_a_forged_certificate_locks_nobody_out(how: str) -> None:
    """Every certificate that is trusted is read by TLS, all at once: one that it cannot read would end every link."""
    laptop, peer = founded()
    certificate = bent(TABLET.certificate)[how]
    assert records.certificate_key(certificate) == TABLET.public_key  # the log takes it
    assert peer.admit(laptop.write(record_of(TABLET, certificate, LAPTOP))) is Admitted.APPLIED
    assert peer.refused == 0
    trusted = peer.look(workspaces.certificates)
    assert trusted == {LAPTOP.device: LAPTOP.certificate}
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=b"".join(trusted.values()))


@pytest.mark.parametrize("how", bent(TABLET.certificate))
@pytest.mark.parametrize("wall_ms", [1, 9_000_000_000_000])
@pytest.mark.parametrize("forged_first", [False, True])
def test_a_member_that_concurrently_writes_another_record_of_a_device_does_not_change_the_trusted_certificates(
    how: str, wall_ms: int, forged_first: bool
) -> None:
    laptop, peer = founded()
    added = laptop.write(device(PHONE, LAPTOP))
    phone = Life(PHONE, continues=laptop)
    honest = laptop.write(device(TABLET, LAPTOP, "tablet"))
    forged = phone.write(record_of(TABLET, bent(TABLET.certificate)[how], PHONE), wall_ms=wall_ms)
    peer.admit(added, *((forged, honest) if forged_first else (honest, forged)))
    assert peer.look(workspaces.certificates)[TABLET.device] == TABLET.certificate
    assert [member.certificate for member in peer.look(workspaces.members) if member.device == TABLET.device] == [
        TABLET.certificate
    ]


def test_nobody_can_write_about_a_device_under_another_key() -> None:
    laptop, peer = founded()
    mixed = record_of(TABLET, PHONE.certificate, LAPTOP)
    other = msgspec.structs.replace(device(TABLET, LAPTOP), id=records.device_entity(PHONE.public_key))
    unknown = ops.Put("device", values.id_bytes("id", values.uuid8("test", "device")), {"record": b"\1"})
    peer.admit(laptop.write(mixed, other, unknown))
    assert peer.refused == 3
    assert [member.device for member in peer.look(workspaces.members)] == [LAPTOP.device]


def test_a_welcome_with_an_invalid_certificate_is_refused_and_leaves_no_trace(tmp_path: Path) -> None:
    with edda.open(tmp_path / "a") as first, StorageEngine(tmp_path / "b") as second:
        second.open_store(edda.StorageConfig(name="phone"))
        welcome = first.welcome(card_of(second.own.make_identity()))
        members = {**welcome.members, "x": DeviceCard(b"nonsense", "ghost")}
        with pytest.raises(InvalidValueError):
            second.adopt(msgspec.structs.replace(welcome, members=members))
        second.adopt(welcome)
        assert second.workspace == first.workspace


# --- what rotted ------------------------------------------------------------------------------------------------------


def rot(peer: Peer, key: bytes) -> None:
    """Flip a bit of a stored state."""

    def work(tx: StoreWriter) -> None:
        (record,) = tx.states.get([key]).values()
        rotten = bytes([record.state[0] ^ 1]) + record.state[1:]
        tx.states.put([record._replace(state=rotten)], {key: False})

    peer.store.transact(work)


def test_an_unreadable_device_does_not_end_the_list_of_the_others() -> None:
    laptop, peer = founded()
    phone, tablet = device(PHONE, LAPTOP, "phone"), device(TABLET, LAPTOP, "tablet")
    peer.admit(laptop.write(phone, tablet))
    rot(peer, key_of("device", phone.id))
    assert [member.name for member in peer.look(workspaces.members)] == ["laptop", "tablet"]
    assert set(peer.look(workspaces.certificates)) == {LAPTOP.device, TABLET.device}
    peer.look(workspaces.check_room)


# --- writing before one has heard of all that was there ---------------------------------------------------------------


class Joining:
    """A workspace of three devices that wrote much, and a newcomer that was let in and has not met anybody yet."""

    def __init__(self, folder: Path, members: Engines) -> None:
        self.members = members
        laptop = members[0]
        self.task = laptop.create_task(edda.Task(title="first", tags={"work"}, description="words"))
        self._meet_all()
        for number in range(4):
            for member in members:
                member.create_task(edda.Task(title=f"task {number}"))
            self._meet_all()
        self.newcomer = StorageEngine(folder / "newcomer")
        self.newcomer.open_store(edda.StorageConfig(backend="memory", name="newcomer"))
        pair(laptop, self.newcomer)
        for member in members:
            member.create_task(edda.Task(title="meanwhile"))
        self._meet_all()

    def _meet_all(self) -> None:
        for member in (*self.members[1:], *self.members[1:]):
            sync(self.members[0], member)

    def hear(self, steps: int) -> None:
        """Let the newcomer hear some of what the first member says."""
        talk = Talk(self.members[0], self.newcomer)
        for _ in range(steps):
            talk.step()

    def settle(self) -> None:
        """Let all of them meet, and check that they are equal."""
        sync(self.members[0], self.newcomer)
        self._meet_all()
        sync(self.members[0], self.newcomer)
        for each in (*self.members, self.newcomer):
            assert (each.refused(), each.waiting()) == (0, 0)
            assert each.digest() == self.members[0].digest()
            assert each.conflicts() == self.members[0].conflicts()
            each.rebuild()
            assert each.digest() == self.members[0].digest()


@pytest.fixture
def joining(tmp_path: Path) -> Iterator[Joining]:
    with devices(3, backend="memory") as members:
        joining = Joining(tmp_path, members)
        yield joining
        joining.newcomer.close()


def test_a_newcomer_may_write_before_it_has_synced(joining: Joining) -> None:
    """The change that made it a member is in the past of all its writes, and so is what was there then, seen or not."""
    joining.newcomer.create_task(edda.Task(title="from the newcomer", tags={"WORK"}))  # a tag that is there already
    joining.newcomer.create_task(edda.Task(id=joining.task, title="under an id that is there already"))
    joining.settle()


@pytest.mark.parametrize("steps", [2, 5, 8, 11, 14])
def test_a_newcomer_may_write_while_it_syncs_for_the_first_time(
    joining: Joining, steps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BATCH_BYTES_MAX", 400)
    joining.hear(steps)
    for task in joining.newcomer.query_tasks(edda.TaskQuery())[:2]:
        joining.newcomer.update_task(edda.Task(id=task.id, title="changed"))
    joining.newcomer.create_task(edda.Task(title="from the newcomer", tags={"work"}))
    joining.settle()


@pytest.mark.parametrize("deps_max", [2, 1_000])
@pytest.mark.parametrize("steps", [3, 5, 7])
def test_a_newcomer_may_write_while_it_believes_a_segment(
    joining: Joining, steps: int, deps_max: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEGMENT_SAVES_US_MIN", BY_SEGMENT)
    joining.hear(steps)
    empty, catch_up = 0, Ledger._catch_up

    def counted(ledger: Ledger, tx: StoreWriter, before: dict[bytes, int], wall_ms: int, unnamed: deque[int]) -> None:
        nonlocal empty
        empty += 1
        assert empty < 50, "it would go on for ever"
        catch_up(ledger, tx, before, wall_ms, unnamed)

    monkeypatch.setattr(Ledger, "_catch_up", counted)
    monkeypatch.setattr(limits, "DEPS_MAX", deps_max)
    for task in joining.newcomer.query_tasks(edda.TaskQuery())[:2]:
        joining.newcomer.update_task(edda.Task(id=task.id, title="changed"))
    joining.newcomer.create_task(edda.Task(title="from the newcomer", tags={"work"}))
    joining.settle()


@pytest.mark.parametrize("damaged", [b"", b"\xc1", b"\x93\x01\x02\x03"], ids=["empty", "no msgpack", "no welcome"])
def test_a_welcome_that_is_damaged_on_this_disk_is_not_blamed_on_a_peer(tmp_path: Path, damaged: bytes) -> None:
    with edda.open(tmp_path / "home") as store:
        store.store.transact(lambda tx: tx.meta.set(workspaces.WELCOME_KEY, damaged))
        for ask in (workspaces.cards, workspaces.certificates, workspaces.inviter):
            with store.store.read() as reader, pytest.raises(CorruptError, match="run `edda doctor`"):
                ask(reader)
        with pytest.raises(CorruptError, match="let this device into its workspace"):
            store.reading.certificates()
