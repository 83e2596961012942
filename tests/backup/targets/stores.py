"""Real object stores on loopback for tests, and one that answers as a test says."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote

from edda_sync.backup.targets.credentials import Credentials
from edda_sync.backup.targets.place import AZURE, S3, Place

SECRET = "an-unmistakable-secret"
AWS = Credentials({"access_key_id": "key", "secret_access_key": SECRET})
EMULATED = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The key of the account that every Azure emulator has. It is public."""


PAGE = 20
"""How many objects a server of S3 here lists in one answer."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def moto() -> Iterator[str]:
    """An S3 server in a process of its own; yields its address."""
    code = (
        "import sys\n"
        "from werkzeug.serving import make_server\n"
        "from moto.server import create_backend_app\n"
        "server = make_server('127.0.0.1', 0, create_backend_app('s3'), threaded=True)\n"
        "print(server.port, flush=True)\n"
        "server.serve_forever()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "MOTO_S3_DEFAULT_MAX_KEYS": str(PAGE)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.kill()


def make_bucket(url: str, name: str) -> Place:
    """Make a bucket at a server of S3."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/{name}", method="PUT"), timeout=30).close()
    return Place(S3, name, "a/prefix", endpoint=url)


def drop_bucket(url: str, name: str) -> None:
    """Delete an empty bucket."""
    urllib.request.urlopen(urllib.request.Request(f"{url}/{name}", method="DELETE"), timeout=30).close()


class Asked(NamedTuple):
    """A request."""

    method: str
    path: str
    body: bytes
    headers: Message


Answer = Callable[[Asked], tuple[int, bytes] | None]
"""Returns status and body; None to never answer."""


@contextmanager
def answering(answer: Answer, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """A server that answers as it is told; yields its address."""
    ended = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            told = answer(Asked(self.command, self.path, body, self.headers))
            if told is None:
                ended.wait()
                return
            self.send_response(told[0])
            self.send_header("content-length", str(len(told[1])))
            self.send_header("etag", '"tag"')
            self.send_header("last-modified", "Mon, 30 Nov 2026 12:00:00 GMT")
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(told[1])

        do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815 - names of the library

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield f"{'http' if tls is None else 'https'}://127.0.0.1:{server.server_address[1]}"
    finally:
        ended.set()
        server.shutdown()
        serving.join()
        server.server_close()


def refusing(status: int, code: str) -> Answer:
    """Refuse everything, as S3 does."""
    body = f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{SECRET}</Message></Error>".encode()
    return lambda _: (status, body)


def careless() -> Answer:
    """Speak like S3, and ignore every condition in silence, as three of five servers that were tried do."""
    kept: dict[str, bytes] = {}

    def answer(asked: Asked) -> tuple[int, bytes]:
        path, _, query = unquote(asked.path).partition("?")
        if "list-type" in query:
            prefix = parse_qs(query)["prefix"][0]
            names = sorted(name.removeprefix("/bucket/") for name in kept)
            entries = "".join(
                f"<Contents><Key>{name}</Key><Size>{len(kept[f'/bucket/{name}'])}</Size><ETag>x</ETag>"
                f"<LastModified>{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}Z</LastModified></Contents>"
                for name in names
                if name.startswith(prefix)
            )
            body = f"<ListBucketResult><IsTruncated>false</IsTruncated>{entries}</ListBucketResult>"
            return 200, body.encode()
        if asked.method == "PUT":
            kept[path] = asked.body
            return 200, b""
        if asked.method == "DELETE":
            return (404 if kept.pop(path, None) is None else 204), b""
        if path not in kept:
            return 404, b"<Error><Code>NoSuchKey</Code></Error>"
        return 200, kept[path]

    return answer


@contextmanager
def azurite(program: str) -> Iterator[Place]:
    """Azure's own emulator; yields a container."""
    port = free_port()
    with subprocess.Popen(
        [program, "--blobPort", str(port), "--blobHost", "127.0.0.1", "--skipApiVersionCheck",
         "--silent", "--inMemoryPersistence", "--disableTelemetry"],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        try:
            while "successfully listens" not in process.stdout.readline():
                assert process.poll() is None
            yield Place(
                AZURE,
                "backups",
                "a/prefix",
                endpoint=f"http://127.0.0.1:{port}/devstoreaccount1",
                account="devstoreaccount1",
            )
        finally:
            process.kill()
