from __future__ import annotations

import pytest

from edda_sync.simulations.keys import Keys, identity_of


def test_each_number_has_its_own_identity_which_is_the_same_in_every_run() -> None:
    assert identity_of(1).private_bytes() == identity_of(1).private_bytes()
    assert len({identity_of(number).device for number in range(20)}) == 20


@pytest.mark.parametrize("real", [False, True])
def test_a_signature_is_accepted_only_from_its_maker_and_for_the_signed_message(real: bool) -> None:
    keys = Keys(real=real)
    one, other = keys.of(identity_of(1)), keys.of(identity_of(2))
    signature = one.sign(b"message")
    assert len(signature) == 64
    assert keys.verify(one.public_key, signature, b"message")
    assert not keys.verify(other.public_key, signature, b"message")
    assert not keys.verify(one.public_key, signature, b"another message")
    assert not keys.verify(one.public_key, bytes(64), b"message")


def test_everybody_takes_a_stand_in_for_the_same_device() -> None:
    one, true = Keys(real=False).of(identity_of(1)), identity_of(1)
    assert (one.device, one.public_key, one.certificate) == (true.device, true.public_key, true.certificate)
    assert one.sealing_keys == true.sealing_keys
    assert true.private_bytes().hex() not in repr(one)


def test_a_stranger_has_no_stand_in() -> None:
    signature = Keys(real=False).of(identity_of(1)).sign(b"message")
    assert not Keys(real=False).verify(identity_of(1).public_key, signature, b"message")
