from __future__ import annotations

import asyncio
import dataclasses
import socket
import ssl
from datetime import UTC, datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from edda_sync.transport import tls
from edda_sync.transport.dial import dial
from edda_sync.transport.identity import VALID_FROM, VALID_UNTIL, Identity, load_into
from edda_sync.words.errors import (
    LinkClosedError,
    NotAMemberError,
    NotReachableError,
)
from tests.transport.linking import (
    ADA,
    BOB,
    DAN,
    EVE,
    REQUEST,
    Inbox,
    WatchedListener,
    listening,
    raw_context,
    request_by_hand,
)


def signed_by(
    signer: Identity,
    owner: Identity,
    name: str,
    *,
    authority: bool,
    valid: tuple[datetime, datetime] = (VALID_FROM, VALID_UNTIL),
) -> bytes:
    """A certificate of the owner's key under a name of choice, signed by somebody, DER."""

    def named(device: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, device)])

    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(signer.device))
        .public_key(owner._key.public_key())
        .serial_number(7)
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    return builder.sign(signer._key, None).public_bytes(Encoding.DER)


async def test_a_certificate_signed_by_a_pinned_one_is_refused_by_both_sides() -> None:
    pinned = signed_by(DAN, DAN, DAN.device, authority=True)
    forged = dataclasses.replace(EVE, _shown=signed_by(DAN, EVE, EVE.device, authority=False))
    inbox = Inbox()
    async with WatchedListener(ADA, lambda: {DAN.device: pinned}, inbox, "127.0.0.1") as listener:
        assert (await request_by_hand(listener.port, forged)).startswith(b"HTTP/1.1 403 ")  # TLS alone let it through
        with pytest.raises(NotAMemberError):
            await dial(forged, ADA.device, ADA.certificate, "127.0.0.1", listener.port)
        assert listener.requests == 2
    async with listening(inbox, BOB, identity=forged) as listener:
        with pytest.raises(NotAMemberError):
            await dial(BOB, DAN.device, pinned, "127.0.0.1", listener.port)
        assert listener.requests == 1  # TLS alone let it through here, too
        assert isinstance(await inbox.ends.get(), LinkClosedError)


@pytest.mark.parametrize("year", [1990, 9000])
async def test_no_clock_makes_a_certificate_invalid_on_either_side(year: int) -> None:
    then = datetime(year, 1, 1, tzinfo=UTC), datetime(year + 1, 1, 1, tzinfo=UTC)  # as a clock that is wrong sees it
    ada, bob = (
        dataclasses.replace(each, _shown=signed_by(each, each, each.device, authority=False, valid=then))
        for each in (ADA, BOB)
    )
    inbox = Inbox()
    async with listening(inbox, bob, identity=ada) as listener:
        link = await dial(bob, ada.device, ada.certificate, "127.0.0.1", listener.port)
        assert (await inbox.links.get()).peer == bob.device
        await link.close()


async def test_tls_1_2_is_refused() -> None:
    async with listening(Inbox(), BOB) as listener:
        context = raw_context(BOB)
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            await asyncio.open_connection("127.0.0.1", listener.port, ssl=context, server_hostname="")
        assert listener.requests == 0


async def test_a_caller_refuses_tls_1_2() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    load_into(context, ADA)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        with pytest.raises(NotReachableError, match="hung up"):
            await dial(BOB, ADA.device, ADA.certificate, "127.0.0.1", server.sockets[0].getsockname()[1])


async def test_a_session_cannot_be_resumed() -> None:
    def visit(context: ssl.SSLContext, port: int, session: ssl.SSLSession | None) -> tuple[ssl.SSLSession | None, bool]:
        with (
            socket.create_connection(("127.0.0.1", port)) as plain,
            context.wrap_socket(plain, session=session) as stream,
        ):
            stream.sendall(REQUEST.encode())
            assert stream.recv(16).startswith(b"HTTP/1.1 101 ")  # a ticket would have come before this
            return stream.session, bool(stream.session_reused)

    async with listening(Inbox(), BOB) as listener:
        context = raw_context(BOB)
        session, _ = await asyncio.to_thread(visit, context, listener.port, None)
        assert session is not None
        assert not session.has_ticket
        _, reused = await asyncio.to_thread(visit, context, listener.port, session)
        assert not reused


def test_a_device_proves_itself_to_itself() -> None:
    tls.check(ADA)


@pytest.mark.parametrize(
    "shown",
    [b"no certificate", signed_by(DAN, EVE, EVE.device, authority=False), BOB.certificate],
    ids=["none", "signed by another", "of another key"],
)
def test_a_device_that_cannot_prove_itself_is_told(shown: bytes) -> None:
    with pytest.raises(ssl.SSLError):
        tls.check(dataclasses.replace(EVE, _shown=shown))
