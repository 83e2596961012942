from __future__ import annotations

import pytest

from edda_sync.simulations.keys import Keys, identity_of


def test_the_identity_of_a_number_is_the_same_in_every_run_and_of_no_other_number() -> None:
    assert identity_of(1).private_bytes() == identity_of(1).private_bytes()
    assert len({identity_of(number).device for number in range(20)}) == 20


@pytest.mark.parametrize("real", [False, True])
def test_a_signature_is_accepted_of_who_made_it_and_for_what_was_signed_only(real: bool) -> None:
    keys = Keys(real=real)
    one, other = keys.of(identity_of(1)), keys.of(identity_of(2))
    signature = one.sign(b"message")
    assert len(signature) == 64
    assert keys.verify(one.public_key, signature, b"message")
    assert not keys.verify(other.public_key, signature, b"message")
    assert not keys.verify(one.public_key, signature, b"another message")
    assert not keys.verify(one.public_key, bytes(64), b"message")


def test_a_stand_in_is_the_same_device_to_everybody() -> None:
    one, true = Keys(real=False).of(identity_of(1)), identity_of(1)
    assert (one.device, one.public_key, one.certificate) == (true.device, true.public_key, true.certificate)
    assert one.sealing_keys == true.sealing_keys
    assert true.private_bytes().hex() not in repr(one)


def test_a_stranger_has_no_stand_in() -> None:
    signature = Keys(real=False).of(identity_of(1)).sign(b"message")
    assert not Keys(real=False).verify(identity_of(1).public_key, signature, b"message")
