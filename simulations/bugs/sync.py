"""Bugs of sync: what is sent, acknowledged, passed on and proved; parts and snapshots."""

from __future__ import annotations

from typing import Final

from simulations.bugs.planting import Bug, Edit, one

BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "a talk begins where the last one's sends ended",
        "What was sent in a talk that broke counts as held in the next: Syncthing's indexes before sequence numbers.",
        (18,),
        (
            Edit(
                "sync.replica:Replica.disconnected",
                "self._sessions.pop(peer, None)",
                "gone = self._sessions.pop(peer, None)\n"
                "    self.__dict__.setdefault('sent', {})[peer] = gone._sending._known if gone else {}",
            ),
            Edit(
                "sync.replica:Replica.connected",
                "return session.open()",
                "session.sent = self.__dict__.get('sent', {}).get(peer, {})\n    return session.open()",
            ),
            Edit(
                "sync.session:Session._deal_heads",
                "self._sending.introduced(self._held, hello.wanted)",
                "self._sending.introduced(frontier.join(self._held, self.sent), hello.wanted)",
            ),
        ),
    ),
    Bug(
        "received is acknowledged",
        "An acknowledgement says what came, and not what is stored.",
        (8, 18),
        (
            Edit(
                "sync.session:Session._deal",
                "allows = lambda key:",
                "self.__dict__.setdefault('came', {}).update(decode_header(raw).dot for raw, _ in message.changes)\n"
                "        allows = lambda key:",
            ),
            Edit(
                "sync.session:Session._ack",
                "moved = tuple(",
                "ours = frontier.join(ours, self.__dict__.get('came', {}))\n    moved = tuple(",
            ),
        ),
    ),
    one(
        "what did not fit is left out",
        "The change at which a batch is full is in neither this batch nor the next.",
        (18,),
        "sync.giving:Giving.batch",
        "> limits.BATCH_BYTES_MAX:\n",
        "> limits.BATCH_BYTES_MAX:\n                    used += 1\n",
    ),
    one(
        "batches go in order of actors",
        "What a peer lacks is sent actor by actor, and not in the order of the log.",
        (3, 18, 20),
        "sync.giving:missing",
        "list(reader.positions_missing(known))",
        "sorted(reader.positions_missing(known), key=lambda at: reader.logged(at)[1:3])",
    ),
    one(
        "nothing is passed on",
        "What a peer sent is not passed on to the others: fine until two of them have no link.",
        (18,),
        "sync.session:Session.news",
        'self._deadlines.setdefault("relay", now + limits.RELAY_DELAY_S)',
        "pass",
    ),
    one(
        "the window never opens again",
        "What was acknowledged still counts as under way.",
        (18,),
        "sync.sending:Sending.acknowledged",
        "self._under_way.popleft()",
        "break",
    ),
    one(
        "parts are not counted",
        "A receiver counts batches and no parts as dealt with, and its peer waits for the rest.",
        (18,),
        "sync.session:Session._deal",
        "return mended + self._after_data(taken)",
        "self._dealt -= 1\n        return mended + self._after_data(taken)",
    ),
    one(
        "equality is proved once",
        "A digest is sent at the first moment of equality, and never again in that talk.",
        (18,),
        "sync.session:Session._evaluate",
        "self._held == ours and not self._proving.has_said(ours)",
        "self._held == ours and self._proving._said is None",
    ),
    one(
        "a digest of texts as they were",
        "A proof is taken without bringing edited texts up to date.",
        (18, 22),
        "sync.exchange:Exchange.proof",
        "self._ledger.refresh(tx)",
        "pass",
    ),
    one(
        "what came is sent back",
        "A peer is not known to hold what it sent itself.",
        (20,),
        "sync.sending:Sending.learned",
        "self._known[actor] = max(seq, self._known.get(actor, 0))",
        "pass",
    ),
    one(
        "a transfer goes on one part too late",
        "A hello asks for the part after the first missing one.",
        (8, 18, 19),
        "sync.exchange:_first_missing",
        "return next(number for",
        "return next(number + bool(parts) for",
    ),
    one(
        "the last part is the last to come",
        "A large change is applied when its last part is here, though an earlier one may be missing.",
        (1, 4, 9),
        "sync.taking:Taking._take_part",
        "if len(incoming.parts | {part.number}) < len(header.parts):",
        "if part.number + 1 < len(header.parts):",
    ),
    one(
        "parts stand in the order in which they came",
        "The parts of a large change are numbered anew as they are found.",
        (1, 4, 9),
        "store.memory_tables:MemoryWriter.complete",
        'for (a, s, number), part in list(self._tables["incoming_parts"].items()):',
        'for number, ((a, s, _), part) in enumerate(list(self._tables["incoming_parts"].items())):',
    ),
    one(
        "a segment's heads without their dependencies",
        "After a snapshot the next change's difference is taken against nothing.",
        (1, 3),
        "sync.merging:Merging._begin_with",
        "tx.set_head(head)",
        'tx.set_head(head._replace(deps=b"\\x90"))',
    ),
    one(
        "a segment's texts without their tails",
        "A snapshot holds the saved states of texts, and not what was typed since.",
        (1, 18),
        "sync.making:Making._text_state",
        "if stored is not None and not stored.tail:",
        "if stored is not None:",
    ),
    one(
        "a segment is believed",
        "The log behind a segment is fetched, and nobody compares what comes of it with what the segment said.",
        (1, 17),
        "sync.behind:LogBehind._prove",
        "self._ledger.rebuild(tx, open_taken, stop=begun.position, reached=lambda: roots.append(root_of(tx)), check=True)",
        "roots.append(begun.root)",
    ),
    one(
        "a hello is one page",
        "A hello tells as many lives as fit into a message, and no more.",
        (18, 20),
        "sync.session:Session.open",
        "or [()]",
        "or [()]\n    del pages[1:]",
    ),
    one(
        "what comes is what was asked for",
        "A part of a segment is taken, whoever asked for it.",
        (16,),
        "sync.session:Session._deal",
        "if message.segment != self._wants:",
        "if not message.segment:",
    ),
    one(
        "nobody asks for the log behind",
        "What a newcomer was given of a segment is all that it ever has: the log that shows what is true is not asked for.",
        (17, 18, 19),
        "sync.behind:LogBehind.wanted",
        "if begun is None:",
        "if begun is None or begun.segment:",
    ),
    one(
        "a sketch is taken for what is here",
        "It is extended by what is here by now, which is not what it was made of: a bug of this code.",
        (0,),
        "sync.proving:Proving._extend",
        "except ValueError:",
        "except LookupError:",
    ),
    one(
        "lives are not counted",
        "A peer may bring as many lives of a device as it likes, all at once.",
        (16,),
        "sync.births:Births.allows",
        "if count >= limits.BIRTHS_MAX:",
        "if count < 0:",
    ),
)
