"""
Object stores as targets: S3 and whatever speaks like it, Google's, Azure's, and memory; through ``obstore``.

An object is written in one request, so it is there whole or not at all, and no upload is left behind half done.
Credentials are given to each request by us: the library's own search in the environment could mix those of one place
with those of another.

No two calls depend on a condition. :meth:`ObjectTarget.keeps` tries whether the place would keep some, for a person to
know.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from edda_sync.backup.target import Listed, check_key, check_prefix, check_size, is_key
from edda_sync.backup.targets.credentials import Credentials
from edda_sync.backup.targets.explaining import Trouble, explained, is_missing, too_large
from edda_sync.backup.targets.place import AZURE, GOOGLE, MEMORY, S3, Place
from edda_sync.words.errors import NoObjectError, is_panic
from edda_sync.words.limits import OBJECT_BYTES_MAX, TARGET_ANSWER_S, TARGET_BYTES_S_MIN, TARGET_PIECE_BYTES

if TYPE_CHECKING:
    from obstore.store import ClientConfig, ObjectStore, RetryConfig

T = TypeVar("T")

CREATE, SWAP, PART = "create", "swap", "part"
"""What a place may keep, and no backup needs: to create only what is absent, replace only what is as it was, read a part."""

_REGION: Final = "us-east-1"  # what servers that have no regions want to hear
_ATTEMPT_S: Final = (
    TARGET_ANSWER_S / 3
)  # one of up to three attempts: a connection may have died while the machine slept
_CONNECT_S: Final = 5.0
_SMALL_BYTES: Final = 256 * 2**10  # a request of up to this size is sent within an attempt's usual time
_memories: Final[dict[str, Any]] = {}  # by name, as long as this process lives
_BROKEN: Final = Trouble("the library that speaks with it failed", "try again, and update edda-sync")
_CUT: Final = Trouble("its answer ended too early", "try again")
_UNORDERED: Final = Trouble("it lists objects in no order", "name a bucket of another kind")


class ObjectTarget:
    """
    An object store as a target; see :class:`~edda_sync.backup.target.Target`.

    Args:
        name: What people call it.
        place: Where it is; not a folder.
        credentials: What opens it; or what returns that, when it is first needed.
    """

    def __init__(self, name: str, place: Place, credentials: Credentials | Callable[[], Credentials]) -> None:
        self._name, self._place, self._credentials = name, place, credentials
        self._stores: dict[int, ObjectStore] = {}
        self._before = f"{place.prefix}/" if place.prefix else ""

    @property
    def name(self) -> str:
        """What people call it."""
        return self._name

    def put(self, key: str, data: bytes) -> None:
        """Write an object, whole or not at all, durably."""
        path = self._path(key)
        check_size(len(data))
        self._do(key, lambda: self._store(len(data)).put(path, data, use_multipart=False))

    def get(self, key: str) -> bytes:
        """Return an object."""
        return b"".join(self.pieces(key))

    def pieces(self, key: str) -> Iterator[bytes]:
        """Yield an object in pieces."""
        path = self._path(key)
        found = self._do(key, lambda: self._store(0).get(path))
        if found.meta["size"] > OBJECT_BYTES_MAX:
            raise too_large(key)
        pieces = iter(found.stream(min_chunk_size=TARGET_PIECE_BYTES))
        read = 0
        while piece := self._do(key, lambda: bytes(next(pieces, b""))):
            read += len(piece)
            yield piece
        if read != found.meta["size"]:
            raise _CUT.of(self._name)

    def list(self, prefix: str, after: str = "") -> Iterator[Listed]:
        """Yield the objects whose keys begin with a prefix, in order of their keys."""
        offset = self._before + after if after > check_prefix(prefix) else None
        pages = self._do(prefix, lambda: iter(self._store(0).list(self._path(prefix[:-1]), offset=offset)))
        last = after
        while True:
            page = self._do(prefix, lambda: next(pages, ()))
            if not page:
                return
            for each in page:
                key = each["path"].removeprefix(self._before)
                if not is_key(key) or not key.startswith(prefix) or key <= after:
                    continue
                if key <= last:
                    raise _UNORDERED.of(self._name)
                last = key
                yield Listed(key, each["size"], each["last_modified"].timestamp())

    def delete(self, key: str) -> None:
        """Delete an object."""
        path = self._path(key)
        with contextlib.suppress(NoObjectError):
            self._do(key, lambda: self._store(0).delete(path))

    def keeps(self, key: str) -> Mapping[str, bool]:
        """
        Try what the place keeps of :data:`CREATE`, :data:`SWAP` and :data:`PART`, with an object that is made for this.

        Raises:
            TargetError: It cannot be reached now.
        """
        from obstore.exceptions import AlreadyExistsError, GenericError, NotSupportedError, PreconditionError

        path, store = self._path(key), self._store(0)
        refused = (AlreadyExistsError, PreconditionError)

        def is_refused(work: Callable[[], object]) -> bool:
            try:
                work()
            except refused:
                return True
            except (NotSupportedError, NotImplementedError):
                return False
            return False

        def reads_part() -> bool:
            try:
                return bytes(store.get_range(path, start=2, length=3)) == b"cde"
            except (NotSupportedError, GenericError):  # which is also how an answer with the whole object is told
                return False

        first = self._do(key, lambda: store.put(path, b"stale", use_multipart=False))
        self._do(key, lambda: store.put(path, b"abcdef", use_multipart=False))
        stale = {name: value for name, value in first.items() if value is not None}
        return {
            CREATE: self._do(key, lambda: is_refused(lambda: store.put(path, b"abcdef", mode="create"))),
            SWAP: bool(stale) and self._do(key, lambda: is_refused(lambda: store.put(path, b"abcdef", mode=stale))),  # type: ignore[arg-type]
            PART: self._do(key, reads_part),
        }

    def _path(self, key: str) -> str:
        return self._before + check_key(key)

    def _do(self, key: str, work: Callable[[], T]) -> T:
        """Run a call of the library. Its own error is not passed on as a cause: its text may hold what is secret."""
        from obstore.exceptions import BaseError

        try:
            return work()
        except (BaseError, FileNotFoundError, ValueError, NotImplementedError) as error:
            if is_missing(error):
                raise NoObjectError(self._name, key) from None
            raise explained(error).of(self._name) from None
        except BaseException as error:
            if not is_panic(error):
                raise
            raise _BROKEN.of(self._name) from None

    def _store(self, size: int) -> ObjectStore:
        """Return the library's store, whose requests may take as long as one of this size needs."""
        grade = 0 if size <= _SMALL_BYTES else size.bit_length()
        if grade not in self._stores:
            more_s = 2**grade / TARGET_BYTES_S_MIN if grade else 0.0
            if not isinstance(self._credentials, Credentials):
                self._credentials = self._credentials()
            known = self._credentials
            self._stores[grade] = self._do("", lambda: _made(self._place, known, more_s))
        return self._stores[grade]


def _made(place: Place, credentials: Credentials, more_s: float) -> ObjectStore:
    """Return the library's store for a place; each request may take some seconds more than a small one."""
    from obstore.store import AzureStore, GCSStore, MemoryStore, S3Store

    attempt_s = _ATTEMPT_S + more_s
    client: ClientConfig = {
        "allow_http": place.is_plain,
        "connect_timeout": timedelta(seconds=_CONNECT_S),
        "read_timeout": timedelta(seconds=attempt_s),
        "timeout": timedelta(seconds=max(attempt_s, 3_600)),  # what is received may be long; see ``timed``
    }
    retry: RetryConfig = {
        "max_retries": 1 if more_s else 2,
        "retry_timeout": timedelta(seconds=attempt_s),
        "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=2), "base": 2},
    }
    values: Any = credentials.values
    if place.kind == S3:
        region = place.region or _REGION
        server = place.endpoint or f"https://s3.{region}.amazonaws.com"
        options: Any = {  # which the library's types do not have
            "endpoint": server,
            "aws_endpoint_url_s3": server,  # otherwise a variable says it
            "aws_disable_bulk_delete": True,  # some servers that speak like S3 know only single deletions
        }
        return S3Store(
            place.root,
            **options,
            region=region,
            skip_signature=False,
            virtual_hosted_style_request=False,
            credential_provider=lambda: _of_s3(values),
            client_options=client,
            retry_config=retry,
        )
    if place.kind == AZURE:
        return AzureStore(
            place.root,
            account_name=place.account,
            endpoint=place.endpoint or f"https://{place.account}.blob.core.windows.net",
            skip_signature=False,
            use_emulator=False,
            credential_provider=lambda: _of_azure(values),
            client_options=client,
            retry_config=retry,
        )
    if place.kind == GOOGLE:
        return GCSStore(
            place.root,
            service_account_key=values["service_account_key"],
            skip_signature=False,
            client_options=client,
            retry_config=retry,
        )
    assert place.kind == MEMORY, "a folder is no object store"
    made: ObjectStore = _memories.setdefault(place.root, MemoryStore())
    return made


def _of_s3(values: Mapping[str, str]) -> Any:
    return {
        "access_key_id": values["access_key_id"],
        "secret_access_key": values["secret_access_key"],
        "token": values.get("session_token"),
        "expires_at": None,
    }


def _of_azure(values: Mapping[str, str]) -> Any:
    if "account_key" in values:
        return {"access_key": values["account_key"], "expires_at": None}
    return {"sas_token": values["sas_token"].removeprefix("?"), "expires_at": None}  # people copy it with that
