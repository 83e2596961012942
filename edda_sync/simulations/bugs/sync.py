"""Bugs of sync: what is sent, acknowledged, relayed and proved; parts and snapshots."""

from __future__ import annotations

from typing import Final

from edda_sync.simulations.bugs.planting import Bug, Edit, one

BUGS: Final[tuple[Bug, ...]] = (
    Bug(
        "a talk begins where the last one's sends ended",
        "What was sent in a broken talk counts as received in the next one: Syncthing's indexes before sequence"
        " numbers.",
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
                "return self._settled(session.open())",
                "session._intake.sent = self.__dict__.get('sent', {}).get(peer, {})\n"
                "    return self._settled(session.open())",
            ),
            Edit(
                "sync.intake:Intake.page",
                "self._sending.introduced(held, hello.wanted)",
                "from edda_sync.crdt import frontier\n"
                "    self._sending.introduced(frontier.join(held, self.sent), hello.wanted)",
            ),
        ),
    ),
    Bug(
        "received is acknowledged",
        "An acknowledgement says what has arrived, and not what is stored.",
        (8, 18),
        (
            Edit(
                "sync.intake:Intake.changes",
                "births = self._rates.births.trial(now)",
                "from edda_sync.changes.change import decode_header\n"
                "    came = self._saying.acking.__dict__.setdefault('came', {})\n"
                "    came.update(decode_header(raw).dot for raw, _ in batch.changes)\n"
                "    births = self._rates.births.trial(now)",
            ),
            Edit(
                "sync.acking:Acking.acks",
                "moved = tuple(",
                "ours = frontier.join(ours, self.__dict__.get('came', {}))\n    moved = tuple(",
            ),
        ),
    ),
    one(
        "what did not fit is left out",
        "A change that does not fit into a full batch is in neither that batch nor the next.",
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
        "list(reader.log.positions_after(known))",
        "sorted(reader.log.positions_after(known), key=lambda at: reader.log.read(at)[1:3])",
    ),
    one(
        "nothing is passed on",
        "Changes from one peer are not announced to the others. Nobody notices until two of them have no link.",
        (18,),
        "sync.saying:Saying.grown",
        'self._timers.at("announce", max(now, self._announced + limits.ANNOUNCE_DELAY_S))',
        "pass",
    ),
    one(
        "a pull is not heard",
        "The changes of others go only to peers that ask for them in a hello.",
        (18,),
        "sync.sending:Sending.pulled",
        "self._granted = self._fetched_upto = self._exchange.frontier()",
        "self._granted = self._fetched_upto = self._granted or self._exchange.frontier()",
    ),
    one(
        "an author's word for another's",
        "Once an author says that it sends a change to a peer, nobody else tells that peer of it.",
        (18,),
        "sync.saying:Saying.announce_later",
        "return self.prove(now) or self.ack_if_untold()",
        "return []",
    ),
    one(
        "equal by halves",
        "A seal covers only the content, so a peer that holds other changes with the same result counts as equal.",
        (1, 10, 18),
        "sync.exchange:seal_of",
        "blake2b(encoded + evidence + unread,",
        "blake2b(encoded[:16],",
    ),
    one(
        "the window never opens again",
        "Changes that were acknowledged still count as under way.",
        (18,),
        "sync.under_way:UnderWay.acknowledged",
        "size, sent_s = self._frames.popleft()",
        "break",
    ),
    one(
        "parts are not counted",
        "A receiver counts batches as dealt with but no parts, and its peer waits for the rest.",
        (18,),
        "sync.intake:Intake._came_in_part",
        "return [*self._mended(mended), *self._taken(taken, now)]",
        "self._saying.acking.dealt -= 1\n    return [*self._mended(mended), *self._taken(taken, now)]",
    ),
    one(
        "equality is proved once",
        "A digest is sent when the two become equal for the first time, and never again in that talk.",
        (18,),
        "sync.proving:Proving.has_said",
        "return self._sealed == ours",
        "return self._sealed is not None",
    ),
    one(
        "a digest of texts as they were",
        "A proof is made without bringing edited texts up to date.",
        (18, 22),
        "sync.exchange:Exchange.proof",
        "self._ledger.refresh(tx)",
        "pass",
    ),
    one(
        "what came is sent back",
        "A device does not note that a peer holds what that peer sent itself.",
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
        "store.memory.incoming:MemoryIncomingWriter.complete",
        'for (a, s, number), part in list(self._tables["incoming_parts"].items()):',
        'for number, ((a, s, _), part) in enumerate(list(self._tables["incoming_parts"].items())):',
    ),
    one(
        "a segment's heads without their dependencies",
        "Once a segment is confirmed, the next change's difference is applied to an empty list of dependencies.",
        (1, 3),
        "sync.behind:LogBehind._confirm",
        "tx.log.set_head(tx.log.heads()[actor]._replace(deps=below.deps))",
        'tx.log.set_head(tx.log.heads()[actor]._replace(deps=b"\\x90"))',
    ),
    one(
        "a segment's texts without their tails",
        "A segment holds the saved states of texts, but not the edits since then.",
        (1, 18),
        "sync.making:Making._text_state",
        "if stored is not None and not stored.tail:",
        "if stored is not None:",
    ),
    one(
        "a segment's reader knows another rule than its writer",
        "The reader of a segment refuses a value that every store may hold. Newcomers get the log instead, and nobody"
        " notices.",
        (24,),
        "crdt.schema:check_state",
        "if len(value) != 16:",
        "if value:",
    ),
    one(
        "a segment is believed",
        "The log behind a segment is fetched, but its result is not compared with what the segment said.",
        (1, 17),
        "sync.behind:LogBehind._confirm",
        "self._ledger.rebuild(tx, open_taken, stop=begun.position, reached=whole, check=True)",
        "roots.append(begun.root)",
    ),
    one(
        "drafts are given away",
        "What is written on top of a segment is sent to others before the log has confirmed it: the first form of"
        " this design.",
        (1, 3, 8, 9, 18),
        "changes.early:drafted",
        'raw = reader.meta.get(DRAFTED_KEY) or b""',
        'raw = b""',
    ),
    one(
        "drafts fall with their segment",
        "A store that drops a segment loses what was written on top of it, like a restore that replaces everything.",
        (1, 5, 8),
        "sync.fallback:fall_back",
        "if drafted:",
        "if False:",
    ),
    one(
        "a log that never comes is waited for",
        "A newcomer waits for ever for a change that its author signed for a segment but never sends.",
        (18, 19),
        "sync.behind:LogBehind.give_up",
        "self._fall_back(UNPROVED_KEY)",
        "pass",
    ),
    one(
        "a hello is one page",
        "A hello tells only as many lives as fit into one message.",
        (18, 20),
        "sync.exchange:Introduction.pages",
        "most = max(len(self.heads), len(self.evidence), 1)",
        "most = min(size, max(len(self.heads), len(self.evidence), 1))",
    ),
    one(
        "what comes is what was asked for",
        "A part of a segment is taken even if this device did not ask for it.",
        (16,),
        "sync.backfill:Backfill.check",
        "if message.segment != self._wants:",
        "if not message.segment:",
    ),
    one(
        "nobody asks for the log behind",
        "A newcomer never asks for the log behind its segment, although only that log shows what is true.",
        (17, 18, 19),
        "sync.behind:LogBehind.wanted",
        "if begun is None:",
        "if begun is None or begun.segment:",
    ),
    one(
        "a sketch is taken for what is here",
        "A sketch is extended with what is here now, although it was made from something else: a bug that this code"
        " had.",
        (0,),
        "sync.proving:Proving._extend",
        "except ValueError:",
        "except LookupError:",
    ),
    one(
        "lives are not counted",
        "A peer may bring as many lives of a device as it likes, all at once.",
        (16,),
        "sync.rates:Trial.__call__",
        "if self._tried[key] >= self._rate.left(key, self._now):",
        "if self._tried[key] < 0:",
    ),
    one(
        "evidence is told whole",
        "A peer asks for the evidence that it lacks, and gets all of it, also what it has: a bug that this code had.",
        (20,),
        "sync.telling:Telling.tell_rest",
        "if short(name) not in self._theirs)",
        "if name)",
        needs="sync.telling:Telling.ask",
    ),
    one(
        "each question names all heads",
        "With each question for the log behind its segment, a store repeats up to which heads it asks: a bug that"
        " this code had.",
        (20,),
        "sync.messages:Behind.since",
        "if before is not None and before.upto == self.upto and is_further",
        "if ()",
    ),
)
