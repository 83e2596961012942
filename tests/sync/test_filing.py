"""The content of attached files between devices: the real replicas of several, and frames between them that can be lost."""

from __future__ import annotations

import io
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

import edda_sync as edda
from edda_sync.crdt.attachments import AttachmentRecord, File, encode
from edda_sync.engine.engine import StorageEngine
from edda_sync.files.chunks import name_of
from edda_sync.files.lacking import Lacking, Looked
from edda_sync.files.memory import MemoryChunks
from edda_sync.files.packing import pack
from edda_sync.sync.fetching import Fetch, Fetching, Giver
from edda_sync.sync.file_messages import Has, Lacks, Range, Seek, Slice
from edda_sync.sync.messages import Goodbye, Hello
from edda_sync.testing import devices
from edda_sync.words import limits, values
from edda_sync.words.errors import DiskFullError, RemoteProtocolError
from tests.sync.network import Network
from tests.sync.network import name_of as device_of

ALL = 10**9


@dataclass
class Attached:
    """A file that was attached."""

    document: str
    name: str
    content: bytes

    def file(self, engine: StorageEngine) -> File:
        """Return what there is to fetch of it."""
        found = engine.reading.files.find(self.document, self.name)
        return dict(engine.reading.files.missing(self.document, [found.id]))[self.name]

    def is_on(self, engine: StorageEngine) -> bool:
        """Tell whether a device says that it has it; then it must have it."""
        if not engine.reading.files.find(self.document, self.name).here:
            return False
        with engine.open_attachment(self.document, self.name) as stream:
            assert stream.read() == self.content
        return True


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 2,000 bytes, in slices of 500."""
    for name, value in {
        "CHUNK_BYTES": 2_000, "MANIFEST_PARTS_MAX": 8, "FILE_SLICE_BYTES_MIN": 500, "FILE_SLICE_BYTES_MAX": 500,
        "FILE_WINDOW_BYTES_MIN": 1_500, "FILE_WINDOW_BYTES_MAX": 4_000, "FILE_HELD_BYTES_MAX": 6_000,
    }.items():  # fmt: skip
        monkeypatch.setattr(limits, name, value)


@pytest.fixture
def three() -> Iterator[tuple[StorageEngine, StorageEngine, StorageEngine]]:
    with devices(3, backend="memory") as (laptop, phone, tablet):
        yield laptop, phone, tablet


def attach(engine: StorageEngine, size: int, name: str = "file") -> Attached:
    content = random.Random(size).randbytes(size)
    document = engine.create_document(edda.Document(title=name))
    engine.transact(lambda tx: tx.attach(document, io.BytesIO(content), name=name))
    return Attached(document, name, content)


def chunks_of(engine: StorageEngine) -> MemoryChunks:
    chunks = engine.reading.files.chunks
    assert isinstance(chunks, MemoryChunks)
    return chunks


def linked(*engines: StorageEngine, always_below: int = ALL) -> Network:
    """A network in which each device is linked to the next one."""
    network = Network(*engines, always_below=always_below)
    for one, other in itertools.pairwise(engines):
        network.connect(one, other)
    return network


# --- what comes -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 1_999, 2_000, 2_001, 16_000, 40_000])
def test_a_file_of_any_size_comes(three: tuple[StorageEngine, ...], size: int) -> None:
    laptop, phone, _ = three
    made = attach(laptop, size)
    linked(laptop, phone).settle()
    assert made.is_on(phone)


def test_many_small_files_come(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    made = [attach(laptop, number, f"file {number}") for number in range(150)]
    network = linked(laptop, phone)
    network.settle()
    assert all(each.is_on(phone) for each in made)
    assert network.progress(phone).done == 150


def test_only_files_below_the_setting_come_by_themselves_and_others_when_somebody_asks(
    three: tuple[StorageEngine, ...],
) -> None:
    laptop, phone, _ = three
    least, small, large = attach(laptop, 0, "least"), attach(laptop, 4_999, "small"), attach(laptop, 5_000, "large")
    network = linked(laptop, phone, always_below=5_000)
    network.settle()
    assert [each.is_on(phone) for each in (least, small, large)] == [True, True, False]
    network.demand(phone, large.file(phone))
    network.settle()
    assert large.is_on(phone)
    assert network.progress(phone).demanded == {}


def test_a_setting_of_none_fetches_nothing(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    made = attach(laptop, 0)
    network = linked(laptop, phone, always_below=0)
    network.settle()
    assert (made.is_on(phone), network.said(Seek)) == (False, [])


def test_a_file_that_is_attached_later_comes_too(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    network = linked(laptop, phone)
    network.settle()
    made = attach(laptop, 9_000)
    network.committed(laptop)
    network.settle()
    assert made.is_on(phone)


def test_equal_files_and_equal_chunks_come_once(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    document = laptop.create_document(edda.Document(title="same"))
    repeated = random.Random(1).randbytes(2_000) * 5
    for name in ("one", "two"):
        laptop.transact(lambda tx, name=name: tx.attach(document, io.BytesIO(repeated), name=name))  # type: ignore[misc]
    network = linked(laptop, phone)
    network.settle()
    assert Attached(document, "one", repeated).is_on(phone)
    assert Attached(document, "two", repeated).is_on(phone)
    assert sum(len(each.data) for each in network.said(Slice)) < 2_500  # the chunk, and the manifest


def test_chunks_that_are_here_already_are_not_asked_for(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    made = attach(laptop, 20_000)
    with chunks_of(phone).adding() as adding:
        for at in range(0, 16_000, 2_000):
            adding.add(made.content[at : at + 2_000])
    network = linked(laptop, phone)
    network.settle()
    assert made.is_on(phone)
    assert sum(len(each.data) for each in network.said(Slice)) < 5_500


# --- relaying ---------------------------------------------------------------------------------------------------------


def test_a_file_goes_through_a_device_that_fetches_it_too(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, tablet = three
    made = attach(laptop, 30_000)
    network = linked(laptop, phone, tablet)
    network.settle()
    assert made.is_on(phone)
    assert made.is_on(tablet)


def test_a_device_that_only_relays_changes_says_that_it_has_no_such_file(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, tablet = three
    made = attach(laptop, 30_000)
    network = Network(laptop, phone, tablet, always_below=ALL)
    network.replicas[device_of(phone)] = Network(phone, always_below=0).replicas[device_of(phone)]
    network.connect(laptop, phone)
    network.connect(phone, tablet)
    network.settle()
    assert (made.is_on(phone), made.is_on(tablet)) == (False, False)
    assert network.progress(tablet).files == 0  # it waits, and asks nobody again and again
    network.connect(laptop, tablet)
    network.settle()
    assert (made.is_on(phone), made.is_on(tablet)) == (False, True)


def test_a_device_that_gets_a_file_on_demand_gives_it_to_those_who_asked_before(
    three: tuple[StorageEngine, ...],
) -> None:
    laptop, phone, tablet = three
    made = attach(laptop, 30_000)
    network = Network(laptop, phone, tablet, always_below=ALL)
    network.replicas[device_of(phone)] = Network(phone, always_below=0).replicas[device_of(phone)]
    network.connect(laptop, phone)
    network.connect(phone, tablet)
    network.settle()
    network.demand(phone, made.file(phone))
    network.settle()
    assert made.is_on(tablet)
    assert any(each.chunks for each in network.said(Has, phone))


@pytest.mark.parametrize("how", ["attached here, too", "put back"])
def test_a_file_that_came_in_another_way_than_from_a_peer_is_given_to_those_who_asked_before(
    three: tuple[StorageEngine, ...], how: str
) -> None:
    laptop, phone, tablet = three
    made = attach(laptop, 30_000)
    network = Network(laptop, phone, tablet, always_below=ALL)
    network.replicas[device_of(phone)] = Network(phone, always_below=0).replicas[device_of(phone)]
    network.connect(laptop, phone)
    network.connect(phone, tablet)
    network.settle()
    network.cut(laptop, phone)
    if how == "put back":
        chunks_of(phone).packed |= chunks_of(laptop).packed
        network.run_for(limits.FILE_LOOK_S)
    else:
        attach(phone, 30_000, "the same")
        network.committed(phone)
    network.settle()
    assert made.is_on(tablet)


def test_a_link_without_news_of_files_is_silent_about_them(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    attach(laptop, 30_000)
    network = linked(laptop, phone)
    network.settle()
    said = len(network.said(Has))
    network.run_for(10 * limits.FILE_LOOK_S)
    assert len(network.said(Has)) == said


def test_a_late_answer_that_is_taken_for_that_to_a_later_question_holds_up_no_file() -> None:
    fetching, name = Fetching(), bytes(32)
    fetching.givers["phone"], fetching.files[name] = Giver(), Fetch(File(name, 1_000, 0))
    fetching.files[name].looked(Looked([Lacking(name, 1_000, 1_000, 1_000)], None, 0))

    def part(at: int) -> None:
        fetching.part("phone", Slice(name, 1_000, at, bytes(500)), 0.0)

    def places() -> list[int]:
        return [each.at for _, seek in fetching.ask(0.0) for each in seek.wanted]

    assert places() == [0, 500]
    fetching.lacked("phone", [name], 0.0)  # the answer to the first question; the chunk comes there before the second
    fetching.has("phone", Has((name,), 0, 0))
    assert places() == [0, 500]
    part(500)
    part(0)
    part(500)
    assert places() == [500]
    part(500)
    assert [chunk.is_whole for chunk in fetching.whole] == [True]


def test_a_file_of_which_each_of_two_devices_has_a_part_comes_from_both(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, tablet = three
    made = attach(laptop, 30_000)
    linked(laptop, phone).settle()
    for engine, places in ((laptop, range(0, 30_000, 4_000)), (phone, range(2_000, 30_000, 4_000))):
        for at in places:
            del chunks_of(engine).packed[name_of(made.content[at : at + 2_000])]
    network = Network(laptop, phone, tablet, always_below=ALL)
    network.connect(laptop, tablet)
    network.connect(phone, tablet)
    network.settle()
    assert made.is_on(tablet)


# --- interruptions ----------------------------------------------------------------------------------------------------


def test_a_link_that_breaks_costs_no_chunk_that_came(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    made = attach(laptop, 60_000)
    network = linked(laptop, phone)
    while len(chunks_of(phone).packed) < 12:
        assert network.errands or network.on_its_way
        step(network)
    network.cut(laptop, phone)
    network.heard.clear()
    kept = len(chunks_of(phone).packed)
    network.connect(laptop, phone)
    network.settle()
    assert made.is_on(phone)
    came = Counter(each.chunk for each in network.said(Slice) if each.at + len(each.data) == each.total)
    assert set(came.values()) == {1}
    assert len(came) <= len(chunks_of(phone).packed) - kept


@pytest.mark.parametrize("seed", range(12))
def test_a_file_comes_whatever_breaks_and_in_whatever_order_things_happen(
    three: tuple[StorageEngine, ...], seed: int
) -> None:
    draw = random.Random(seed)
    made = [attach(draw.choice(three), draw.choice([0, 10, 3_000, 20_000]), f"file {n}") for n in range(4)]
    network, pairs = linked(*three), list(itertools.combinations(three, 2))
    for _ in range(300):
        if draw.random() < 0.04:
            one, other = draw.choice(pairs)
            (network.cut if network.are_linked(one, other) else network.connect)(one, other)
        else:
            step(network, draw)
    for one, other in pairs:
        if not network.are_linked(one, other):
            network.connect(one, other)
    network.settle()
    assert all(each.is_on(engine) for each in made for engine in three)
    assert network.blamed == []


def step(network: Network, draw: random.Random | None = None) -> None:
    """Let something happen: an errand, or a frame."""
    if network.errands and (draw is None or draw.random() < 0.5):
        network.run_errand()
    elif draw is not None:
        network.deliver_any(draw)
    else:
        network.step()


def test_a_peer_that_does_not_answer_is_not_waited_for(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, tablet = three
    made = attach(laptop, 10_000)
    linked(laptop, phone).settle()
    network = Network(laptop, phone, tablet, always_below=ALL)
    network.connect(laptop, tablet)
    network.connect(phone, tablet)
    network.loses = lambda receiver, message: receiver == device_of(laptop) and isinstance(message, Seek)
    network.settle()
    assert not made.is_on(tablet)
    network.run_for(limits.FILE_ANSWER_S)
    network.settle()
    assert made.is_on(tablet)


# --- what is wrong ----------------------------------------------------------------------------------------------------


def replace_chunk(engine: StorageEngine, name: bytes, other: bytes) -> None:
    """Let a device give other bytes under the name of a chunk, as one whose software lies."""
    chunks, found = chunks_of(engine), MemoryChunks.get

    def get(asked: bytes) -> bytes | None:
        return other if asked == name else found(chunks, asked)

    chunks.get = get  # type: ignore[method-assign, assignment]


@pytest.mark.parametrize("others", [b"x" * 2_000, b"", b"x" * 1_999])
def test_a_wrong_chunk_is_dropped_its_giver_named_and_it_comes_from_another(
    three: tuple[StorageEngine, ...], others: bytes
) -> None:
    laptop, phone, tablet = three
    made = attach(laptop, 16_000)
    linked(laptop, phone).settle()
    replace_chunk(phone, name_of(made.content[2_000:4_000]), others)
    network = Network(laptop, phone, tablet, always_below=ALL)
    network.connect(phone, tablet)
    network.settle()
    assert not made.is_on(tablet)
    assert set(network.blamed) == {(device_of(tablet), device_of(phone))}
    assert len(network.blamed) == 1  # it is not asked for that chunk again
    network.connect(laptop, tablet)
    network.settle()
    assert made.is_on(tablet)


def test_a_wrong_manifest_is_no_better(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    made = attach(laptop, 16_000)
    with laptop.store.read() as reader:
        ((_, found),) = reader.attachments.scan()
    replace_chunk(laptop, found.root, b"\1" + bytes(40))
    network = linked(laptop, phone)
    network.settle()
    assert not made.is_on(phone)
    assert network.blamed == [(device_of(phone), device_of(laptop))]


def test_a_peer_that_gives_wrong_chunks_is_asked_for_no_more_files(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    for number in range(40):
        attach(laptop, 1_000 + number, f"file {number}")
    chunks_of(laptop).get = lambda name: b"lie"  # type: ignore[method-assign]
    network = linked(laptop, phone)
    network.settle()
    assert limits.FILE_WRONG_MAX <= len(network.blamed) < 10  # those that were under way already
    asked = len(network.said(Seek))
    network.run_for(limits.FILE_AGAIN_S + 1)
    assert len(network.said(Seek)) == asked


def test_a_chunk_that_is_damaged_at_its_giver_leaves_it_never_and_comes_from_another(
    three: tuple[StorageEngine, ...],
) -> None:
    laptop, phone, tablet = three
    made = attach(laptop, 16_000)
    linked(laptop, phone).settle()
    name = name_of(made.content[2_000:4_000])
    chunks_of(phone).packed[name] = pack(b"rot" * 600)
    network = Network(laptop, phone, tablet, always_below=ALL)
    network.connect(phone, tablet)
    network.settle()
    assert not made.is_on(tablet)
    assert not made.is_on(phone)  # it was noticed there, too
    assert network.blamed == []
    network.connect(laptop, phone)
    network.settle()
    assert made.is_on(phone)
    assert made.is_on(tablet)
    assert [network.progress(each).mended for each in (phone, tablet)] == [1, 0]


def test_a_chunk_that_vanished_is_fetched_again_when_somebody_reads_the_file(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    made = attach(laptop, 16_000)
    network = linked(laptop, phone)
    network.settle()
    del chunks_of(phone).packed[name_of(made.content[2_000:4_000])]
    with pytest.raises(edda.errors.FileNotHereError), phone.open_attachment(made.document, made.name) as stream:
        stream.read()
    network.run_for(limits.FILE_LOOK_S + 1)
    network.settle()
    assert made.is_on(phone)


def test_what_was_collected_is_fetched_when_a_document_refers_to_it_again(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    made = attach(laptop, 5_000)
    network = linked(laptop, phone)
    network.settle()
    found = phone.reading.files.find(made.document, made.name)
    phone.transact(lambda tx: tx.detach(made.document, found.id))
    phone.reading.files.collect()  # which sees that nothing needs it
    chunks_of(phone).packed.clear()  # as it does by itself a day later
    phone.reading.files.collect()
    network.committed(phone)
    network.settle()
    again = Attached(made.document, "again", made.content)
    laptop.transact(lambda tx: tx.attach(made.document, io.BytesIO(made.content), name="again"))
    network.committed(laptop)
    network.settle()
    assert again.is_on(phone)


def test_a_full_disk_keeps_what_came_and_goes_on_once_it_has_room(
    three: tuple[StorageEngine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    laptop, phone, _ = three
    made = attach(laptop, 30_000)
    network = linked(laptop, phone)
    put, room = MemoryChunks.put, [4]

    def full(chunks: MemoryChunks, name: bytes, packed: bytes | None) -> bool:
        room[0] -= chunks is chunks_of(phone)
        if room[0] < 0:
            raise DiskFullError("disk")
        return put(chunks, name, packed)

    monkeypatch.setattr(MemoryChunks, "put", full)
    network.settle()
    assert [type(error) for _, error in network.failed] == [DiskFullError]  # it rests, and does not try again at once
    assert not made.is_on(phone)
    room[0] = 1_000
    network.run_for(limits.FILE_RETRY_S + 1)
    network.settle()
    assert made.is_on(phone)


def test_a_file_that_no_manifest_describes_is_given_up(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    with chunks_of(laptop).adding() as adding:
        root = adding.add(b"no manifest")
    document = laptop.create_document(edda.Document(title="strange"))
    record = encode(AttachmentRecord("strange", "text/plain", root, 5_000, 1))
    laptop.transact(
        lambda tx: tx._active().attach(values.id_bytes("document", document), laptop.writing.new_id(), record)
    )
    network = linked(laptop, phone)
    network.settle()
    assert chunks_of(phone).has(root)
    assert network.progress(phone).files == 0
    network.demand(phone, File(root, 5_000, 1))
    network.settle()
    assert network.progress(phone).demanded == {}


@pytest.mark.parametrize("said", [1_300, 1_100], ids=["larger", "smaller"])
def test_a_file_that_was_attached_with_a_false_size_is_never_here(three: tuple[StorageEngine, ...], said: int) -> None:
    laptop, phone, _ = three
    with chunks_of(laptop).adding() as adding:
        root = adding.add(b"x" * 1_200)
    document = laptop.create_document(edda.Document(title="false"))
    record = encode(AttachmentRecord("false", "text/plain", root, said, 0))
    laptop.transact(
        lambda tx: tx._active().attach(values.id_bytes("document", document), laptop.writing.new_id(), record)
    )
    network = linked(laptop, phone)
    network.settle()
    assert not phone.reading.files.find(document, "false").here
    assert network.blamed == []  # its giver has not lied
    other = attach(laptop, 1_000, "true")
    network.committed(laptop)
    network.settle()
    assert other.is_on(phone)


def test_a_chunk_that_is_larger_than_its_file_says_is_asked_of_others_and_not_held(
    three: tuple[StorageEngine, ...],
) -> None:
    laptop, phone, tablet = three
    made = attach(laptop, 999)
    linked(laptop, tablet).settle()
    network = Network(laptop, phone, tablet, always_below=ALL)
    network.connect(laptop, phone)
    network.loses = lambda receiver, message: isinstance(message, Slice)
    network.settle()
    asked = network.said(Seek)[0].wanted[0]
    network.loses = lambda receiver, message: False
    network.say(laptop, phone, Slice(asked.chunk, limits.CHUNK_BYTES, asked.at, bytes(asked.size)))
    network.settle()
    assert not made.is_on(phone)
    assert network.blamed == []  # perhaps the size is false that its author said
    network.connect(tablet, phone)
    network.settle()
    assert made.is_on(phone)


def test_a_file_that_is_detached_meanwhile_is_fetched_no_further(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    made = attach(laptop, 60_000)
    network = linked(laptop, phone)
    while len(chunks_of(phone).packed) < 12:
        step(network)
    attachment = phone.reading.files.find(made.document, made.name).id
    phone.transact(lambda tx: tx.detach(made.document, attachment))
    network.committed(phone)
    network.settle()
    assert network.progress(phone).files == 0
    assert len(chunks_of(phone).packed) < 30


def test_a_chunk_that_repeats_and_that_nobody_has_is_not_asked_for_without_end(
    three: tuple[StorageEngine, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "FILE_LACKS_IN_ROW_MAX", 3)
    laptop, phone, _ = three
    document = laptop.create_document(edda.Document(title="same"))
    repeated = bytes(2_000)
    content = b"".join(random.Random(number).randbytes(2_000) + repeated for number in range(9))
    laptop.transact(lambda tx: tx.attach(document, io.BytesIO(content), name="file"))
    del chunks_of(laptop).packed[name_of(repeated)]
    network = linked(laptop, phone)
    network.settle()
    assert len([each for each in network.said(Seek) for it in each.wanted if it.chunk == name_of(repeated)]) <= 8
    assert network.progress(phone).files == 0


def test_a_peer_that_leaves_while_it_is_answered_harms_nobody(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    made = attach(laptop, 20_000)
    network = linked(laptop, phone)
    while not any(here == device_of(laptop) and errand.peer for here, errand in network.errands):
        if network.errands:
            network.run_errand()
        else:
            network.step()
    network.say(phone, laptop, Goodbye("closing", "none"))
    network.deliver_all()
    network.settle()
    network.connect(laptop, phone)
    network.settle()
    assert made.is_on(phone)


# --- what peers may ask and say ---------------------------------------------------------------------------------------


def test_more_questions_than_may_be_under_way_end_the_session(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    network = linked(laptop, phone)
    network.settle()
    ranges = tuple(Range(bytes(32), number, 10) for number in range(limits.FILE_ASKS_MAX))
    for _ in range(3):  # one batch is read already when the others come
        network.say(phone, laptop, Seek(bytes(32), ranges))
    with pytest.raises(RemoteProtocolError, match="under way"):
        network.deliver_all()


@pytest.mark.parametrize(
    "wrong",
    [
        lambda asked: Slice(asked.chunk, 2_000, asked.at, b"too little"),
        lambda asked: Slice(asked.chunk, 2_000, asked.at, bytes(asked.size + 1)),
        lambda asked: Slice(asked.chunk, 0, asked.at, bytes(asked.size)),
    ],
)
def test_an_answer_to_another_question_ends_the_session(
    three: tuple[StorageEngine, ...], wrong: Callable[[Range], Slice]
) -> None:
    laptop, phone, _ = three
    attach(laptop, 1_999)
    network = linked(laptop, phone)
    network.loses = lambda receiver, message: isinstance(message, Slice)
    network.settle()
    asked = network.said(Seek)[0].wanted[0]
    network.loses = lambda receiver, message: False
    network.say(laptop, phone, wrong(asked))
    with pytest.raises(RemoteProtocolError, match="asked for"):
        network.settle()


def test_what_nobody_asked_for_is_passed_over_and_not_kept(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    network = linked(laptop, phone)
    network.settle()
    network.say(laptop, phone, Slice(name_of(b"spam"), 4, 0, b"spam"))
    network.say(laptop, phone, Lacks((bytes(32),)))
    network.say(laptop, phone, Has((bytes(32),), 0, 0))
    network.settle()
    assert chunks_of(phone).packed == {}


def test_a_device_that_does_not_say_that_it_exchanges_files_is_sent_no_word_about_them(
    three: tuple[StorageEngine, ...],
) -> None:
    laptop, phone, _ = three
    made = attach(laptop, 100)
    older, newer = Network(laptop), Network(phone, always_below=ALL)
    newer.replicas |= older.replicas
    newer.connect(laptop, phone)
    newer.settle()
    assert len(newer.proved) == 2
    assert not made.is_on(phone)
    assert {type(each.message) for each in newer.heard}.isdisjoint({Seek, Slice, Lacks, Has})
    assert {each.ext for each in newer.said(Hello)} == {(), ((2, b""),)}


def test_a_word_about_files_to_a_device_that_does_not_exchange_them_ends_the_session(
    three: tuple[StorageEngine, ...],
) -> None:
    laptop, phone, _ = three
    network = Network(laptop, phone)
    network.connect(laptop, phone)
    network.settle()
    network.say(laptop, phone, Has((), 0, 0))
    with pytest.raises(RemoteProtocolError, match="does not exchange"):
        network.settle()


def test_equality_of_changes_is_not_said_before_what_files_are_to_come(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, _ = three
    network = linked(laptop, phone)
    network.settle()
    attach(laptop, 30_000)
    network.proved.clear()
    network.committed(laptop)
    while len(network.proved) < 2:
        assert network.step()
    assert network.progress(laptop).peers == 1  # the laptop knows that the phone is not done
    network.settle()
    assert network.progress(laptop).peers == 0


def test_memory_holds_few_chunks_however_large_a_file_is(three: tuple[StorageEngine, ...]) -> None:
    laptop, phone, tablet = three
    attach(laptop, 100_000)
    linked(laptop, tablet).settle()
    network = Network(laptop, phone, tablet, always_below=ALL)
    network.connect(laptop, phone)
    network.connect(tablet, phone)
    filing, most = network.replicas[device_of(phone)].filing, 0
    assert filing is not None
    while network.errands or network.on_its_way:  # its disk is far slower than its peers and links
        lends = [each for each in network.errands if each[1].peer]
        if lends:
            network.errands.remove(lends[0])
            network.errands.appendleft(lends[0])
        if lends or not network.on_its_way:
            network.run_errand()
        else:
            network.step()
        most = max(most, sum(chunk.got for chunk in filing._fetching._chunks.values()))
    assert 2_000 < most <= limits.FILE_HELD_BYTES_MAX
    assert network.progress(phone).done == 1
