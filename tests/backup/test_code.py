from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from edda_sync.backup.code import CODE_BYTES, RecoveryCode, _distance
from edda_sync.words.errors import InvalidValueError

CODE = RecoveryCode(bytes(range(20)))
PHRASE = "abandon amount liar amount expire adjust cage candy arch gather drum bullet absurd math exhibit"
WORDS = PHRASE.split()


def typed(**changed: str) -> str:
    """The words, some of which are others: ``w3="lair"``."""
    words = list(WORDS)
    for name, word in changed.items():
        words[int(name[1:]) - 1] = word
    return " ".join(words)


# --- the words --------------------------------------------------------------------------------------------------------


def test_a_code_is_fifteen_words_and_the_same_in_every_version() -> None:
    assert list(CODE.words) == WORDS
    assert RecoveryCode(bytes(20)).words == ("abandon",) * 14 + ("address",)
    assert RecoveryCode(b"\xff" * 20).words[:14] == ("zoo",) * 14
    assert CODE.identity.device == "d3gvazdps5sqe4vhel4hqq5gkfiylrbdwgaj3vkfdcr2tbwdgeya"
    assert CODE.identity.sealing_keys[0][1].hex() == "896a1d451355f33a6ceff5587d0fb02a814a3b923458f97f1d1cb72f51e0294d"


def test_a_new_code_has_160_random_bits() -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return b"7" * size

    assert RecoveryCode.new(random).secret == b"7" * CODE_BYTES
    assert [8 * size for size in asked] == [160]


def test_a_code_does_not_show_its_secret_where_it_is_printed() -> None:
    assert repr(CODE) == "RecoveryCode()"


@given(st.binary(min_size=20, max_size=20))
def test_every_code_is_read_back_from_its_words_and_from_their_first_letters(secret: bytes) -> None:
    code = RecoveryCode(secret)
    assert RecoveryCode.read(" ".join(code.words)) == code
    assert RecoveryCode.read(" ".join(word[:4] for word in code.words)) == code
    assert code.identity.device == RecoveryCode(secret).identity.device


def test_no_two_words_begin_with_the_same_four_letters() -> None:
    assert len({word[:4] for word in Mnemonic("english").wordlist}) == 2_048


@pytest.mark.parametrize(
    "text",
    [
        " ".join(WORDS).upper(),
        "  \n".join(f"{number:>2}. {word.capitalize()}" for number, word in enumerate(WORDS, 1)),
        "\t".join(f"{number}{word}" for number, word in enumerate(WORDS, 1)),
        ", ".join(WORDS) + ".",
        "-".join(WORDS),
        " ".join(word[: 4 + at % 3] for at, word in enumerate(WORDS)),
        "\u00a0".join(WORDS),
        typed(w1="ábandòn", w6="adjust\u0301"),
        "".join(chr(ord(each) + 0xFEE0) if each.isalpha() else each for each in " ".join(WORDS)),  # full width
    ],
)
def test_a_code_is_read_however_it_was_written_down(text: str) -> None:
    assert RecoveryCode.read(text) == CODE


# --- what is no code --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "has 0 words; it must be all 15"),
        ("abandon", "has 1 word; it must be all 15"),
        (" ".join(WORDS[:-1]), "has 14 words; it must be all 15, in the order of their numbers"),
        (typed(w15="exhibit exhibit"), "has 16 words"),
    ],
)
def test_too_few_or_too_many_words_are_counted(text: str, said: str) -> None:
    with pytest.raises(InvalidValueError, match=said):
        RecoveryCode.read(text)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"w1": "abandno"}, r"word 1, 'abandno' \(abandon\?\)"),
        ({"w3": "lyar"}, r"word 3, 'lyar' \(liar\?\)"),
        ({"w6": "adjsut"}, r"word 6, 'adjsut' \(adjust\?\)"),
        ({"w7": "cag"}, r"word 7, 'cag' \(cage or \w+\?\)"),
        ({"w15": "exibit"}, r"word 15, 'exibit' \(exhibit\?\)"),
        ({"w2": "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq"}, "word 2, 'qqqqqqqqqqqqqqqqqqqq'"),
        (
            {"w2": "amont", "w4": "amuont"},
            r"word 2, 'amont' \(.*amount.*\), word 4, 'amuont' \(amount.*\)",
        ),
        ({f"w{at}": "xxxx" for at in range(1, 6)}, "word 3, 'xxxx'[^,]*, and 2 more"),
    ],
)
def test_a_mistyped_word_is_named_with_what_may_have_been_meant(changed: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidValueError, match=f"has words that no code has: .*{said}"):
        RecoveryCode.read(typed(**changed))


def test_the_checksum_picks_the_word_that_was_meant_from_others_as_close() -> None:
    close = {word for word in Mnemonic("english").wordlist if _distance("mat", word) == 1}
    assert close >= {"cat", "hat", "mad", "man", "meat", "math"}
    with pytest.raises(InvalidValueError, match=r"word 14, 'mat' \(math\?\)"):
        RecoveryCode.read(typed(w14="mat"))


@pytest.mark.parametrize("text", [typed(w1="zoo"), " ".join((WORDS[1], WORDS[0], *WORDS[2:]))])
def test_words_that_do_not_fit_together_are_said_to_be_so(text: str) -> None:
    with pytest.raises(
        InvalidValueError, match="does not fit together, although each word is one that a code may have"
    ):
        RecoveryCode.read(text)


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [("", "abc", 3), ("abc", "abc", 0), ("abc", "acb", 1), ("cage", "cag", 1), ("liar", "lyar", 1), ("ca", "abc", 3)],
)
def test_the_distance_of_two_words_counts_letters_that_changed_places_once(one: str, other: str, distance: int) -> None:
    assert _distance(one, other) == distance
