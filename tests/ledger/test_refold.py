"""Folding anew: content is a function of the log, or of a part of the log that is chosen."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.changes.drafts import Put
from edda_sync.crdt import operation as ops
from edda_sync.crdt.frontier import Dot
from edda_sync.crdt.keys import key_of
from edda_sync.crdt.text import edits
from edda_sync.crdt.text.document import TextDocument, genesis_id
from edda_sync.fold.fold import Fold
from edda_sync.fold.scrub import scrub_digest, scrub_entities
from edda_sync.fold.texts import Texts
from edda_sync.fold.unapplied import UNREADABLE
from edda_sync.fold.view import View
from edda_sync.ledger.admission import Admitted
from edda_sync.ledger.refold import verify_logged
from edda_sync.store.memory.states import MemoryStates
from edda_sync.store.seams import Logged, StoreWriter
from edda_sync.words import limits, values
from edda_sync.words.errors import CorruptError
from edda_sync.words.model import KINDS
from edda_sync.workspace.actor import begin_life
from tests.crdt.authors import LAPTOP, PHONE, TABLET, Life, Peer, device, founded
from tests.crdt.histories import Event, causal_order, histories
from tests.crdt.works import DOCUMENT, OTHER, TABLET_ID, TAG, TAG_BYTES, TASK, Work, Written, changes, written

Events = list[Event[list[Work]]]
KEYS = [key_of(kind, entity) for kind in KINDS for entity in (TASK, DOCUMENT, OTHER, TAG_BYTES, TABLET_ID)]


def refold(peer: Peer, keys: Collection[bytes], without: Collection[Dot] = ()) -> int:
    return peer.store.transact(lambda tx: peer.ledger.refold(tx, keys, without))


def rebuild(peer: Peer) -> int:
    def no_segment(_fold: Fold, _name: bytes) -> dict[bytes, Any]:
        raise AssertionError("there is none")

    return peer.store.transact(lambda tx: peer.ledger.rebuild(tx, no_segment))


def damage(peer: Peer) -> list[str]:
    """The damage that the scrub finds."""

    def work(tx: StoreWriter) -> list[str]:
        found, _ = scrub_entities(tx, b"", 1_000)
        return [each.what for each in [*found, *scrub_digest(tx)]]

    return peer.store.transact(work)


def rot(peer: Peer, keys: Collection[bytes]) -> None:
    """Flip a bit in the stored state of some entities."""

    def work(tx: StoreWriter) -> None:
        for record in tx.states.get(keys).values():
            rotten = bytearray(record.state)
            rotten[len(rotten) // 2] ^= 1
            tx.states.put([record._replace(state=bytes(rotten))], {record.key: False})

    peer.store.transact(work)


# --- all that the log says --------------------------------------------------------------------------------------------


@given(histories(changes, size=12))
def test_folding_the_whole_log_anew_gives_the_same_view(events: Events) -> None:
    peer = written(events).peer(events)
    before = peer.view()
    assert rebuild(peer) == len(events) + 2
    assert peer.view() == before


@given(histories(changes, size=12), st.sets(st.sampled_from([*KEYS, UNREADABLE])), st.booleans())
def test_some_entities_folded_anew_from_the_log_are_what_a_rebuild_makes_of_them(
    events: Events, keys: set[bytes], rotten: bool
) -> None:
    peer = written(events).peer(events)
    before = peer.view()
    if rotten:
        rot(peer, keys)
    refold(peer, keys)
    assert peer.view() == before
    assert damage(peer) == []
    mentioned = peer.look(lambda reader: [list(reader.mentions.of(key)) for key in KEYS])
    rebuild(peer)
    assert peer.view() == before
    assert peer.look(lambda reader: [list(reader.mentions.of(key)) for key in KEYS]) == mentioned


def test_only_the_changes_that_are_about_an_entity_are_folded() -> None:
    laptop, peer = founded()
    for _ in range(5):
        peer.admit(laptop.write(ops.Touch("task", OTHER)))
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t"})), laptop.write(ops.Touch("task", TASK)))
    assert refold(peer, [key_of("task", TASK)]) == 2
    assert refold(peer, [key_of("document", TASK)]) == 0


@pytest.mark.parametrize("kind", ["task", "document", "tag", "device"])
def test_an_entity_with_a_flipped_bit_is_mended_from_the_log_and_ends_no_list_until_then(kind: str) -> None:
    laptop, peer = founded()
    ids = {"task": TASK, "document": DOCUMENT, "tag": TAG_BYTES, "device": TABLET_ID}
    for operation in (
        ops.Put("tag", TAG_BYTES, {"name": "work"}), device(TABLET, LAPTOP),
        ops.Put("document", DOCUMENT, {"title": "d", "tag." + TAG: True}),
        ops.Put("task", TASK, {"title": "t", "tag." + TAG: True, "link." + values.id_text(DOCUMENT): "see"}),
        ops.Put("task", OTHER, {"title": "child", "parent_id": TASK, "description": "words"}),
    ):  # fmt: skip
        peer.admit(laptop.write(operation))
    before, key = peer.view(), key_of(kind, ids[kind])
    rot(peer, [key])
    assert f"{kind} {values.id_text(ids[kind])}" in damage(peer)
    refold(peer, [key])
    assert damage(peer) == []
    assert peer.view() == before


def test_waiting_and_refused_operations_are_the_same_afterwards() -> None:
    laptop, peer = founded()
    bad = ops.Put("task", TASK, {"title": ""})
    odd = ops.encode(ops.Touch("task", TASK)).replace(b"task", b"tusk")  # of a newer kind
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t"}), bad))
    peer.admit(laptop.write(ops.Put("task", OTHER, {"unheard": 1}), ops.Put("task", OTHER, {"title": ""})))
    peer.admit(laptop.write(odd, bad, b"\0\0\0\1\xc1"))
    before = (peer.refused, peer.waiting, peer.view())
    assert before[:2] == (1, 5)
    for keys in ([key_of("task", TASK)], [key_of("task", OTHER)], [UNREADABLE], [*KEYS, UNREADABLE]):
        refold(peer, keys)
        assert (peer.refused, peer.waiting, peer.view()) == before
    rebuild(peer)
    assert (peer.refused, peer.waiting, peer.view()) == before


def test_a_long_change_and_one_in_parts_are_folded_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    laptop, peer = founded()
    monkeypatch.setattr(limits, "PART_BYTES_MAX", 1_000)  # longer than the change that founded it
    born = Life(LAPTOP, continues=laptop, nonce=b"another nonce...")
    drafts = [Put.of("task", bytes([number]) * 16, {"title": f"task {number}"}) for number in range(60)]

    def work(tx: StoreWriter) -> None:
        begin_life(tx, born.birth)
        peer.ledger.commit(tx, drafts, 5)

    peer.store.transact(work)
    assert len(peer.look(lambda reader: list(reader.log.parts(2)))) == 3
    before = peer.view()
    rot(peer, [key_of("task", TASK)])
    assert refold(peer, [key_of("task", TASK)]) == 1
    assert peer.view() == before
    rebuild(peer)
    assert peer.view() == before


# --- without some changes ---------------------------------------------------------------------------------------------


def dots_of(made: Written, events: Events) -> list[Dot]:
    return [(made.names[event.actor], event.seq) for event in events]


@given(st.data(), histories(changes, size=10))
def test_the_view_without_some_changes_does_not_depend_on_the_order_in_which_they_came(
    data: st.DataObject, events: Events
) -> None:
    made = written(events)
    one, other = made.peer(events), made.peer(data.draw(causal_order(events)))
    without = data.draw(st.lists(st.sampled_from(dots_of(made, events)))) if events else []
    keys = data.draw(st.sets(st.sampled_from(KEYS)))
    refold(one, keys, without)
    for key in sorted(keys):  # one after another, here
        refold(other, [key], without)
    assert one.view() == other.view()
    assert damage(one) == []


@given(st.data(), histories(changes, size=10))
def test_changes_that_were_left_out_are_back_once_nothing_is_left_out(data: st.DataObject, events: Events) -> None:
    made = written(events)
    peer = made.peer(events)
    before = peer.view()
    refold(peer, KEYS, dots_of(made, data.draw(st.lists(st.sampled_from(events)))) if events else [])
    refold(peer, KEYS)
    assert peer.view() == before


def test_without_a_change_its_writes_are_gone_and_those_that_it_had_replaced_are_back() -> None:
    laptop, peer = founded()
    peer.admit(
        laptop.write(ops.Put("task", TASK, {"title": "first"})), laptop.write(ops.Put("task", TASK, {"title": "u"}))
    )
    peer.admit(laptop.write(ops.Delete("task", TASK, ((laptop.actor, 3),)), ops.Put("task", OTHER, {"title": "other"})))
    assert [row[1] for row in peer.table("tasks")] == ["other"]
    refold(peer, [key_of("task", TASK)], [(laptop.actor, 4)])
    assert {row[1] for row in peer.table("tasks")} == {"u", "other"}  # everything of the others is as it was
    refold(peer, [key_of("task", TASK)], [(laptop.actor, 3), (laptop.actor, 4)])
    assert {row[1] for row in peer.table("tasks")} == {"first", "other"}
    refold(peer, [key_of("task", TASK)], [(laptop.actor, seq) for seq in (2, 3, 4)])
    assert {row[1] for row in peer.table("tasks")} == {"other"}
    assert peer.look(lambda reader: reader.states.get([key_of("task", TASK)])) == {}
    assert damage(peer) == []


def test_items_no_longer_show_a_tag_without_the_change_that_made_it() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("tag", TAG_BYTES, {"name": "work"})))
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t", "tag." + TAG: True})))
    assert len(peer.table("entity_tags")) == 1
    refold(peer, [key_of("tag", TAG_BYTES)], [(laptop.actor, 2)])
    assert peer.table("entity_tags") == peer.table("tags") == []
    assert damage(peer) == []
    refold(peer, [key_of("tag", TAG_BYTES)])
    assert len(peer.table("entity_tags")) == 1


def test_without_an_edit_a_text_reads_as_if_that_had_never_been_made_also_in_memory() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t", "description": "milk"})))
    genesis = genesis_id(TASK, "description", "milk")
    document = TextDocument.start(genesis, "milk", [(laptop.actor, 2)])
    for seq, edit in ((3, (4, 0, " and eggs")), (4, (0, 0, "oat "))):
        made = edits.encode(document.edit((laptop.actor, seq), {laptop.actor: seq - 1}, [edit]))
        peer.admit(laptop.write(ops.Edit("task", TASK, "description", genesis, made)))
    peer.store.transact(peer.ledger.refresh)

    def reads() -> str:
        return str(peer.table("tasks")[0][2])

    before, key = peer.view(), key_of("task", TASK)
    assert reads() == "oat milk and eggs"
    refold(peer, [key], [(laptop.actor, 4)])
    assert reads() == "milk and eggs"
    assert damage(peer) == []
    refold(peer, [key], [(laptop.actor, 3), (laptop.actor, 4)])
    assert reads() == "milk"
    refold(peer, [key])
    assert reads() == "oat milk and eggs"
    assert peer.view() == before
    rebuild(peer)
    assert peer.view() == before


# --- the log itself ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("field", ["hash", "raw", "body"])
def test_an_altered_change_of_the_log_is_not_folded_and_nothing_changes(field: str) -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(ops.Put("task", TASK, {"title": "t"})), laptop.write(ops.Put("task", TASK, {"title": "u"})))
    before = peer.view()

    def rot_log(tx: Any) -> None:
        logged: Logged = tx.log.read(3)
        rotten = bytearray(getattr(logged, field))
        rotten[-1] ^= 1
        changed: dict[str, Any] = {field: bytes(rotten)}
        tx.journal.set("log", 3, logged._replace(**changed))

    peer.store.transact(rot_log)
    with pytest.raises(CorruptError, match="Change 3 of"):
        refold(peer, [key_of("task", TASK)])
    assert peer.view() == before
    assert (
        refold(peer, [key_of("device", device(LAPTOP, LAPTOP).id)]) == 1
    )  # entities that it does not mention are mended


def test_every_change_that_a_peer_took_is_as_it_was_written() -> None:
    laptop, peer = founded()
    peer.admit(laptop.write(device(PHONE, LAPTOP)), Life(PHONE, continues=laptop).write(ops.Touch("task", TASK)))
    with peer.store.read() as reader:
        for position in (1, 2, 3):
            verify_logged(reader, reader.log.read(position))


# --- void -------------------------------------------------------------------------------------------------------------


class Writers:
    """A text that laptop and phone edit as any devices do: each change depends on everything that is here."""

    def __init__(self, start: str | None = "milk") -> None:
        laptop = Life(LAPTOP)
        self.peer, self.first = Peer(laptop), laptop.write(device(LAPTOP, LAPTOP, "laptop"))
        self.peer.admit(self.first)
        self.changes = [laptop.write(device(PHONE, LAPTOP))]
        self.peer.admit(*self.changes)
        self.lives = {"laptop": laptop, "phone": Life(PHONE, continues=laptop)}
        self.past = {laptop.actor: laptop.seq}
        self.genesis = b""
        if start is not None:
            self.write("laptop", ops.Put("task", TASK, {"title": "t", "description": start}))
            self.begin(start, "laptop")

    def begin(self, start: str, *who: str) -> None:
        """Edit from now on the text with this start, which changes of some authors wrote."""
        self.genesis = genesis_id(TASK, "description", start)
        dots = [(self.lives[each].actor, self.lives[each].seq) for each in who]
        self.text = TextDocument.start(self.genesis, start, dots)

    def write(self, who: str, *operations: ops.Operation) -> Dot:
        life = self.lives[who]
        before = {actor: seq for actor, seq in self.past.items() if actor != life.actor}
        continued = life.birth.continues
        if life.seq == 0 and continued is not None and before.get(continued[0]) == continued[1]:
            del before[continued[0]]  # its birth says that
        deps = [other.dep_at(before[other.actor]) for other in self.lives.values() if other.actor in before]
        self.changes.append(life.write(*operations, deps=deps))
        assert self.peer.admit(self.changes[-1]) is Admitted.APPLIED
        self.past[life.actor] = life.seq
        return life.actor, life.seq

    def edit(self, who: str, position: int, deleted: int, inserted: str, *, whole: bool = False) -> Dot:
        life = self.lives[who]
        dot = life.actor, life.seq + 1
        make = self.text.rewrite if whole else self.text.edit
        made = edits.encode(make(dot, dict(self.past), [(position, deleted, inserted)]))
        return self.write(who, ops.Edit("task", TASK, "description", self.genesis, made))

    def reads(self, without: Collection[Dot] = ()) -> str | None:
        """What is shown when some changes are void; nothing else may be refused because of them."""
        refold(self.peer, [key_of("task", TASK)], without)
        assert (self.peer.refused, damage(self.peer)) == (0, [])
        rows = self.peer.table("tasks")
        return str(rows[0][2]) if rows else None

    def kept(self) -> str:
        """What the text reads, shown or not."""
        key = key_of("task", TASK), "description", self.genesis
        return self.peer.look(lambda reader: Texts().document(View(reader), key).string())


def test_words_of_others_beside_void_words_stay_and_so_do_later_words_of_their_author() -> None:
    two = Writers()
    eggs = two.edit("laptop", 4, 0, " and eggs")
    two.edit("phone", 13, 0, ", six")  # beside the last letter of the eggs
    two.edit("laptop", 0, 0, "oat ")  # goes on where the eggs ended
    two.edit("phone", 9, 3, "AND")  # in the midst of them
    assert two.reads() == "oat milk AND eggs, six"
    assert two.reads([eggs]) == "oat milkAND, six"
    assert two.reads() == "oat milk AND eggs, six"


def test_text_that_a_void_change_deleted_or_replaced_is_back_and_what_others_deleted_of_its_words_stays_deleted() -> (
    None
):
    two = Writers("one two three")
    replaced = two.edit("laptop", 4, 3, "2")
    deleted = two.edit("phone", 0, 4, "")
    two.edit("phone", 0, 1, "")  # only what the laptop wrote
    two.edit("laptop", 0, 1, "")
    assert two.reads() == "three"
    assert two.reads([replaced]) == "twothree"
    assert two.reads([deleted]) == "one three"
    assert two.reads([replaced, deleted]) == two.kept() == "one twothree"


def test_a_void_start_is_hidden_and_words_of_others_beside_it_are_shown() -> None:
    two = Writers()
    made = two.lives["laptop"].actor, two.lives["laptop"].seq
    two.edit("phone", 4, 0, " and eggs")
    assert two.reads([made]) == " and eggs"
    assert (
        two.peer.table("tasks")[0][1] == values.TITLE_DEFAULT
    )  # the change that made it is void, and others' work is here
    assert two.reads() == "milk and eggs"


@pytest.mark.parametrize("void", [0, 1])
@pytest.mark.parametrize("edited", ["between", "afterwards", "never"])
def test_a_start_that_two_changes_wrote_is_shown_while_one_of_them_is_not_void(void: int, edited: str) -> None:
    two = Writers(None)
    put = ops.Put("task", TASK, {"title": "t", "description": "milk 🥛"})
    dots = [two.write("laptop", put)]
    two.begin("milk 🥛", "laptop")
    if edited == "between":
        two.edit("laptop", 0, 0, "oat ")
    two.past.pop(two.lives["laptop"].actor)  # the phone has not seen it
    dots.append(two.write("phone", put))
    two.text.started(dots[1])
    two.past = {life.actor: life.seq for life in two.lives.values()}
    if edited == "afterwards":
        two.edit("phone", 0, 0, "oat ")
    shown = "milk 🥛" if edited == "never" else "oat milk 🥛"
    assert two.reads() == shown
    assert two.reads([dots[void]]) == shown
    assert two.reads(dots) == (None if edited == "never" else "oat ")


def test_an_author_who_knows_another_start_can_edit_a_text_with_one_void_start_even_if_the_other_was_replaced() -> None:
    two = Writers(None)
    put = ops.Put("task", TASK, {"title": "t", "description": "milk"})
    void = two.write("laptop", put)
    two.past.pop(two.lives["laptop"].actor)
    two.write("phone", put)
    two.begin("milk", "phone")
    seen, other_life = dict(two.past), Life(PHONE, continues=two.lives["phone"], nonce=b"another nonce...")
    two.write("phone", ops.Put("task", TASK, {"description": "tea"}))
    two.past, two.lives["copy"] = seen, other_life
    two.edit("copy", 4, 0, " and eggs")
    for without in ([], [void]):
        two.reads(without)
        assert two.kept() == "milk and eggs"


@pytest.mark.parametrize("void", [(0,), (1,), (0, 1)])
@pytest.mark.parametrize("between", [False, True])
def test_a_rewrite_that_two_changes_made_stands_while_one_of_them_is_not_void(
    void: tuple[int, ...], between: bool
) -> None:
    two = Writers("buy milk and eggs")
    once, seen = TextDocument.load(two.text.state()), dict(two.past)
    dots = [two.edit("laptop", 4, 4, "oat milk 🥛", whole=True)]
    if between:  # the laptop changes what it has just written
        two.edit("laptop", 4, 3, "")
        two.edit("laptop", 4, 1, "a ", whole=True)
        also_void = two.edit("laptop", 6, 4, "x")
    after, text = dict(two.past), two.text
    two.past, two.text = seen, once  # the phone has not seen it
    dots.append(two.edit("phone", 4, 4, "oat milk 🥛", whole=True))
    two.past, two.text = {**two.past, **after}, text
    if not between:
        assert two.reads() == "buy oat milk 🥛 and eggs"
        assert two.reads([dots[at] for at in void]) == two.kept()
        assert two.kept() == ("buy milk and eggs" if len(void) == 2 else "buy oat milk 🥛 and eggs")
        return
    assert two.reads() == "buy a x 🥛 and eggs"
    assert two.reads([also_void, *(dots[at] for at in void)]) == two.kept()
    assert two.kept() == ("buy milka  and eggs" if len(void) == 2 else "buy a milk 🥛 and eggs")


def test_operations_that_a_void_change_was_not_allowed_to_write_stay_refused_with_all_that_depends_on_them() -> None:
    def refused(*void: ops.Operation) -> tuple[int, int]:
        """How many operations are refused, with the change void or not; the last of them edits one letter more."""
        two = Writers()
        document = TextDocument.load(two.text.state())
        dot = two.lives["laptop"].actor, two.lives["laptop"].seq + 1
        made = document.edit(dot, dict(two.past), [(4, 0, "s")])
        two.write("laptop", *void, ops.Edit("task", TASK, "description", two.genesis, edits.encode(made)))
        two.text = document
        two.edit("phone", 5, 0, "!")  # beside that letter
        first = two.peer.refused
        refold(two.peer, [key_of("task", TASK)], [dot])
        return first, two.peer.refused

    assert refused(ops.Touch("task", TASK)) == (0, 0)
    assert refused(ops.Put("task", TASK, {"description": None})) == (0, 0)
    assert refused(ops.Put("task", TASK, {"description": "tea"})) == (2, 1)  # and an edit of the other text
    assert refused(ops.Put("task", TASK, {"description": "tea", "title": ""})) == (1, 0)  # no other text


def test_a_refused_start_does_not_count_even_if_its_change_is_void() -> None:
    two = Writers(None)
    void = two.write("laptop", ops.Put("task", TASK, {"title": "", "description": "milk"}))
    two.write("laptop", ops.Touch("task", TASK))
    two.begin("milk", "laptop")
    two.text.started(void)
    two.edit("phone", 4, 0, "!")
    assert two.peer.refused == 2
    refold(two.peer, [key_of("task", TASK)], [void])
    assert two.peer.refused == 1


@st.composite
def typed(draw: st.DrawFn) -> tuple[Writers, dict[Dot, tuple[str, str]]]:
    """Two devices that type into one text, each having seen a part; and what each change inserted and deleted."""
    two, done, letters = Writers("abcd"), dict[Dot, tuple[str, str]](), iter(map(chr, range(0x1F600, 0x1F700)))
    both = {who: (TextDocument.load(two.text.state()), dict(two.past), set[Dot]()) for who in two.lives}
    made: dict[Dot, tuple[Any, dict[bytes, int]]] = {}
    for _ in range(draw(st.integers(1, 9))):
        who = draw(st.sampled_from(list(both)))
        text, past, seen = both[who]
        if draw(st.booleans()):  # it takes all that there is, in the order in which it was made
            for dot, (edit, before) in made.items():
                if dot not in seen:
                    text.apply(edit, dot, before)
                    seen.add(dot)
                    past[dot[0]] = dot[1]
        two.text, two.past = text, past
        reads = text.string()
        position = draw(st.integers(0, len(reads)))
        size = draw(st.integers(0, len(reads) - position))
        inserted = next(letters) * draw(st.integers(0, 1)) + next(letters)
        life, before = two.lives[who], dict(past)
        dot = life.actor, life.seq + 1
        whole = draw(st.booleans())
        edit = text.make(life.actor, [(position, size, inserted)], whole=whole)
        text.apply(edit, dot, before)
        two.write(who, ops.Edit("task", TASK, "description", two.genesis, edits.encode(edit)))
        seen.add(dot)
        made[dot] = edit, before
        done[dot] = inserted, reads[position : position + size]
    return two, done


@given(st.data())
def test_a_text_shows_all_that_somebody_wrote_and_nobody_deleted_whatever_is_void(data: st.DataObject) -> None:
    two, done = data.draw(typed())
    whole = two.reads()
    void = data.draw(st.sets(st.sampled_from(sorted(done))))
    shown = two.reads(void)
    sound = [work for dot, work in done.items() if dot not in void]
    expected = set("abcd").union(*(inserted for inserted, _ in sound)).difference(*(deleted for _, deleted in sound))
    assert whole is not None
    assert shown is not None
    assert sorted(shown) == sorted(expected)
    other = Peer(two.lives["laptop"])  # which took all of it in another order
    waiting = data.draw(st.permutations(two.changes))
    other.admit(two.first)
    while waiting:
        waiting = [change for change in waiting if other.admit(change) is not Admitted.APPLIED]
    refold(other, [key_of("task", TASK)], void)
    assert other.view() == two.peer.view()
    assert two.kept() == shown
    assert [each for each in whole if each in shown] == [each for each in shown if each in whole]
    assert two.reads() == whole


def test_a_rebuild_reads_the_entities_of_many_changes_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []
    get = MemoryStates.get

    def counted(states: Any, keys: Any) -> Any:
        listed = list(keys)
        asked.append(len(listed))
        return get(states, listed)

    laptop, peer = founded()
    for number in range(40):
        peer.admit(laptop.write(ops.Put("task", bytes([9, number]) * 8, {"title": str(number)})))
    before = peer.view()
    monkeypatch.setattr(MemoryStates, "get", counted)
    rebuild(peer)
    monkeypatch.undo()
    assert peer.view() == before
    assert len(asked) < 5
    assert max(asked) >= 40
