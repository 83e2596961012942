from __future__ import annotations

import base64
import hashlib
import json
import ssl
import stat
from collections.abc import Iterator
from pathlib import Path

import keyring
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from edda_sync.crdt.records import X25519_HKDF_SHA256
from edda_sync.sealing.hpke import seal_for
from edda_sync.transport import identity as module
from edda_sync.transport.identity import Identity, device_of, discard, load, load_into, public_key_of, save, verify
from edda_sync.words.errors import InvalidValueError, ReadOnlyError, StorageError
from tests.keyrings import DeafKeyring, PlainKeyring, ShelfKeyring

ADA = Identity.from_private(bytes(range(32)))
BOB = Identity.from_private(bytes(range(1, 33)))


@pytest.fixture
def use_keyring(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[ShelfKeyring]]:
    """The real keyring library, with the test's own backend instead of the desktop's."""
    monkeypatch.delenv("EDDA_KEYRING", raising=False)
    before = keyring.get_keyring()
    yield ShelfKeyring
    keyring.set_keyring(before)


@pytest.fixture
def shelf(use_keyring: type[ShelfKeyring]) -> ShelfKeyring:
    backend = use_keyring()
    keyring.set_keyring(backend)
    return backend


@pytest.fixture
def no_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")


# --- keys and certificates --------------------------------------------------------------------------------------------


def test_a_device_id_is_the_base32_hash_of_the_public_key() -> None:
    digest = hashlib.sha256(ADA.public_key).digest()
    assert ADA.device == device_of(ADA.public_key) == ADA.device.lower()
    assert len(ADA.device) == 52
    assert base64.b32decode(ADA.device.upper() + "====") == digest


def test_the_same_key_gives_the_same_certificate_in_every_version() -> None:
    # Members pin these bytes: a change of any kind would lock every device out of every workspace.
    assert Identity.from_private(ADA.private_bytes()) == ADA
    digest = hashlib.sha256(ADA.certificate).hexdigest()
    assert digest == "6392ca36ec99814567aad53f6beb3675027afb067b2bbf0ff0313a0cd5cfd25d"


def test_a_certificate_contains_only_what_tls_needs() -> None:
    certificate = x509.load_der_x509_certificate(ADA.certificate)
    assert certificate.subject == certificate.issuer
    assert [name.value for name in certificate.subject] == [ADA.device]
    assert certificate.not_valid_before_utc.isoformat() == "2000-01-01T00:00:00+00:00"
    assert certificate.not_valid_after_utc.isoformat() == "9999-12-31T23:59:59+00:00"
    assert 0 < certificate.serial_number < 1 << 159
    extensions = certificate.extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    usage = extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.digital_signature
    assert not usage.key_cert_sign
    assert list(extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [
        ExtendedKeyUsageOID.SERVER_AUTH,
        ExtendedKeyUsageOID.CLIENT_AUTH,
    ]
    certificate.verify_directly_issued_by(certificate)


def test_the_same_key_gives_the_same_sealing_key_in_every_version() -> None:
    # Members seal keys of the workspace to it: with another key a device could not open what was sealed before.
    assert ADA.sealing_keys == (
        (0x0020, bytes.fromhex("f820c51dbe0958149b988356b548bae9edc5e9f708f49c9992d3cc6a1251c378")),
    )
    assert BOB.sealing_keys != ADA.sealing_keys


def test_two_new_devices_have_different_identities() -> None:
    one, other = Identity.create(), Identity.create()
    assert one.device != other.device
    assert one.private_bytes() != other.private_bytes()


def test_an_identity_does_not_show_its_private_key() -> None:
    for secret in (repr(ADA.private_bytes()), ADA.private_bytes().hex(), "PrivateKey"):
        assert secret not in repr(ADA)


def test_a_private_key_of_another_length_is_refused() -> None:
    for length in (0, 31, 33, 64):
        with pytest.raises(InvalidValueError, match="32 bytes"):
            Identity.from_private(bytes(length))


def test_a_signature_holds_for_its_message_and_key_only() -> None:
    signature = ADA.sign(b"message")
    assert verify(ADA.public_key, signature, b"message")
    assert not verify(ADA.public_key, signature, b"massage")
    assert not verify(BOB.public_key, signature, b"message")
    assert not verify(ADA.public_key, signature[:-1], b"message")
    assert not verify(ADA.public_key[:-1], signature, b"message")
    for position in range(len(signature)):
        bent = bytearray(signature)
        bent[position] ^= 1
        assert not verify(ADA.public_key, bytes(bent), b"message")


def test_a_certificate_gives_its_public_key() -> None:
    assert public_key_of(ADA.certificate) == ADA.public_key
    assert device_of(public_key_of(BOB.certificate)) == BOB.device


# Today a warning of cryptography, in a later release an error: a serial number that is not positive.
@pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning")
def test_an_invalid_device_certificate_is_refused_and_nothing_else_happens() -> None:
    accepted = 0
    for position in range(len(ADA.certificate)):
        for bit in (0x01, 0x20, 0x80):
            bent = bytearray(ADA.certificate)
            bent[position] ^= bit
            try:
                found = public_key_of(bytes(bent))
            except InvalidValueError:
                continue
            assert found == ADA.public_key  # the bend is elsewhere, and the exact bytes are compared when it counts
            accepted += 1
    assert accepted < 3 * len(ADA.certificate)
    for length in range(len(ADA.certificate)):
        with pytest.raises(InvalidValueError):
            public_key_of(ADA.certificate[:length])


def test_a_certificate_that_makes_native_code_panic_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class PanicException(BaseException):
        pass

    def panic(_: bytes) -> x509.Certificate:
        raise PanicException("at x509.rs:1")

    monkeypatch.setattr(x509, "load_der_x509_certificate", panic)
    with pytest.raises(InvalidValueError):
        public_key_of(ADA.certificate)


def test_a_certificate_under_another_devices_name_is_refused() -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, BOB.device)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .serial_number(1)
        .not_valid_before(module.VALID_FROM)
        .not_valid_after(module.VALID_UNTIL)
    )
    forged = builder.public_key(ADA._key.public_key()).sign(ADA._key, None).public_bytes(Encoding.DER)
    with pytest.raises(InvalidValueError, match="not named after its own key"):
        public_key_of(forged)
    other = generate_private_key(SECP256R1())
    elliptic = builder.public_key(other.public_key()).sign(other, SHA256()).public_bytes(Encoding.DER)
    with pytest.raises(InvalidValueError, match="Ed25519"):
        public_key_of(elliptic)


def test_tls_gets_the_key_and_no_file_stays_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_into(context, ADA)
    assert list(tmp_path.iterdir()) == []
    # The context can now prove the key: OpenSSL refuses a certificate whose key it does not have.
    ours, theirs = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(cadata=ADA.certificate)
    caller = client.wrap_bio(ours, theirs)
    answerer = context.wrap_bio(theirs, ours, server_side=True)
    for side in (caller, answerer, caller):
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            continue
    assert caller.getpeercert(binary_form=True) == ADA.certificate


def test_a_temporary_folder_that_cannot_be_written_is_a_storage_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    with pytest.raises(StorageError, match="missing"):
        load_into(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ADA)


# --- files ------------------------------------------------------------------------------------------------------------


def test_there_is_no_identity_if_nothing_was_saved(tmp_path: Path) -> None:
    assert load(tmp_path) is None
    assert load(tmp_path / "missing") is None


@pytest.mark.usefixtures("no_keyring")
def test_an_identity_in_a_file_is_read_back_and_only_its_owner_can_read_it(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    assert save(home, ADA) == "a file"
    assert load(home) == ADA
    found = load(home)
    assert found is not None
    assert found.private_bytes() == ADA.private_bytes()
    assert sorted(path.name for path in home.iterdir()) == ["identity.json", "identity.key"]
    for path in home.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.stat().st_mode) == 0o700


@pytest.mark.usefixtures("no_keyring")
def test_a_second_save_replaces_the_first(tmp_path: Path) -> None:
    save(tmp_path, ADA)
    save(tmp_path, BOB)
    assert load(tmp_path) == BOB


@pytest.mark.usefixtures("no_keyring")
def test_a_key_without_its_note_file_is_still_found(tmp_path: Path) -> None:
    save(tmp_path, ADA)
    (tmp_path / "identity.json").unlink()
    assert load(tmp_path) == ADA


@pytest.mark.usefixtures("no_keyring")
def test_damage_at_any_byte_of_a_key_file_is_noticed(tmp_path: Path) -> None:
    save(tmp_path, ADA)
    path = tmp_path / "identity.key"
    whole = path.read_bytes()
    for position in range(len(whole) - 1):  # the last byte is the line's end
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1]) + whole[position + 1 :])
        with pytest.raises(StorageError, match=r"damaged.*edda join"):
            load(tmp_path)
        path.write_bytes(whole[:position])
        with pytest.raises(StorageError, match=r"damaged.*edda join"):
            load(tmp_path)


@pytest.mark.usefixtures("no_keyring")
def test_a_missing_key_is_never_silently_replaced(tmp_path: Path) -> None:
    save(tmp_path, ADA)
    (tmp_path / "identity.key").unlink()
    with pytest.raises(StorageError, match=r"missing.*edda join"):
        load(tmp_path)


@pytest.mark.usefixtures("no_keyring")
def test_the_key_of_another_device_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "ada", ADA)
    save(tmp_path / "bob", BOB)
    (tmp_path / "ada" / "identity.key").replace(tmp_path / "bob" / "identity.key")
    with pytest.raises(StorageError, match="another device"):
        load(tmp_path / "bob")


@pytest.mark.usefixtures("no_keyring")
@pytest.mark.parametrize("note", ["", "{", "[]", "7", "{}", '{"device": "x"}'])
def test_a_damaged_note_is_an_error_that_says_what_to_do(tmp_path: Path, note: str) -> None:
    save(tmp_path, ADA)
    (tmp_path / "identity.json").write_text(note)
    with pytest.raises(StorageError, match=r"identity.json is damaged.*delete it"):
        load(tmp_path)


@pytest.mark.usefixtures("no_keyring")
def test_a_home_that_is_a_file_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("not a folder")
    with pytest.raises(StorageError, match="home"):
        save(tmp_path / "home", ADA)
    with pytest.raises(StorageError, match="cannot be read"):
        load(tmp_path / "home")


@pytest.mark.usefixtures("no_keyring")
def test_a_home_that_may_not_be_written_is_read_only() -> None:
    with pytest.raises(ReadOnlyError, match="/sys/edda"):  # no folder can be made there, not even by root
        save(Path("/sys/edda"), ADA)


@pytest.mark.usefixtures("no_keyring")
def test_a_save_that_fails_leaves_no_half_written_file(tmp_path: Path) -> None:
    (tmp_path / "identity.key" / "in the way").mkdir(parents=True)
    with pytest.raises(StorageError):
        save(tmp_path, ADA)
    assert [path.name for path in tmp_path.iterdir()] == ["identity.key"]


# --- the keyring ------------------------------------------------------------------------------------------------------


def test_an_identity_is_saved_in_the_keyring_and_no_key_in_a_file(tmp_path: Path, shelf: ShelfKeyring) -> None:
    assert save(tmp_path, ADA) == "the keyring"
    assert list(shelf.entries) == [("edda-sync", ADA.device)]
    assert [path.name for path in tmp_path.iterdir()] == ["identity.json"]
    assert json.loads((tmp_path / "identity.json").read_text()) == {"device": ADA.device, "key": "keyring"}
    found = load(tmp_path)
    assert found == ADA
    assert found.private_bytes() == ADA.private_bytes()


def test_a_key_file_is_removed_when_the_keyring_takes_the_key(
    tmp_path: Path, shelf: ShelfKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("EDDA_KEYRING", "off")
        assert save(tmp_path, ADA) == "a file"
    assert save(tmp_path, ADA) == "the keyring"
    assert not (tmp_path / "identity.key").exists()
    assert load(tmp_path) == ADA


def test_edda_keyring_off_uses_a_file_even_with_a_good_keyring(
    tmp_path: Path, shelf: ShelfKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EDDA_KEYRING", "off")
    assert save(tmp_path, ADA) == "a file"
    assert shelf.entries == {}


@pytest.mark.parametrize("backend", [DeafKeyring, PlainKeyring])
def test_an_unsafe_keyring_is_not_used(
    tmp_path: Path, use_keyring: type[ShelfKeyring], backend: type[ShelfKeyring]
) -> None:
    keyring.set_keyring(backend())
    assert save(tmp_path, ADA) == "a file"
    assert load(tmp_path) == ADA


def test_a_keyring_that_fails_while_saving_falls_back_to_a_file(tmp_path: Path, shelf: ShelfKeyring) -> None:
    shelf.locked = True
    assert save(tmp_path, ADA) == "a file"
    assert load(tmp_path) == ADA


def test_a_locked_keyring_is_an_error_that_says_what_to_do(tmp_path: Path, shelf: ShelfKeyring) -> None:
    save(tmp_path, ADA)
    shelf.locked = True
    with pytest.raises(StorageError, match="unlock it"):
        load(tmp_path)


def test_a_keyring_that_is_gone_is_an_error_that_says_what_to_do(
    tmp_path: Path, shelf: ShelfKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(tmp_path, ADA)
    monkeypatch.setenv("EDDA_KEYRING", "off")
    with pytest.raises(StorageError, match="without EDDA_KEYRING=off"):
        load(tmp_path)


def test_a_key_missing_from_or_damaged_in_the_keyring_is_an_error(tmp_path: Path, shelf: ShelfKeyring) -> None:
    save(tmp_path, ADA)
    shelf.entries["edda-sync", ADA.device] = "edda-ed25519 nonsense"
    with pytest.raises(StorageError, match=r"damaged.*edda join"):
        load(tmp_path)
    shelf.entries.clear()
    with pytest.raises(StorageError, match=r"missing.*edda join"):
        load(tmp_path)


@pytest.mark.parametrize("is_locked", [False, True])
def test_an_identity_that_no_other_device_knows_is_discarded_with_its_key(
    tmp_path: Path, shelf: ShelfKeyring, is_locked: bool
) -> None:
    save(tmp_path / "home", ADA)
    assert len(shelf.entries) == 1
    shelf.locked = is_locked
    discard(tmp_path / "home")
    assert not (tmp_path / "home").exists()
    assert len(shelf.entries) == is_locked


@pytest.mark.usefixtures("no_keyring")
def test_an_identity_in_a_file_is_discarded_too_and_a_missing_one_is_no_error(tmp_path: Path) -> None:
    save(tmp_path, ADA)
    (tmp_path / "mine").touch()
    discard(tmp_path)
    discard(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_what_is_sealed_for_a_device_is_opened_by_that_device_alone() -> None:
    one, other = Identity.create(), Identity.create()
    ((suite, key),) = one.sealing_keys
    sealed = seal_for(key, b"secret", b"about")
    assert suite == X25519_HKDF_SHA256
    assert Identity.from_private(one.private_bytes()).unseal(sealed, b"about") == b"secret"
    assert other.unseal(sealed, b"about") is one.unseal(sealed, b"else") is None
