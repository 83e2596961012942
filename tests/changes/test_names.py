"""Names of changes on branches, for any knowledge of forks, and the meaning of the names that others use."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycrdt import Doc, Text

from edda_sync.changes import branches
from edda_sync.changes.branches import Tree, branch_name
from edda_sync.changes.names import Items, Names
from edda_sync.crdt.frontier import Dot, Frontier
from edda_sync.words.errors import RefusedTextError
from tests.changes.forking import BIRTH, Grown, View, X, covers, grown, view


@st.composite
def two_views(draw: st.DrawFn) -> tuple[View, View]:
    """What the author of a change held and knew, and a reader that holds all of that and knows other points."""
    reader = draw(view(draw(grown())))
    return draw(view(reader.whole, within=reader)), reader


def written_as(author: View, nodes: Iterable[int]) -> Frontier:
    """Some of the changes that an author had seen, as it writes them."""
    named: Frontier = {}
    for name, seq in map(author.dot, nodes):
        named[name] = max(seq, named.get(name, 0))
    return author.names.written_as(named, author.frontier(author.held))


class Store:
    """A store that follows the rules change by change, and renames things to keep their names up to date."""

    def __init__(self, whole: Grown) -> None:
        self.whole, self.tree, self.names = whole, Tree(X), Names()
        self.dots: dict[int, Dot] = {}
        self.kept: dict[int, Frontier] = {}  # the past of each change, as some head or acknowledgement has it

    def learn(self, node: int) -> None:
        point = self.whole.point(node)
        if point in self.tree.points:
            return
        self.tree = self.tree.joined([point])
        after = [each for each in self.dots if self.whole.parents[each] == node]
        assert len(after) <= 1
        if after:
            by = branches.renaming(X, self.dots.get(node, (X, 0)), self.whole.hashes[after[0]])
            self.dots = {each: by.dot(dot) for each, dot in self.dots.items()}
            self.kept = {each: by.frontier(frontier) for each, frontier in self.kept.items()}
            self.names = self.names.renamed(by)

    def take(self, node: int) -> None:
        parent = self.whole.parents[node]
        if parent != BIRTH and parent not in self.dots:
            return
        if self.whole.point(parent) in self.tree.points:
            self.names = self.names.joined(self.whole.path(self.tree, node))
        elif any(self.whole.parents[other] == parent for other in self.dots):
            return  # another is held in its place: it waits for a proof
        name = self.whole.path(self.tree, node)[-1].name
        self.dots[node] = (name, self.whole.seqs[node])
        self.kept[node] = self.names.past(self.dots[node])


@given(grown(14), st.data())
def test_a_store_that_renames_point_by_point_uses_the_names_of_a_store_that_knew_all_from_the_start(
    whole: Grown, data: st.DataObject
) -> None:
    store, known = Store(whole), set[int]()
    for fork in [*data.draw(st.permutations(whole.forks())), BIRTH]:
        for node in range(len(whole.parents)):
            if node not in store.dots and data.draw(st.integers(0, 3)):
                store.take(node)
        store.learn(fork)
        known.add(fork)
        seen = View(whole, known, list(store.dots))
        assert store.dots == {each: seen.dot(each) for each in store.dots}
        assert store.kept == {each: seen.frontier([each]) for each in store.dots}
        assert {run for run in store.names.runs() if run.parent} == {run for run in seen.names.runs() if run.parent}


@given(two_views(), st.data())
def test_what_an_author_writes_does_not_depend_on_the_forks_that_it_knows(
    views: tuple[View, View], data: st.DataObject
) -> None:
    author, reader = views
    nodes = [node for node in author.held if data.draw(st.booleans())]
    assert written_as(author, nodes) == written_as(View(reader.whole, reader.points, author.held), nodes)


@given(two_views(), st.data())
def test_dependencies_lead_to_the_past_of_their_author_whatever_author_and_reader_know(
    views: tuple[View, View], data: st.DataObject
) -> None:
    author, reader = views
    hashes = author.whole.hashes
    entries = [
        (name, author.whole.seqs[node], hashes[node][:16])
        for node in data.draw(st.permutations(author.held))
        for name in written_as(author, [node])
    ]
    assert reader.names.deps(entries, reader.find) == reader.frontier(author.held)


@given(two_views(), st.data())
def test_a_missing_dependency_is_not_satisfied_by_another_change_with_its_number(
    views: tuple[View, View], data: st.DataObject
) -> None:
    author, reader = views
    lacking = [node for node in author.held if data.draw(st.booleans())]
    poorer = View(reader.whole, reader.points, [node for node in reader.held if node not in lacking])
    entries = [
        (name, author.whole.seqs[node], author.whole.hashes[node][:16])
        for node in author.held
        for name in written_as(author, [node])
    ]
    assert (reader.names.deps(entries, poorer.find) is None) == bool(lacking)


@given(two_views(), st.data())
def test_a_deletion_covers_what_its_author_had_seen_of_an_entity_and_nothing_else(
    views: tuple[View, View], data: st.DataObject
) -> None:
    author, reader = views
    touching = [node for node in author.held if data.draw(st.booleans())]
    seen = reader.names.pairs(written_as(author, touching).items(), reader.frontier(author.held))
    covered = {node for node in reader.held if covers(seen, reader.dot(node))}
    below = {each for node in touching for each in reader.whole.chain(node)}
    assert set(touching) <= covered <= below
    assert seen.items() <= reader.frontier(below).items() | reader.frontier(touching).items()


@given(two_views())
def test_a_dot_is_the_one_change_that_its_author_meant(views: tuple[View, View]) -> None:
    author, reader = views
    past = reader.frontier(author.held)
    for node in author.held:
        ((name, seq),) = written_as(author, [node]).items()
        assert reader.names.dot((name, seq), past) == reader.dot(node)


def test_a_branch_is_named_only_where_the_past_holds_another() -> None:
    """0 - 1 - {2 - {3, 4}, 5}, all of it known: the name that is written for 3 by authors who hold more and more."""
    whole = Grown([-1, 0, 1, 2, 2, 1])
    a, c = (branch_name(X, whole.hashes[node]) for node in (2, 3))
    for held, name in (([0, 1, 2, 3], X), ([0, 1, 2, 3, 5], a), ([0, 1, 2, 3, 4], c), ([0, 1, 2, 3, 4, 5], c)):
        author = View(whole, {1, 2}, held)
        assert written_as(author, [3]) == {name: 4}
        for nodes in ([1, 3], [3, 1]):
            assert written_as(author, nodes) == ({X: 4} if name == X else {X: 2, name: 4})
        called, past = Written(author, [1, 2, 4, 8, 8, 8]), author.frontier(held)
        before = {X: 7, a: 4, c: 0}[name]  # of the units of 3, under that name
        assert author.names.items_as(Items(c, 5, 2), past, called) == Items(name, before + 5, 2)


def test_a_dot_that_fits_two_branches_of_a_past_or_none_is_no_change() -> None:
    seen = View(Grown([-1, 0, 0]), {0}, [0, 1, 2])
    both = seen.frontier(seen.held)
    assert seen.names.dot((X, 2), both) is None
    assert seen.names.dot((X, 3), both) is None
    assert seen.names.dot((X, 2), seen.frontier([1])) == seen.dot(1)
    assert seen.names.dot(seen.dot(2), seen.frontier([1])) is None


def test_a_deletion_cannot_cover_what_its_author_had_not_seen() -> None:
    names = Names()
    assert names.pairs([(X, 9), (b"stranger", 5)], {X: 4}) == {X: 4}


def test_an_actor_that_never_forked_keeps_its_name() -> None:
    names = Names()
    assert names.actor(X) == X
    assert names.order(X) == (X,)
    assert names.past((X, 7)) == {X: 7}
    assert names.deps([(X, 7, b"hash")], lambda actor, seq, _: (actor, seq)) == {X: 7}
    assert names.dot((X, 3), {X: 7}) == (X, 3)


Unit = tuple[int, int]  # the change that inserted it, and its place there


@dataclass
class Written:
    """One text, into which each change inserted the given number of units."""

    seen: View
    sizes: list[int]

    def units(self) -> dict[tuple[bytes, int], Unit]:
        """Every unit by name and clock, counted from 0 in each name."""
        clocks: dict[bytes, int] = {}
        found = {}
        for node in sorted(self.seen.held, key=lambda each: self.seen.whole.seqs[each]):
            name, _ = self.seen.dot(node)
            for place in range(self.sizes[node]):
                found[name, clocks.get(name, 0)] = node, place
                clocks[name] = clocks.get(name, 0) + 1
        return found

    def __call__(self, name: bytes, seq: int) -> int:
        below = [node for node in self.seen.held if self.seen.dot(node)[0] == name]
        return sum(self.sizes[node] for node in below if self.seen.whole.seqs[node] <= seq)


sizes = st.lists(st.integers(0, 3), min_size=10, max_size=10)


def flat(pieces: Iterable[Items]) -> Iterator[tuple[bytes, int]]:
    return ((piece.name, piece.clock + at) for piece in pieces for at in range(piece.length))


@given(two_views(), sizes, st.data())
def test_items_are_those_that_the_author_of_an_update_saw(
    views: tuple[View, View], size: list[int], data: st.DataObject
) -> None:
    author, reader = views
    by_author, by_reader = Written(author, size), Written(reader, size)
    meant, units = by_author.units(), by_reader.units()
    for name, clock in meant:
        length = data.draw(st.integers(1, sum(each == name for each, _ in meant) - clock))
        update = author.names.items_as(Items(name, clock, length), author.frontier(author.held), by_author)
        pieces = reader.names.items(update, reader.frontier(author.held), by_reader)
        assert [units[at] for at in flat(pieces)] == [meant[name, clock + at] for at in range(length)]
        assert all(piece.length for piece in pieces)
        assert len({piece.name for piece in pieces}) == len(pieces)


@given(two_views(), sizes)
def test_items_that_its_author_had_not_seen_are_refused(views: tuple[View, View], size: list[int]) -> None:
    author, reader = views
    past = author.frontier(author.held)
    units = Written(author, size).units()
    for name in {author.dot(node)[0] for node in author.held}:
        if all(run.parent != name or run.name not in past for run in author.names.runs()):  # its chain ends there
            end = Items(name, sum(each == name for each, _ in units), 1)
            update = author.names.items_as(end, past, Written(author, size))
            with pytest.raises(RefusedTextError):
                reader.names.items(update, reader.frontier(author.held), Written(reader, size))


@given(st.data(), sizes)
def test_an_author_that_knows_of_no_fork_counts_its_clocks_through(data: st.DataObject, size: list[int]) -> None:
    reader = data.draw(view(data.draw(grown())))
    called = Written(reader, size)
    for node in reader.held:
        through = sum(size[each] for each in reader.whole.chain(node)[:-1])  # the author's own count
        own = through - reader.names.before(reader.dot(node)[0], called)
        assert [called.units()[reader.dot(node)[0], own + at] for at in range(size[node])] == [
            (node, at) for at in range(size[node])
        ]


def test_an_item_that_fits_two_branches_of_a_past_is_refused() -> None:
    seen = View(Grown([-1, 0, 0]), {0}, [0, 1, 2])
    called = Written(seen, [1, 1, 1])
    assert seen.names.items(Items(X, 0, 1), seen.frontier(seen.held), called) == [Items(X, 0, 1)]
    with pytest.raises(RefusedTextError, match="several branches"):
        seen.names.items(Items(X, 1, 1), seen.frontier(seen.held), called)
    assert seen.names.items(Items(X, 0, 2), seen.frontier([1]), called) == [Items(X, 0, 1), Items(seen.dot(1)[0], 0, 1)]


def test_one_reference_means_two_things_on_two_branches() -> None:
    """
    So no name may be a hash of the references on the wire. B saw one branch and C saw the other, and both rewrite a text:
    their updates have the same bytes, but stand beside different words.
    """
    seen = View(Grown([-1, 0, 0]), {0}, [0, 1, 2])
    called = Written(seen, [1, 2, 2])
    as_it_travels = Items(X, 1, 2)
    one, other = (seen.names.items(as_it_travels, seen.frontier([node]), called) for node in (1, 2))
    assert one != other


@given(two_views(), st.binary(min_size=16, max_size=16))
def test_no_proof_swaps_two_items_that_somebody_had_before_it(views: tuple[View, View], stranger: bytes) -> None:
    author, reader = views
    for one, other in itertools.product(author.held, repeat=2):
        if one not in author.whole.chain(other) and other not in author.whole.chain(one):
            assert author.names.order(author.dot(one)[0]) != author.names.order(author.dot(other)[0])
            before = author.names.order(author.dot(one)[0]) < author.names.order(author.dot(other)[0])
            assert before == (reader.names.order(reader.dot(one)[0]) < reader.names.order(reader.dot(other)[0]))
        assert (reader.names.order(reader.dot(one)[0]) < (stranger,)) == ((stranger,) > (X,))


def typed(client: int, word: str, left: tuple[int, int] | None = None, right: tuple[int, int] | None = None) -> bytes:
    """One Yjs update: a word of a client, between two items or alone."""
    info = 4 | (0x80 if left else 0) | (0x40 if right else 0)
    origins = b"".join(bytes(at) for at in (left, right) if at)
    parent = b"" if origins else b"\x01\x01t"
    return bytes([1, 1, client, 0, info]) + origins + parent + bytes([len(word)]) + word.encode() + b"\0"


def read(updates: Iterable[bytes]) -> str:
    document: Doc[Text] = Doc(client_id=127)
    text = document.get("t", type=Text)
    for update in updates:
        document.apply_update(update)
    return str(text)


def numbered(keys: Iterable[tuple[bytes, ...]]) -> dict[tuple[bytes, ...], int]:
    """Client ids for a text: any numbers that are in the order of the keys."""
    return {key: number for number, key in enumerate(sorted(keys), 1)}


def test_with_an_order_by_names_alone_a_proof_would_swap_the_neighbours_of_an_edit() -> None:
    """X types x, Y types y, B between them. Then X's change turns out to be a branch: its name decides no more than X's."""
    whole = Grown([-1, -1])
    seen = View(whole, {BIRTH}, [0, 1])
    branch = seen.dot(0)[0]
    low, high = sorted((X, branch))
    y = ((int.from_bytes(low, "big") + int.from_bytes(high, "big")) // 2).to_bytes(16, "big")  # between them
    assert low < y < high

    def between(x_id: int, y_id: int) -> str:
        return read([typed(x_id, "x"), typed(y_id, "y")])

    by_name_before, by_name_after = (numbered([(name,), (y,)]) for name in (X, branch))
    before = between(by_name_before[(X,)], by_name_before[(y,)])
    after = between(by_name_after[(branch,)], by_name_after[(y,)])
    assert before != after  # B's right neighbour stood behind its left one, and now stands before it: B is refused

    by_order = numbered([seen.names.order(branch), (y,)])
    assert between(by_order[seen.names.order(branch)], by_order[(y,)]) == before


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.booleans()), max_size=12), st.data())
def test_client_ids_in_the_same_order_give_the_same_text(
    steps: list[tuple[int, int, bool]], data: st.DataObject
) -> None:
    """So each device may choose the numbers that Yjs wants: only their order has to be the same everywhere."""

    def played(ids: list[int]) -> list[str]:
        documents: list[Doc[Text]] = [Doc(client_id=each) for each in ids]
        texts = [document.get("t", type=Text) for document in documents]
        for turn, (who, at, syncs) in enumerate(steps):
            if syncs:
                documents[who].apply_update(documents[at % 3].get_update())
            elif at % 4 == 3 and len(texts[who]):
                del texts[who][at % len(texts[who])]
            else:
                texts[who].insert(at % (len(texts[who]) + 1), chr(97 + turn))
        for _ in range(2):
            for one, other in itertools.permutations(range(3), 2):
                documents[one].apply_update(documents[other].get_update())
        return [str(text) for text in texts]

    ids = st.lists(st.integers(1, 2**53 - 1), min_size=3, max_size=3, unique=True).map(sorted)
    first = played(data.draw(ids))
    assert first == played(data.draw(ids)) == first[:1] * 3
