"""
TLS contexts: 1.3 only, and without host names, because a device is identified by its key, wherever it is.

On the server's side, ``ssl`` cannot accept a connection and look at its certificate afterwards, so the pinned certificates
are the trust anchors. That is not enough, because a pinned certificate with CA:TRUE could sign another one: also look up
the exact certificate, with :func:`certificate_of`.

The time is not checked: a certificate has no end, and a device whose clock says 1970 still has to reach the others.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Iterable
from typing import Final

from edda_sync.transport.identity import Identity, load_into

_NO_CHECK_TIME: Final = ssl.VerifyFlags(0x200000)  # X509_V_FLAG_NO_CHECK_TIME; the standard library does not name it
_FLIGHTS: Final = 3  # in TLS 1.3 each side has said everything by then (RFC 8446, section 2)


def mutual(identity: Identity, side: int, pinned: Iterable[bytes]) -> ssl.SSLContext:
    """
    Return the context of one side of a link: it shows our certificate, and trusts exactly the pinned ones.

    Args:
        identity: This device.
        side: ``ssl.PROTOCOL_TLS_CLIENT`` or ``ssl.PROTOCOL_TLS_SERVER``.
        pinned: The trusted certificates, DER.

    Raises:
        ssl.SSLError: One of them is no certificate.
    """
    context = _context(side, ssl.CERT_REQUIRED)
    load_into(context, identity)
    anchors = b"".join(pinned)
    if anchors:  # OpenSSL refuses an empty list; without anchors nobody is trusted, as intended
        context.load_verify_locations(cadata=anchors)
    return context


def showing(identity: Identity) -> ssl.SSLContext:
    """Return the context of a server that shows its certificate and asks for none."""
    context = _context(ssl.PROTOCOL_TLS_SERVER, ssl.CERT_NONE)
    load_into(context, identity)
    return context


def unverified() -> ssl.SSLContext:
    """Return the context of a client that shows nothing and accepts any certificate, which proves nothing yet."""
    return _context(ssl.PROTOCOL_TLS_CLIENT, ssl.CERT_NONE)


def check(identity: Identity) -> None:
    """
    Let a device prove itself to itself, both ways, as in a link; nothing leaves the process.

    Raises:
        ssl.SSLError: It cannot link with anybody, because of its key, its certificate or this system's TLS.
        StorageError: The system's folder for temporary files cannot be written.
    """
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    pinned = [identity.certificate]
    ends = [
        mutual(identity, ssl.PROTOCOL_TLS_CLIENT, pinned).wrap_bio(to_client, to_server),
        mutual(identity, ssl.PROTOCOL_TLS_SERVER, pinned).wrap_bio(to_server, to_client, server_side=True),
    ]
    for end in ends * _FLIGHTS:
        with contextlib.suppress(ssl.SSLWantReadError):
            end.do_handshake()
    if any(end.getpeercert(binary_form=True) != identity.certificate for end in ends):
        raise ssl.SSLError("another certificate was shown than the own one")


def certificate_of(transport: asyncio.BaseTransport) -> bytes:
    """Return the certificate (DER) whose key the other end has proved to hold; empty if it showed none."""
    tls: ssl.SSLObject = transport.get_extra_info("ssl_object")
    return tls.getpeercert(binary_form=True) or b""


def _context(side: int, verify_mode: ssl.VerifyMode) -> ssl.SSLContext:
    context = ssl.SSLContext(side)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.check_hostname = False
    context.verify_mode = verify_mode
    context.verify_flags |= _NO_CHECK_TIME
    if side == ssl.PROTOCOL_TLS_SERVER:  # a resumed session skips the check of certificates
        context.options |= ssl.OP_NO_TICKET
        context.num_tickets = 0
    return context
