"""
What errors of disks and object stores mean, in words of ours, and what to do.

An error of ``obstore`` carries a page of debugging text, and may hold an address with a signature. So nothing of it is
shown but the code of the answer: everything else is recognised, and said in one sentence.
"""

from __future__ import annotations

import errno
import re
import shlex
from typing import Final, NamedTuple

from edda_sync.words.errors import DamagedBackupError, TargetError


def too_large(key: str) -> DamagedBackupError:
    """Return the error of an object that is larger than any of a backup, and so is none that was written."""
    return DamagedBackupError(f"The object {key}", "it is larger than any of a backup")


class Trouble(NamedTuple):
    """
    What happened, and what to do, as :class:`~edda_sync.words.errors.TargetError` says it.

    Attributes:
        why: What happened.
        advice: What to do.
    """

    why: str
    advice: str

    def of(self, target: str) -> TargetError:
        """Return the error of a target. ``NAME`` in a command of the advice is its name."""
        return TargetError(target, self.why, self.advice.replace(" NAME ", f" {shlex.quote(target)} "))


_LATER: Final = "try again later; what is there stays as it is"
_ANEW: Final = "give it new ones with `edda backup target add NAME URL --force`"
_GONE: Final = Trouble("the bucket or container is not there", "make it again, or name another one")

_CODES: Final = {
    "ExpiredToken": Trouble("its credentials have expired", _ANEW),
    "TokenRefreshRequired": Trouble("its credentials have expired", _ANEW),
    "InvalidToken": Trouble("its session token is not accepted", _ANEW),
    "InvalidAccessKeyId": Trouble("its access key is not known there", _ANEW),
    "SignatureDoesNotMatch": Trouble("its secret key is not the right one", _ANEW),
    "AuthenticationFailed": Trouble("its credentials are not accepted", _ANEW),
    "AuthorizationFailure": Trouble("its credentials are not accepted", _ANEW),
    "AccessDenied": Trouble(
        "its credentials may not do this", "allow them to read, write, list and delete there, or give it others"
    ),
    "AuthorizationPermissionMismatch": Trouble(
        "its credentials may not do this", "allow them to read, write, list and delete there, or give it others"
    ),
    "AccountIsDisabled": Trouble("the account is disabled", "ask whoever runs it"),
    "AllAccessDisabled": Trouble("the account is disabled", "ask whoever runs it"),
    "NoSuchBucket": _GONE,
    "ContainerNotFound": _GONE,
    "ContainerBeingDeleted": _GONE,
    "ResourceNotFound": _GONE,
    "RequestTimeTooSkewed": Trouble("this machine's clock differs too much from its clock", "set the clock right"),
    "QuotaExceeded": Trouble("its quota is used up", "free some room there, or let fewer backups be kept"),
    "InsufficientStorage": Trouble("no room is left there", "free some room there, or let fewer backups be kept"),
    "XMinioStorageFull": Trouble("no room is left there", "free some room there, or let fewer backups be kept"),
    "SlowDown": Trouble("it is asked too much at present", _LATER),
    "ServerBusy": Trouble("it is asked too much at present", _LATER),
    "PermanentRedirect": Trouble("the bucket is in another region", "name that one with --region"),
    "AuthorizationHeaderMalformed": Trouble("the bucket is in another region", "name that one with --region"),
    "InvalidBucketName": Trouble("that is no name of a bucket", "name another one"),
}
"""The codes in answers of S3, Azure and Google, and of servers that speak like them."""

_STATUSES: Final = {
    "401": Trouble("its credentials are not accepted", _ANEW),
    "403": Trouble(
        "its credentials may not do this", "allow them to read, write, list and delete there, or give it others"
    ),
    "429": Trouble("it is asked too much at present", _LATER),
    "507": _CODES["InsufficientStorage"],
}

_SIGNS: Final = (
    ("kind: Timeout", Trouble("it does not answer", "check the network and the address, then try again")),
    ("dns error", Trouble("no host has that name", "check the network and the address, then try again")),
    ("failed to lookup address", Trouble("no host has that name", "check the network and the address, then try again")),
    ("InvalidContentType", Trouble("it does not speak TLS", "check the address, which may begin with http://")),
    (
        "InvalidCertificate",
        Trouble(
            "its certificate is not one that this machine trusts",
            "check the address, or let SSL_CERT_FILE name its issuer",
        ),
    ),
    ("kind: Connect", Trouble("nobody answers there", "check the network and the address, then try again")),
    ("BareRedirect", _CODES["PermanentRedirect"]),
    ("InvalidAccessKey", Trouble("its account key is none", _ANEW)),
    ("ServiceAccountPathAndKeyProvided", Trouble("a variable names other credentials", "unset GOOGLE_SERVICE_ACCOUNT")),
    ("KeyRejected", Trouble("its private key is none", _ANEW)),
    ("Credential", Trouble("its credentials are not complete, or not accepted", _ANEW)),
    ("Missing", Trouble("its answer lacks what such a server must say", "check the address")),
    ("Invalid", Trouble("its answer is not that of such a server", "check the address")),
)
"""Words in the debugging text of obstore, the surest first."""

_CODE: Final = re.compile(r"<Code>([A-Za-z0-9]{1,60})</Code>")
_STATUS: Final = re.compile(r"status code: ([0-9]{3})")
_DEBUG: Final = "\n\nDebug source:"


def is_missing(error: Exception) -> bool:
    """Tell whether an error of obstore says that there is no such object, and not that the whole bucket is gone."""
    return isinstance(error, FileNotFoundError) and _CODES.get(_code(str(error))) is not _GONE


def explained(error: Exception) -> Trouble:
    """Return what an error of obstore means."""
    text = str(error)
    said, _, debug = text.partition(_DEBUG)
    code, status = _code(said), _STATUS.search(said)
    if code in _CODES:
        return _CODES[code]
    if status is not None and status[1] in _STATUSES:
        return _STATUSES[status[1]]
    if status is not None:
        answer = f"{status[1]} {code}".strip()
        return Trouble(
            f"it answered {answer}", _LATER if status[1][0] == "5" else "check the address and what it allows"
        )
    for sign, meaning in _SIGNS:
        if sign in debug:
            return meaning
    return Trouble(
        "it cannot be reached, or its answer cannot be read", "check the network and the address, then try again"
    )


def _code(said: str) -> str:
    found = _CODE.search(said.partition(_DEBUG)[0])
    return found[1] if found is not None else ""


def of_disk(error: OSError) -> Trouble:
    """Return what an error of the operating system means, about a folder."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Trouble("its disk is full", "free some room there, or let fewer backups be kept")
    if error.errno == errno.EROFS:
        return Trouble("its disk can only be read", "mount it so that it can be written")
    if error.errno in (errno.EACCES, errno.EPERM):
        return Trouble("its folder may not be used", "check its permissions, and whose it is")
    if error.errno in (errno.ELOOP, errno.ENOTDIR):
        return Trouble("a link or a file lies where a folder of it should be", "take that away")
    if error.errno == errno.EFBIG:
        return Trouble("its file system takes no file as large as that", "use a disk with another file system")
    return Trouble(f"its disk failed: {error.strerror or error}", "check the disk, and connect it again")
