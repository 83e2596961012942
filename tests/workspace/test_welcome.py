"""Cards, welcomes and tags: what a joining device shows and gets, and the hints at a workspace."""

from __future__ import annotations

import msgspec
import pytest

from edda_sync.words import limits
from edda_sync.words.errors import RemoteProtocolError
from edda_sync.workspace.welcome import (
    Admission,
    DeviceCard,
    Offer,
    Welcome,
    decode_card,
    decode_told,
    decode_welcome,
    discovery_key,
    encode,
    fitting,
    workspace_tag,
)

SEALING_KEY = 32, b"k" * 32
CARD = DeviceCard(b"certificate", "phone", (SEALING_KEY,))
ADDED = b"a" * 16, 7, b"h" * 32
RING = (b"e" * 32, b"k" * 32), (b"f" * 32, b"l" * 32)
WELCOME = Welcome(b"w" * 16, RING[:1], {"d": CARD}, 4321, ADDED)
OFFER = Offer(b"w" * 16, {"d": CARD}, 4321)
ADMISSION = Admission(RING[:1], ADDED)

CARD_HEX = "94c40b6365727469666963617465a570686f6e65919220c420" + "6b" * 32 + "90"
WELCOME_HEX = (
    "96c410" + "77" * 16 + "9192c420" + "65" * 32 + "c420" + "6b" * 32 + "81a164" + CARD_HEX
    + "cd10e193c410" + "61" * 16 + "07c420" + "68" * 32 + "90"
)  # fmt: skip


OFFER_HEX = "94c410" + "77" * 16 + "81a164" + CARD_HEX + "cd10e190"
ADMISSION_HEX = "939192c420" + "65" * 32 + "c420" + "6b" * 32 + "93c410" + "61" * 16 + "07c420" + "68" * 32 + "90"


def test_an_offer_and_an_admission_have_their_published_bytes_and_make_a_welcome_together() -> None:
    assert encode(OFFER).hex() == OFFER_HEX
    assert encode(ADMISSION).hex() == ADMISSION_HEX
    assert decode_told(bytes.fromhex(OFFER_HEX), bytes.fromhex(ADMISSION_HEX)) == WELCOME


@pytest.mark.parametrize("odd", ["offer", "admission"])
def test_neither_is_taken_if_only_a_newer_version_understands_it(odd: str) -> None:
    parts = {"offer": OFFER, "admission": ADMISSION}
    parts[odd] = msgspec.structs.replace(parts[odd], ext=((1, b"odd"),))
    with pytest.raises(RemoteProtocolError, match="newer version"):
        decode_told(*(encode(each) for each in parts.values()))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("offer", "admission"),
    [
        (b"", encode(ADMISSION)),
        (encode(OFFER), b""),
        (encode(msgspec.structs.replace(OFFER, workspace=bytes(15))), encode(ADMISSION)),
        (encode(OFFER), encode(msgspec.structs.replace(ADMISSION, ring=()))),
        (encode(OFFER), encode(msgspec.structs.replace(ADMISSION, added=(bytes(16), 0, bytes(32))))),
    ],
)
def test_what_is_malformed_in_either_is_an_error_of_the_device_that_sent_it(offer: bytes, admission: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="malformed welcome"):
        decode_told(offer, admission)


def test_a_card_and_a_welcome_have_their_published_bytes() -> None:
    assert encode(CARD).hex() == CARD_HEX
    assert encode(WELCOME).hex() == WELCOME_HEX
    assert decode_card(bytes.fromhex(CARD_HEX)) == CARD
    assert decode_welcome(bytes.fromhex(WELCOME_HEX)) == WELCOME


def test_writes_use_the_last_key_of_a_ring() -> None:
    assert msgspec.structs.replace(WELCOME, ring=RING).key == RING[1][1]
    assert WELCOME.key == RING[0][1]


@pytest.mark.parametrize("what", [CARD, WELCOME], ids=["card", "welcome"])
def test_fields_of_a_newer_version_are_kept_if_there_is_room_for_them_and_otherwise_ignored(
    what: DeviceCard | Welcome,
) -> None:
    decode = decode_card if isinstance(what, DeviceCard) else decode_welcome
    grown = msgspec.structs.replace(what, ext=((2, b"even"), (4, b"even")))
    assert decode(encode(grown)) == grown
    longer = msgspec.msgpack.encode([*msgspec.msgpack.decode(encode(grown)), "one more field"])
    assert decode(longer) == grown


def test_a_welcome_that_only_a_newer_version_understands_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="newer version"):
        decode_welcome(encode(msgspec.structs.replace(WELCOME, ext=((1, b"odd"),))))


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\xc1",
        encode(WELCOME),
        encode(CARD)[:-1],
        encode(CARD) + b"\0",
        encode(DeviceCard(b"", "phone")),
        encode(DeviceCard(bytes(limits.CERTIFICATE_BYTES_MAX + 1), "phone")),
        encode(DeviceCard(b"certificate", "")),
        encode(DeviceCard(b"certificate", "two\nlines")),
        encode(DeviceCard(b"certificate", "\u200b")),
        encode(DeviceCard(b"certificate", "phone", ((0, b"k" * 32),))),
        encode(DeviceCard(b"certificate", "phone", ((32, b"short"),))),
        encode(DeviceCard(b"certificate", "phone", ((32, b"k" * 32),) * 9)),
        encode(DeviceCard(b"certificate", "x" * (limits.NAME_CODE_POINTS_MAX + 1))),
        encode(CARD).replace(b"phone", b"\xff\xff\xff\xff\xff"),
    ],
)
def test_an_invalid_card_is_an_error_of_the_device_that_sent_it(bad: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="device card"):
        decode_card(bad)


def test_a_card_at_its_limits_is_taken() -> None:
    card = DeviceCard(bytes(limits.CERTIFICATE_BYTES_MAX), "x" * limits.NAME_CODE_POINTS_MAX)
    assert decode_card(encode(card)) == card


@pytest.mark.parametrize(
    "bad",
    [
        {"workspace": bytes(15)},
        {"workspace": bytes(17)},
        {"ring": ()},
        {"ring": ((bytes(32), bytes(31)),)},
        {"ring": ((bytes(31), bytes(32)),)},
        {"members": {"d": 5}},
        {"port": "80"},
        {"port": True},
        {"added": None},
        {"added": (bytes(15), 7, bytes(32))},
        {"added": (bytes(16), 0, bytes(32))},
        {"added": (bytes(16), 7, bytes(16))},
    ],
    ids=str,
)
def test_an_invalid_welcome_is_an_error_of_the_device_that_sent_it(bad: dict[str, object]) -> None:
    with pytest.raises(RemoteProtocolError, match="welcome"):
        decode_welcome(encode(msgspec.structs.replace(WELCOME, **bad)))


def cards(certificate_bytes: int, name: str) -> list[tuple[str, DeviceCard]]:
    """The cards of the largest workspace."""
    card = DeviceCard(bytes(certificate_bytes), name, (SEALING_KEY,))
    return [(f"{number:052}", card) for number in range(limits.MEMBERS_MAX)]


def test_a_welcome_names_all_members_of_the_largest_workspace() -> None:
    listed = cards(300, "x" * limits.NAME_CODE_POINTS_MAX)
    assert fitting(listed) == dict(listed)


@pytest.mark.parametrize("certificate_bytes", [300, limits.CERTIFICATE_BYTES_MAX])
def test_a_welcome_that_cannot_name_all_members_names_the_first_ones_and_fits_a_frame_of_pairing(
    certificate_bytes: int,
) -> None:
    listed = cards(certificate_bytes, "\U0001f642" * limits.NAME_CODE_POINTS_MAX)
    told = fitting(listed)
    assert 0 < len(told) < len(listed)
    assert list(told.items()) == listed[: len(told)]
    welcome = msgspec.structs.replace(WELCOME, members=told, ring=RING * 400)
    assert limits.PAIRING_FRAME_BYTES_MAX * 0.95 < len(encode(welcome)) < limits.PAIRING_FRAME_BYTES_MAX


def test_the_discovery_key_and_the_workspace_tag_have_their_published_bytes() -> None:
    key = "d8cd6b13b377e4bc429af55bcff7d93cf6dfc0446e9a23707cf4e709f4ad6aad"
    assert discovery_key(bytes(range(32))).hex() == key
    assert workspace_tag(bytes(range(16)), "abc").hex() == "9a28acad7193971b85f213764cf743dc"


def test_a_workspaces_tag_differs_from_device_to_device() -> None:
    tags = {workspace_tag(workspace, device) for workspace in (bytes(16), b"\1" * 16) for device in ("a", "b")}
    assert len(tags) == 4
