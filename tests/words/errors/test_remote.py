from __future__ import annotations

from edda_sync.words import errors


def test_a_reason_that_is_a_full_sentence_ends_with_one_full_stop() -> None:
    for error in (
        errors.InvalidValueError("title", "is empty."),
        errors.RemoteComplaintError("it is full."),
        errors.PairingError("it hung up."),
    ):
        assert ".." not in str(error)
    assert "(it is gone);" in str(errors.NotReachableError("192.0.2.7:4711", "it is gone."))


def test_a_peers_error_uses_the_name_that_people_call_it() -> None:
    error = errors.RemoteFaultError("The disk that holds /a/edda.db is full; nothing was written.", "upv53fgohyco" * 4)
    assert error.told("small") == (
        "The trouble is on the other device small: The disk that holds /a/edda.db is full; nothing was written; "
        "mend it there, and this one goes on by itself."
    )
    assert errors.NotAMemberError("upv53fgohyco" * 4).told("small").startswith("small and this device")
    assert errors.RemoteMismatchError("it is old").told("small") == str(errors.RemoteMismatchError("it is old"))
