from __future__ import annotations

import pytest

from edda_sync.transport.pairing.frames import SENTENCES, refusal
from edda_sync.transport.pairing.machine import Entered, State
from edda_sync.words.errors import (
    EddaError,
    PairingError,
)
from tests.transport.pairing.sides import ADMISSION, NAMES, RECORD, WELCOME, Pair


def test_two_devices_with_the_same_code_trade_record_and_welcome() -> None:
    pair = Pair().run()
    assert (pair.verified, pair.entered) == (RECORD, Entered(WELCOME, ADMISSION))
    assert (pair.inviter.state, pair.joiner.state) == (State.DONE, State.DONE)
    assert len(pair.frames) == len(NAMES)


@pytest.mark.parametrize("side", ["joiner_password", "inviter_password"])
def test_a_wrong_code_on_either_side_ends_both_and_spends_the_code(side: str) -> None:
    pair = Pair(**{side: b"1234567891"})  # type: ignore[arg-type]
    with pytest.raises(PairingError) as caught:
        pair.run()
    assert caught.value.reason == SENTENCES["wrong"]
    assert pair.inviter.state is State.SPENT
    assert (pair.verified, pair.entered) == (None, None)
    with pytest.raises(PairingError) as told:
        pair.joiner.receive(refusal(caught.value))
    assert told.value.reason == SENTENCES["wrong"]
    assert pair.joiner.state is State.FAILED


def test_no_error_text_holds_the_digits() -> None:
    errors: list[EddaError] = []
    for pair in (Pair(joiner_password=b"1234567891"), Pair(certificate_shown=b"x")):
        with pytest.raises(PairingError) as caught:
            pair.run()
        errors.append(caught.value)
    assert not any("34567" in str(error) or "34567" in repr(error) for error in errors)
