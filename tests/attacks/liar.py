"""A member that breaks the rules: it signs whatever a test wants, and talks to a device's real replica."""

from __future__ import annotations

import copy
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from edda_sync.changes import change as changes
from edda_sync.changes import forkproof
from edda_sync.changes.chains import PROOF
from edda_sync.changes.change import NO_HASH, Birth, Dep, Header
from edda_sync.changes.forkproof import Chain
from edda_sync.crdt import operation
from edda_sync.crdt.ext import Ext
from edda_sync.engine.engine import StorageEngine
from edda_sync.sync.effects import Close, Effect, Send
from edda_sync.sync.messages import Changes, Hello, Message, Part, SignedHead, Summary
from edda_sync.sync.replica import Replica
from edda_sync.sync.wire import Codec
from edda_sync.testing import replica_of
from edda_sync.words import limits
from edda_sync.words.errors import EddaError
from edda_sync.workspace.welcome import workspace_tag

_encode = msgspec.msgpack.Encoder().encode


class Liar:
    """
    One life of a member. Its changes contain whatever a test wants.

    Args:
        member: The engine whose identity it uses. Its changes depend on what that engine holds.
    """

    def __init__(self, member: StorageEngine) -> None:
        self.member = member
        self.identity, self.workspace = member.identity, member.workspace
        heads = member.frontier()
        with member.store.read() as reader:
            held = reader.log.heads()
            self.deps: tuple[Dep, ...] = tuple(
                (actor, seq, held[actor].hash[:16]) for actor, seq in sorted(heads.items())
            )
            parent = max(held.values(), key=lambda head: head.seq)
        self._parent = parent
        self.be_born()
        self.seq, self.hash = 0, NO_HASH
        self.parts: list[bytes] = []  # parts of the last large change

    def change(
        self,
        operations: Sequence[Any],
        *,
        deps: Sequence[Dep] | None = None,
        ext: Mapping[int, bytes] | None = None,
        level: int = changes.LEVEL,
    ) -> tuple[bytes, bytes]:
        """Return the next change: operations as structs, as lists of anything, or as raw bytes of a body's piece."""
        body = b"".join(_piece(each) for each in operations)
        self.seq += 1
        first = self.seq == 1
        if deps is None:
            deps = self.deps_but_parent() if first else []
        says: Ext = changes.header_ext(int(time.time() * 1000), birth=self.birth if first else None)
        if ext:
            says = tuple(sorted((*says, *ext.items())))
        size, parts = (
            len(body),
            [body[at : at + limits.PART_BYTES_MAX] for at in range(0, len(body), limits.PART_BYTES_MAX)],
        )
        content = changes.hash_part(body)
        if len(parts) > 1:  # they travel by themselves
            hashes = tuple(map(changes.hash_part, parts))
            content, body, self.parts = changes.hash_parts(hashes), b"", parts
            says = tuple(sorted((*says, *changes.header_ext(0, parts=hashes)[1:])))
        header = Header(level, self.actor, self.seq, tuple(deps), len(operations), size, content, self.hash, says)
        raw = changes.encode_header(header)
        self.hash = changes.hash_change(self.hash, changes.hash_header(raw))
        return raw, body

    def copied(self) -> Liar:
        """Return a second branch of the same life, which begins here and is announced to nobody."""
        return copy.copy(self)

    def proof(self, other: Liar, since: tuple[int, bytes], ours: Sequence[bytes], theirs: Sequence[bytes]) -> bytes:
        """
        Return evidence that its chain and the chain of a copy part.

        Args:
            other: The copy.
            since: Seq and hash of the last change that both have.
            ours, theirs: The headers of the changes after it, of each.
        """
        sides = [
            Chain(*since, tuple(map(changes.hash_header, headers)), liar.batch().heads[0].signature)
            for liar, headers in ((self, ours), (other, theirs))
        ]
        proof = forkproof.make(self.actor, changes.encode_birth(self.birth), *sides)
        assert proof is not None
        return PROOF + forkproof.encode(proof)

    def continued(self) -> Liar:
        """Return the next life, which continues this one and depends on nothing else."""
        other = self.copied()
        other._parent = self._parent._replace(actor=self.actor, seq=self.seq, hash=self.hash)
        other.deps = ()
        other.be_born()
        other.seq, other.hash = 0, NO_HASH
        return other

    def be_born(self, ext: Ext = ()) -> None:
        """Begin a life. Its birth may have further fields."""
        parent = self._parent
        self.birth = Birth(self.identity.public_key, os.urandom(16), parent.actor, parent.seq, parent.hash, ext)
        self.actor = changes.actor_of(changes.encode_birth(self.birth))

    def in_parts(self, operations: Sequence[Any]) -> list[Message]:
        """Return the messages of its next change, a large one."""
        batch = self.batch(self.change(operations))
        return [batch, *(Part(self.actor, self.seq, number, part) for number, part in enumerate(self.parts))]

    def deps_but_parent(self) -> list[Dep]:
        """Return what its first change must name: all that its member holds, except what its birth names."""
        return [dep for dep in self.deps if dep[0] != self.birth.parent]

    def batch(self, *made: tuple[bytes, bytes]) -> Changes:
        """Return a batch of its latest changes, signed."""
        message = changes.signed_message(self.workspace, self.actor, self.seq, self.hash)
        return Changes(tuple(made), (SignedHead(self.actor, self.seq, self.identity.sign(message), b""),))

    def hello(self, heads: Sequence[Summary] = ()) -> Hello:
        """Return a hello that claims some heads."""
        tag = workspace_tag(self.workspace, self.identity.device)
        versions = (limits.PROTOCOL_VERSION, limits.PROTOCOL_VERSION)
        return Hello(versions, tag, self.identity.device, bytes(16), tuple(heads), False, (), 0, ())


class Line:
    """A link of a liar's to a victim's real replica."""

    def __init__(self, liar: Liar, victim: StorageEngine, hello: Hello | None = None) -> None:
        self.device = liar.identity.device
        self.replica: Replica = replica_of(victim)
        self.codec = Codec()
        self.now = 0.0
        self.heard: list[Message] = []
        self.effects: list[Effect] = []
        self._take(self.replica.connected(self.device))
        self.send(hello or liar.hello())

    def send(self, message: Message) -> list[Effect]:
        """Send a message; return what the victim's replica answers."""
        return self._take(self.replica.frame_received(self.device, self.codec.encode(message), self.now))

    def committed(self) -> list[Effect]:
        """Tell the victim's replica that its store has grown, as a device does."""
        return self._take(self.replica.committed(self.now))

    def wait(self, seconds: float) -> list[Effect]:
        """Let time pass for the victim."""
        self.now += seconds
        return self._take(self.replica.tick(self.now))

    @property
    def error(self) -> EddaError | None:
        """What closed the link, if anything did."""
        closed = [effect for effect in self.effects if isinstance(effect, Close)]
        return closed[-1].error if closed else None

    def _take(self, effects: list[Effect]) -> list[Effect]:
        self.effects += effects
        self.heard += [Codec().decode(effect.frame) for effect in effects if isinstance(effect, Send)]
        return effects


def _piece(one: Any) -> bytes:
    if isinstance(one, bytes):
        return one
    if isinstance(one, (list, tuple)):
        encoded = _encode(one)
        return len(encoded).to_bytes(4, "big") + encoded
    return operation.encode(one)
