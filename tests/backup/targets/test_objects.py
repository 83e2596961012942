"""An object store as a target: what goes wrong on the way, and at the other end."""

from __future__ import annotations

import json
import socket
import ssl
import traceback
from collections.abc import Callable
from urllib.parse import unquote

import pytest

from edda_sync.backup.targets import objects
from edda_sync.backup.targets.credentials import Credentials
from edda_sync.backup.targets.objects import CREATE, PART, SWAP, ObjectTarget
from edda_sync.backup.targets.place import AZURE, GOOGLE, MEMORY, S3, Place
from edda_sync.transport.identity import Identity, load_into
from edda_sync.words.errors import NoObjectError, TargetError
from tests.backup.targets.stores import (
    AWS,
    SECRET,
    Asked,
    answering,
    careless,
    drop_bucket,
    make_bucket,
    refusing,
)

BAD_KEY = {
    "private_key": f"-----BEGIN PRIVATE KEY-----\n{SECRET}\n-----END PRIVATE KEY-----",
    "private_key_id": "a",
    "client_email": "b",
}
KEY = "edda/t/objects/00ff"
CALLS: list[Callable[[ObjectTarget], object]] = [
    lambda target: target.put(KEY, b"x"),
    lambda target: target.get(KEY),
    lambda target: list(target.list("edda/")),
    lambda target: target.delete(KEY),
]
CALL_NAMES = ["put", "get", "list", "delete"]


def at(url: str, credentials: Credentials = AWS) -> ObjectTarget:
    return ObjectTarget("cloud", Place(S3, "bucket", endpoint=url), credentials)


def failing(work: Callable[[], object]) -> str:
    """Return what an error says, after a look whether all that can be printed of it is free of secrets."""
    with pytest.raises(TargetError) as caught:
        work()
    printed = "".join(traceback.format_exception(caught.value))
    assert SECRET not in printed
    assert "Debug source" not in printed
    return str(caught.value)


@pytest.mark.parametrize("call", CALLS, ids=CALL_NAMES)
@pytest.mark.parametrize(
    ("status", "code", "why"),
    [
        (403, "ExpiredToken", "its credentials have expired"),
        (403, "AccessDenied", "its credentials may not do this"),
        (404, "NoSuchBucket", "the bucket or container is not there"),
        (403, "QuotaExceeded", "its quota is used up"),
    ],
)
def test_a_refusal_is_a_short_error_without_secrets(
    call: Callable[[ObjectTarget], object], status: int, code: str, why: str
) -> None:
    with answering(refusing(status, code)) as url:
        assert why in failing(lambda: call(at(url)))


@pytest.mark.parametrize("call", CALLS, ids=CALL_NAMES)
def test_a_bucket_that_vanished_is_no_missing_object(s3: str, call: Callable[[ObjectTarget], object]) -> None:
    target = ObjectTarget("cloud", make_bucket(s3, "vanishing"), AWS)
    drop_bucket(s3, "vanishing")
    assert "the bucket or container is not there" in failing(lambda: call(target))


@pytest.mark.parametrize("call", CALLS, ids=CALL_NAMES)
def test_a_server_that_never_answers_is_given_up(
    call: Callable[[ObjectTarget], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(objects, "_ATTEMPT_S", 0.15)
    with answering(lambda _: None) as url:
        assert "it does not answer" in failing(lambda: call(at(url)))


def test_a_server_that_is_not_there_is_told() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and it does not listen
        assert "nobody answers there" in failing(lambda: at(f"http://127.0.0.1:{taken.getsockname()[1]}").get(KEY))


def test_a_server_without_tls_or_with_a_certificate_of_its_own_is_told() -> None:
    with answering(refusing(403, "x")) as url:
        assert "it does not speak TLS" in failing(lambda: at(url.replace("http:", "https:")).get(KEY))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_into(context, Identity.create())
    with answering(refusing(403, "x"), context) as url:
        assert "its certificate is not one that this machine trusts" in failing(lambda: at(url).get(KEY))


@pytest.mark.parametrize("body", [b"garbage", b"", b"\xff" * 90])
def test_an_answer_of_something_else_is_told(body: bytes) -> None:
    with answering(lambda _: (200, body)) as url:
        assert "cannot be used" in failing(lambda: list(at(url).list("edda/")))


def test_a_list_in_no_order_is_refused(s3: str) -> None:
    def listed(asked: Asked) -> tuple[int, bytes]:
        entries = "".join(
            f"<Contents><Key>edda/{key}</Key><Size>1</Size><ETag>x</ETag>"
            "<LastModified>2026-11-30T12:00:00Z</LastModified></Contents>"
            for key in "ba"
        )
        return 200, f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>".encode()

    with answering(listed) as url:
        assert "lists objects in no order" in failing(lambda: list(at(url).list("edda/")))


def test_conditions_are_seen_to_be_kept_or_ignored_in_silence(s3: str) -> None:
    kept = ObjectTarget("cloud", make_bucket(s3, "conditions"), AWS).keeps(KEY)
    assert kept == {CREATE: True, SWAP: True, PART: True}
    with answering(careless()) as url:
        assert at(url).keeps(KEY) == {CREATE: False, SWAP: False, PART: False}
    assert ObjectTarget("memory", Place(MEMORY, "conditions"), Credentials()).keeps(KEY) == kept


def test_the_environment_does_not_change_where_or_as_whom_a_target_is_asked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "of-another-account")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    seen = []

    def answer(asked: Asked) -> tuple[int, bytes]:
        seen.append(asked)
        return 200, b""

    with answering(answer) as url:
        at(url).put(KEY, b"x")
    (asked,) = seen
    assert asked.path == f"/bucket/{KEY}"
    assert "Credential=key/" in asked.headers["authorization"]
    assert "x-amz-security-token" not in asked.headers


def test_a_session_token_is_sent() -> None:
    seen = []

    def answer(asked: Asked) -> tuple[int, bytes]:
        seen.append(asked.headers["x-amz-security-token"])
        return 200, b""

    with answering(answer) as url:
        at(url, Credentials({**AWS.values, "session_token": "temporary"})).put(KEY, b"x")
    assert seen == ["temporary"]


@pytest.mark.parametrize(
    ("place", "credentials"),
    [
        (Place(AZURE, "container", account="somebody"), Credentials({"account_key": f"{SECRET} not base64"})),
        (Place(GOOGLE, "bucket"), Credentials({"service_account_key": f'{{"private_key": "{SECRET}"}}'})),
        (Place(GOOGLE, "bucket"), Credentials({"service_account_key": SECRET})),
        (Place(GOOGLE, "bucket"), Credentials({"service_account_key": json.dumps(BAD_KEY)})),
    ],
)
def test_credentials_that_can_be_none_are_told_and_not_shown(place: Place, credentials: Credentials) -> None:
    def use() -> None:
        ObjectTarget("cloud", place, credentials).put(KEY, b"x")

    assert "cannot be used" in failing(use)


def test_google_is_spoken_to_by_the_same_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Place, "is_plain", True)
    seen = []
    store = careless()

    def answer(asked: Asked) -> tuple[int, bytes] | None:
        seen.append(asked)
        return store(asked)

    with answering(answer) as url:
        key = {"gcs_base_url": url, "disable_oauth": True, "client_email": "", "private_key": "", "private_key_id": ""}
        credentials = Credentials({"service_account_key": json.dumps(key)})
        target = ObjectTarget("cloud", Place(GOOGLE, "bucket", "mine"), credentials)
        target.put(KEY, b"content")
        assert target.get(KEY) == b"content"
        assert [(each.key, each.size) for each in target.list("edda/")] == [(KEY, 7)]
        target.delete(KEY)
        target.delete(KEY)
        with pytest.raises(NoObjectError):
            target.get(KEY)
    assert {unquote(asked.path).partition("?")[0] for asked in seen} == {f"/bucket/mine/{KEY}", "/bucket"}


def test_azure_is_asked_with_a_token_however_it_was_copied() -> None:
    seen = []

    def answer(asked: Asked) -> tuple[int, bytes]:
        seen.append(asked.path)
        return 201, b""

    with answering(answer) as url:
        place = Place(AZURE, "container", "mine", endpoint=f"{url}/account", account="account")
        for token in ("?sv=2022&sig=x%2By", "sv=2022&sig=x%2By"):
            ObjectTarget("cloud", place, Credentials({"sas_token": token})).put(KEY, b"x")
    assert seen == [f"/account/container/mine/{KEY}?sv=2022&sig=x%2By"] * 2
