from __future__ import annotations

import datetime
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edda_sync.words import filters, spans, values
from edda_sync.words.dates import Clock, When
from edda_sync.words.errors import InvalidValueError
from edda_sync.words.filters import Filter
from edda_sync.words.query import TASK_ORDERS
from edda_sync.words.spans import Span

NOON = Clock(datetime.datetime(2026, 11, 25, 12, tzinfo=datetime.UTC), datetime.UTC)  # a Wednesday
FRIDAY, SATURDAY = When(date(2026, 11, 27)), When(date(2026, 11, 28))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("milk", Filter(words=("milk",))),
        ("+home", Filter(tags=("home",))),
        ("+#home", Filter(tags=("home",))),
        ("#home", Filter(tags=("home",))),
        ("tag:home,garden", Filter(tags=("home", "garden"))),
        ("+home,#garden", Filter(tags=("home", "garden"))),
        ('tag:"home,garden",x', Filter(tags=("home,garden", "x"))),
        ("-home,garden", Filter(no_tags=("home", "garden"))),
        ("-work", Filter(no_tags=("work",))),
        ("no-tag:work", Filter(no_tags=("work",))),
        ("overdue", Filter(due=spans.overdue(NOON), overdue=True)),
        ("due:overdue", Filter(due=spans.overdue(NOON), overdue=True)),
        ("due:friday", Filter(due=Span(FRIDAY, SATURDAY))),
        ("DUE:week", Filter(due=spans.read("due", "week", NOON))),
        ("due:none", Filter(has_due=False)),
        ("due:any", Filter(has_due=True)),
        ("due.before:friday", Filter(due=Span(None, FRIDAY))),
        ("due<friday", Filter(due=Span(None, FRIDAY))),
        ("due<=friday", Filter(due=Span(None, SATURDAY))),
        ("due.after:friday", Filter(due=Span(SATURDAY, None))),
        ("due>friday", Filter(due=Span(SATURDAY, None))),
        ("due>=friday", Filter(due=Span(FRIDAY, None))),
        ("due=friday", Filter(due=Span(FRIDAY, SATURDAY))),
        ("status:open,done", Filter(statuses=("open", "done"))),
        ("status:active", Filter(statuses=("open", "in_progress"))),
        ("status:started", Filter(statuses=("in_progress",))),
        ("status:all", Filter(statuses=())),
        ("priority:1", Filter(priorities=(1,))),
        ("p:0-2,4", Filter(priorities=(0, 1, 2, 4))),
        ("parent:none", Filter(parent="none")),
        ("under:3f9a1c", Filter(under="3f9a1c")),
        ("doc:3f9a1c", Filter(document="3f9a1c")),
        ("sort:-due", Filter(sort="-due")),
        ("text:overdue", Filter(words=("overdue",))),
        ("-text:milk", Filter(no_words=("milk",))),
        ("-text:oat milk", Filter(no_words=("oat milk",))),
        ("no-text:milk", Filter(no_words=("milk",))),
        ("-tag:work", Filter(no_tags=("work",))),
        ("-re:invent", Filter(no_tags=("re:invent",))),
        ("re:invent", Filter(words=("re:invent",))),
        ("https://example.org", Filter(words=("https://example.org",))),
        ("10:30", Filter(words=("10:30",))),
        ("-", Filter(words=("-",))),
        ("+", Filter(words=("+",))),
        ("- two words", Filter(words=("- two words",))),
        ('"two words"', Filter(words=('"two words"',))),
    ],
)
def test_a_word_is_a_condition(word: str, meant: Filter) -> None:
    assert filters.read([word], NOON) == meant


@pytest.mark.parametrize(
    ("word", "why"),
    [
        ("due:someday", "^due: 'someday' is not a date"),
        ("due<someday", "^due: 'someday' is not a date"), ("status:opne", "must be open"),
        ("priority:5", "0 .* to 4"), ("priority:2-1", "0 .* to 4"), ("priority:high", "0 .* to 4"),
        ("due:", "behind the colon"), ("stauts:open", "did you mean status:"),
        ("tag:", "text:tag: looks for it"), ("priority:٣", "0 .* to 4"),
    ],
)  # fmt: skip
def test_a_condition_that_cannot_be_read_is_refused_and_not_looked_for(word: str, why: str) -> None:
    with pytest.raises(InvalidValueError, match=why):
        filters.read(["milk", word], NOON)


def test_several_conditions_must_all_hold() -> None:
    found = filters.read(["milk", "+home", "+garden", "-work", "due>=today", "due<friday", "oat"], NOON)
    assert found == Filter(
        words=("milk", "oat"), tags=("home", "garden"), no_tags=("work",), due=Span(When(date(2026, 11, 25)), FRIDAY)
    )


TAGS = st.text("abcäß日", min_size=1, max_size=3)
CONDITIONS = st.one_of(
    st.tuples(st.just("tags"), TAGS.map(lambda tag: f"+{tag}")),
    st.tuples(st.just("no_tags"), TAGS.map(lambda tag: f"-{tag}")),
    st.tuples(st.just("words"), TAGS),
    st.tuples(st.just("priorities"), st.integers(0, 4).map(lambda number: f"priority:{number}")),
    st.tuples(st.just("statuses"), st.sampled_from(values.STATUSES).map(lambda status: f"status:{status}")),
)


@given(typed=st.lists(CONDITIONS, max_size=8))
def test_conditions_of_different_kinds_may_stand_in_any_order(typed: list[tuple[str, str]]) -> None:
    found = filters.read([word for _, word in typed], NOON)
    parted = sorted(typed, key=lambda each: each[0])  # stable: the order within a kind stays
    assert found == filters.read([word for _, word in parted], NOON)
    assert len(found.tags) + len(found.no_tags) + len(found.words) == sum(
        kind in ("tags", "no_tags", "words") for kind, _ in typed
    )


@given(words=st.lists(st.text(max_size=8), max_size=4))
def test_any_words_are_a_filter_or_refused(words: list[str]) -> None:
    try:
        found = filters.read(words, NOON)
    except InvalidValueError:
        return
    held = " ".join((*found.words, *found.tags, *found.no_tags))
    assert all(word.strip("+-#") in held or ":" in word or "due" in word.lower() for word in words), (
        "nothing is dropped"
    )


@pytest.mark.parametrize(
    ("text", "meant"),
    [("due", ("due_date", False)), ("-due_date", ("due_date", True)), ("updated", ("updated_at", False)),
     ("TITLE", ("title", False))],
)  # fmt: skip
def test_an_order_has_short_names_and_a_minus_reverses_it(text: str, meant: tuple[str, bool]) -> None:
    assert filters.order("sort", text, TASK_ORDERS) == meant


def test_an_order_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(InvalidValueError, match=r"urgent.*due"):
        filters.order("sort", "size", TASK_ORDERS)


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("+home", Filter(tags=("home",))),
        ("-work", Filter(no_tags=("work",))),
        ("type:note,spec", Filter(types=("note", "spec"))),
        ("task:3f9a1c", Filter(task="3f9a1c")),
        ("sort:-title", Filter(sort="-title")),
        ("overdue", Filter(words=("overdue",))),
        ("due<friday", Filter(words=("due<friday",))),
        ("text:due:week", Filter(words=("due:week",))),
    ],
)
def test_documents_have_conditions_of_their_own(word: str, meant: Filter) -> None:
    assert filters.read([word], NOON, "document") == meant


@pytest.mark.parametrize(
    ("word", "kind", "said"),
    [
        ("due:week", "document", "is a condition of tasks; text:due:week looks for it as a word"),
        ("status:open", "document", "is a condition of tasks"),
        ("type:note", "task", "is a condition of documents; text:type:note looks for it as a word"),
        ("typ:note", "document", "did you mean type:?"),
    ],
)
def test_a_condition_of_the_other_kind_is_refused(word: str, kind: str, said: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        filters.read([word], NOON, kind)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "typed", ["-status:done", "-due:week", "-priority:0", "-type:note", "no-parent:none", "-SORT:due"]
)
@pytest.mark.parametrize("kind", ["task", "document"])
def test_a_condition_that_cannot_be_turned_round_is_refused_and_not_taken_for_a_tag(typed: str, kind: str) -> None:
    with pytest.raises(InvalidValueError, match=r"cannot be asked for.*-text:milk"):
        filters.read([typed], NOON, kind)
