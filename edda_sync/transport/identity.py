"""
The identity of a device: an Ed25519 key, the certificate that it shows in TLS, and where the key is kept.

The device id is the hash of the public key, so nobody can choose an id. The certificate follows from the key alone, byte
for byte: other devices pin it, and a device that lost everything except its key keeps its identity. The key is kept in the
system's keyring if there is a real one (unless ``EDDA_KEYRING=off``), otherwise in ``identity.key``, which only its owner
can read. ``identity.json`` says where it is. Both contain one line, ``edda-ed25519 DEVICE KEY``, that can be checked by
itself.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from edda_sync.crdt.records import X25519_HKDF_SHA256, device_id
from edda_sync.sealing import vault
from edda_sync.words.errors import InvalidValueError, StorageError, is_panic
from edda_sync.words.files import disk_error, mend_open_file, opener, replace_file, sweep_files
from edda_sync.words.folders import KEY_FILE, NOTE_FILE, make_folder

if TYPE_CHECKING:
    import ssl

    from cryptography import x509

KEY_BYTES = 32
LINE_MARK = "edda-ed25519"
REMEDY = f"put it back from a backup, or move {NOTE_FILE} and {KEY_FILE} away and join again with `edda join`"
# A certificate follows from its key byte for byte, so it has fixed dates; nobody checks them (``tls``).
VALID_FROM = datetime(2000, 1, 1, tzinfo=UTC)
VALID_UNTIL = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Identity:
    """
    One device's key and certificate.

    Make one with :meth:`create`, save it with :func:`save`, and load it with :func:`load`.

    Attributes:
        device: The device id: :func:`device_of` the public key.
        public_key: The raw Ed25519 public key, 32 bytes.
    """

    device: str
    public_key: bytes
    _key: Ed25519PrivateKey = field(repr=False, compare=False)
    _shown: bytes = field(default=b"", repr=False)  # another certificate than its own, for tests of what is refused

    @classmethod
    def create(cls) -> Identity:
        """Return the identity of a new device, from the system's random source."""
        return cls._of(Ed25519PrivateKey.generate())

    @classmethod
    def from_private(cls, private: bytes) -> Identity:
        """
        Return the identity of a raw private key: the same key always gives the same certificate.

        Args:
            private: The private key from :meth:`private_bytes`, 32 bytes.

        Raises:
            InvalidValueError: It does not have 32 bytes.
        """
        if len(private) != KEY_BYTES:
            raise InvalidValueError("key", f"must be {KEY_BYTES} bytes, not {len(private)}")
        return cls._of(Ed25519PrivateKey.from_private_bytes(private))

    @classmethod
    def _of(cls, key: Ed25519PrivateKey) -> Identity:
        public_key = key.public_key().public_bytes_raw()
        return cls(device_of(public_key), public_key, key)

    @property
    def certificate(self) -> bytes:
        """What the device shows in TLS, DER; other members pin it. It follows from the key, and is made when needed."""
        return self._shown or _certificate(self._key)

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature of a message (RFC 8032); check it with :func:`verify`."""
        return self._key.sign(message)

    @property
    def sealing_keys(self) -> tuple[tuple[int, bytes], ...]:
        """
        The public keys with which secrets can be sealed to this device: suite and key, see ``crdt.records``.

        The private one follows from the signing key by HKDF (RFC 5869), under a label of its own. So neither key can be used
        in place of the other, and there is one secret to keep.
        """
        return ((X25519_HKDF_SHA256, self._sealing_key().public_key().public_bytes_raw()),)

    def unseal(self, sealed: bytes, about: bytes) -> bytes | None:
        """
        Return a secret that was sealed for this device's first sealing key (``sealing.hpke.seal_for``).

        Returns:
            The secret; None if it was sealed for another key, is about something else, or is damaged.
        """
        from edda_sync.sealing.hpke import open_with

        return open_with(self._sealing_key(), sealed, about)

    def _sealing_key(self) -> X25519PrivateKey:
        derived = HKDF(SHA256(), 32, salt=None, info=b"edda sealing 1").derive(self.private_bytes())
        return X25519PrivateKey.from_private_bytes(derived)

    def private_bytes(self) -> bytes:
        """Return the raw private key, 32 bytes: never log it, never send it."""
        return self._key.private_bytes_raw()


def device_of(public_key: bytes) -> str:
    """Return the device id of a raw public key, like ``crdt.records.device_id``."""
    return device_id(public_key)


def public_key_of(certificate: bytes) -> bytes:
    """
    Return the raw public key of a device's certificate; :func:`device_of` then returns the device id.

    Args:
        certificate: DER, from pairing or from the log; not trusted.

    Returns:
        The Ed25519 public key, 32 bytes.

    Raises:
        InvalidValueError: It is no certificate, or one that its device did not make. TLS finds a pinned certificate by its
            subject, so a certificate in another device's name, or altered by others, would lock that device out.
    """
    from cryptography import x509  # takes as long to load as a short command runs
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        parsed = x509.load_der_x509_certificate(certificate)
        key, subject, issuer = parsed.public_key(), parsed.subject, parsed.issuer
        signature, signed = parsed.signature, parsed.tbs_certificate_bytes
    except BaseException as error:
        foreseen = isinstance(error, ValueError | TypeError | UnsupportedAlgorithm | x509.InvalidVersion)
        if not foreseen and not is_panic(error):
            raise
        raise InvalidValueError("certificate", "is not an X.509 certificate") from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidValueError("certificate", "does not hold an Ed25519 key")
    public_key = key.public_bytes_raw()
    if not subject == issuer == _name(device_of(public_key)):
        raise InvalidValueError("certificate", "is not named after its own key")
    if not verify(public_key, signature, signed):
        raise InvalidValueError("certificate", "is not signed by its own key")
    return public_key


def verify(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Tell whether the owner of a raw public key signed this message."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def load_into(context: ssl.SSLContext, identity: Identity) -> None:
    """
    Give a TLS context this device's key and certificate.

    ``ssl`` reads a key only from a file. The key is written there encrypted, under a password that is only in memory, in a
    folder of its own, and the file is deleted at once.

    Raises:
        StorageError: The system's folder for temporary files cannot be written.
    """
    import ssl  # only what links to others needs it
    import tempfile

    password = secrets.token_bytes(32).hex()
    encryption = BestAvailableEncryption(password.encode("ascii"))
    key = identity._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)
    chain = key + ssl.DER_cert_to_PEM_cert(identity.certificate).encode("ascii")
    try:
        with tempfile.TemporaryDirectory(prefix="edda-") as folder:  # created with mode 0700
            path = Path(folder) / "key.pem"
            with open(path, "xb", opener=_private_opener) as file:
                file.write(chain)
            context.load_cert_chain(path, password=password)
    except ssl.SSLError:
        raise  # it is an OSError by its class, but no fault of the disk
    except OSError as error:
        raise disk_error(Path(tempfile.gettempdir()), error) from error


def save(home: Path, identity: Identity) -> str:
    """
    Save an identity durably, for :func:`load`.

    Args:
        home: The folder of the device's store; it is created if missing.
        identity: The identity; it replaces the one that was saved before.

    Returns:
        Where the key went: ``"the keyring"`` or ``"a file"``.

    Raises:
        StorageError: The folder cannot be written; nothing was saved.
    """
    in_keyring = vault.put(identity.device, _secret(identity))
    note = {"device": identity.device, "key": "keyring" if in_keyring else "file"}
    make_folder(home)
    try:
        sweep_files(home, time.time())  # a save that was killed may have left a key
        if not in_keyring:
            _write(home / KEY_FILE, _secret(identity) + "\n")
        _write(home / NOTE_FILE, json.dumps(note) + "\n")
        if in_keyring:  # a copy of the key in a file would make the keyring pointless
            (home / KEY_FILE).unlink(missing_ok=True)
    except OSError as error:
        raise disk_error(home, error) from error
    return "the keyring" if in_keyring else "a file"


def load(home: Path) -> Identity | None:
    """
    Return the identity that :func:`save` saved in this folder.

    Returns:
        The identity; None if none was ever saved.

    Raises:
        StorageError: There was one, and its key is missing, damaged or not accessible; the text says what to do.
    """
    note = _read(home / NOTE_FILE)
    if note is None:  # a save was interrupted, or the note was lost; the key can be checked by itself
        text = _read(home / KEY_FILE)
        return None if text is None else _parsed(text, home / KEY_FILE)
    try:
        found = json.loads(note)
        device, place = found["device"], found["key"]
    except (ValueError, KeyError, TypeError) as error:
        raise StorageError(
            f"{home / NOTE_FILE} is damaged: put it back from a backup, or, if {KEY_FILE} lies beside it, delete it."
        ) from error
    if place == "keyring":
        identity = _from_keyring(device)
    else:
        text = _read(home / KEY_FILE)
        if text is None:
            raise StorageError(f"The key of this device, {home / KEY_FILE}, is missing: {REMEDY}.")
        identity = _parsed(text, home / KEY_FILE)
    if identity.device != device:
        raise StorageError(f"The key in {home} belongs to another device than {NOTE_FILE} says: {REMEDY}.")
    return identity


def is_in_keyring(home: Path) -> bool:
    """Tell whether the key of the identity that :func:`save` saved in a folder is in the system's keyring."""
    note = _read(home / NOTE_FILE)
    return note is not None and json.loads(note).get("key") == "keyring"


def discard(home: Path) -> None:
    """
    Remove an identity that :func:`save` kept, and that nobody knows, wherever its key is.

    Raises:
        StorageError: It cannot be removed.
    """
    if is_in_keyring(home):
        vault.remove(json.loads(_read(home / NOTE_FILE) or "")["device"])
    forget(home)


def forget(home: Path) -> None:
    """
    Remove the files of an identity that is also saved elsewhere, and the folder if nothing else is in it.

    Raises:
        StorageError: They cannot be removed.
    """
    try:
        for name in (NOTE_FILE, KEY_FILE):
            (home / name).unlink(missing_ok=True)
        with contextlib.suppress(OSError):
            home.rmdir()
    except OSError as error:
        raise disk_error(home, error) from error


@lru_cache(maxsize=16)
def _certificate(key: Ed25519PrivateKey) -> bytes:
    """Return the only certificate of a key (RFC 5280): all fields, and the Ed25519 signature, follow from the key."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    public_key = key.public_key()
    raw = public_key.public_bytes_raw()
    name = _name(device_of(raw))
    serial = int.from_bytes(hashlib.sha256(b"edda certificate serial" + raw).digest()[:16], "big") | 1  # never zero
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(public_key)
        .serial_number(serial)
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_UNTIL)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
    )
    return builder.sign(key, algorithm=None).public_bytes(Encoding.DER)


def _name(device: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])


def _secret(identity: Identity) -> str:
    return f"{LINE_MARK} {identity.device} {base64.b64encode(identity.private_bytes()).decode('ascii')}"


def _parsed(text: str, where: Path | str) -> Identity:
    with contextlib.suppress(ValueError, IndexError, InvalidValueError):
        identity = Identity.from_private(base64.b64decode(text.split()[-1], validate=True))
        if text.strip() == _secret(identity):
            return identity
    raise StorageError(f"The key of this device in {where} is damaged: {REMEDY}.")


# --- the system's keyring ---------------------------------------------------------------------------------------------


def _from_keyring(device: str) -> Identity:
    where = f"the system's keyring (service {vault.SERVICE}, name {device})"
    text = vault.get(device, "The key of this device")
    if text is None:
        raise StorageError(f"The key of this device is missing from {where}: {REMEDY}.")
    return _parsed(text, where)


# --- files ------------------------------------------------------------------------------------------------------------


def _private_opener(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write(path: Path, text: str) -> None:
    """Replace a whole file, which only its owner can read. It is on disk when this returns."""
    replace_file(path, lambda file: file.write(text.encode("ascii")))


def _read(path: Path) -> str | None:
    try:
        with open(path, "rb", opener=opener) as file:
            mend_open_file(path, file.fileno())
            return file.read().decode("ascii", errors="replace")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({error.strerror}): check its owner and its disk.") from error
