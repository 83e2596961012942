"""What errors of disks and object stores mean, in words of ours."""

from __future__ import annotations

import errno
import re

import pytest

from edda_sync.backup.targets import explaining
from edda_sync.backup.targets.explaining import explained, is_missing, of_disk
from tests.backup.targets.stores import SECRET


def answer(status: str, code: str = "", kind: str = "") -> str:
    """The text of an error of obstore, as it is, with its page of debugging text."""
    body = f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>" if code else ""
    said = f"Server returned non-2xx status code: {status}: {body}" if status else "HTTP error: error sending request"
    address = f"https://host/bucket/key?sig={SECRET}"
    return (
        f"Generic S3 error: Error performing PUT {address} in 9ms, after 1 retries - {said}\n\nDebug source:\n"
        f'Generic {{\n    store: "S3",\n    uri: {address}\n    kind: {kind},\n}}'
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (answer("403 Forbidden", "ExpiredToken"), "its credentials have expired"),
        (answer("400 Bad Request", "ExpiredToken"), "its credentials have expired"),
        (answer("403 Forbidden", "SignatureDoesNotMatch"), "its secret key is not the right one"),
        (answer("403 Forbidden"), "its credentials may not do this"),
        (answer("403 Forbidden", "SomethingNew"), "its credentials may not do this"),
        (answer("401 Unauthorized"), "its credentials are not accepted"),
        (answer("404 Not Found", "NoSuchBucket"), "the bucket or container is not there"),
        (answer("404 Not Found", "ContainerNotFound"), "the bucket or container is not there"),
        (answer("507 Insufficient Storage"), "no room is left there"),
        (answer("503 Service Unavailable", "SlowDown"), "it is asked too much at present"),
        (answer("500 Internal Server Error"), "it answered 500"),
        (answer("418 I'm a teapot", "Teapot"), "it answered 418 Teapot"),
        (answer("", kind="Timeout"), "it does not answer"),
        (answer("", kind="Connect"), "nobody answers there"),
        (answer("", kind="Connect, dns error"), "no host has that name"),
        ("something else entirely", "it cannot be reached, or its answer cannot be read"),
        ("", "it cannot be reached, or its answer cannot be read"),
    ],
)
def test_an_error_is_one_short_sentence_with_what_to_do_and_without_secrets(text: str, why: str) -> None:
    said = str(explained(OSError(text)).of("cloud"))
    assert why in said
    assert SECRET not in said
    assert "\n" not in said
    assert len(said) < 200


def test_advice_names_the_target_as_a_shell_takes_it() -> None:
    expired = explained(OSError(answer("403 Forbidden", "ExpiredToken")))
    assert "`edda backup target add cloud URL --force`" in str(expired.of("cloud"))
    assert "`edda backup target add 'my cloud' URL --force`" in str(expired.of("my cloud"))


def test_a_missing_object_is_told_apart_from_a_missing_bucket() -> None:
    assert is_missing(FileNotFoundError(answer("404 Not Found", "NoSuchKey")))
    assert is_missing(FileNotFoundError(answer("404 Not Found")))
    assert not is_missing(FileNotFoundError(answer("404 Not Found", "NoSuchBucket")))
    assert not is_missing(OSError(answer("404 Not Found", "NoSuchKey")))


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.ENOSPC, "its disk is full"),
        (errno.EDQUOT, "its disk is full"),
        (errno.EROFS, "its disk can only be read"),
        (errno.EACCES, "its folder may not be used"),
        (errno.ELOOP, "a link or a file lies where a folder of it should be"),
        (errno.EFBIG, "its file system takes no file as large as that"),
        (errno.EIO, "its disk failed: Input/output error"),
        (errno.ESTALE, "its disk failed: Stale file handle"),
    ],
)
def test_an_error_of_a_disk_says_what_to_do(number: int, why: str) -> None:
    trouble = of_disk(OSError(number, "Input/output error" if number == errno.EIO else "Stale file handle"))
    assert trouble.why == why
    assert trouble.advice


def test_no_advice_ends_with_a_full_stop_and_each_goes_on_in_lower_case() -> None:
    known = [*explaining._CODES.values(), *explaining._STATUSES.values(), *(each for _, each in explaining._SIGNS)]
    assert len(known) > 25
    for each in known:
        for text in each:
            assert re.fullmatch(r"[a-z].*[^.]", text), text
