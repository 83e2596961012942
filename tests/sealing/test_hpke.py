from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from edda_sync.sealing.hpke import OVERHEAD_BYTES, open_with, seal_for
from edda_sync.words.errors import InvalidValueError

KEY = X25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
GOLDEN = "f87edad137ef7760ca50cfe38dcb430993fcd5efe2e0329db1b8482a6e47964f1c8bac52e7ea26623373beba739ec8d75ec2bdf16b42"


def test_only_the_private_key_opens_what_was_sealed_for_its_public_key() -> None:
    sealed = seal_for(PUBLIC, b"secret", b"about")
    assert len(sealed) == len(b"secret") + OVERHEAD_BYTES
    assert open_with(KEY, sealed, b"about") == b"secret"
    assert open_with(KEY, sealed, b"something else") is None
    assert open_with(X25519PrivateKey.generate(), sealed, b"about") is None
    assert seal_for(PUBLIC, b"secret", b"about") != sealed


def test_a_secret_that_an_earlier_version_sealed_opens() -> None:
    assert open_with(KEY, bytes.fromhex(GOLDEN), b"about") == b"secret"


@pytest.mark.parametrize("sealed", [b"", bytes(47), bytes(48), bytes(100), b"\xff" * 100])
def test_what_was_not_sealed_is_not_opened(sealed: bytes) -> None:
    assert open_with(KEY, sealed, b"about") is None


@pytest.mark.parametrize("key", [b"", bytes(31), bytes(32), bytes([1, *bytes(31)]), bytes(33)])
def test_nothing_is_sealed_for_what_is_no_key(key: bytes) -> None:
    with pytest.raises(InvalidValueError, match="is no X25519 key"):
        seal_for(key, b"secret", b"about")
