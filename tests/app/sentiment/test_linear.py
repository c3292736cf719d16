"""Features of words: the same for a word in any company, and what negations do to those behind them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.sentiment.linear import BITS, SHOWN, STOPPING, among, features, log_probabilities, negated, spelled
from app.sentiment.negation import NEGATIONS
from app.sentiment.normal import tokens

SPANISH = NEGATIONS["es"]


def turned(text: str) -> list[str]:
    """The words of a Spanish text that a negation turns."""
    found = [token[0] for token in tokens(text)]
    kinds = np.array([spelled(token, SPANISH).kind for token in found], np.uint8)
    return [token for token, is_turned in zip(found, negated(kinds, np.array([0])), strict=True) if is_turned]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no funciona la app nueva hoy", ["funciona", "la", "app", "nueva"]),
        ("no, funciona", []),
        ("va mal. Nunca vuelvo", ["vuelvo"]),
        ("sin ninguna queja", ["ninguna", "queja"]),
        ("funciona bien", []),
        ("NO sirve", ["sirve"]),
        ("¡jamás! bien", []),
        ("no", []),
    ],
)
def test_a_negation_turns_four_words_of_its_clause(text: str, expected: list[str]) -> None:
    assert turned(text) == expected


def test_a_negation_does_not_reach_into_the_next_text() -> None:
    found = ["no", "funciona", "no", "bien", "va"]
    kinds = np.array([spelled(token, SPANISH).kind for token in found], np.uint8)
    assert negated(kinds, np.array([0, 3])).tolist() == [False, True, True, False, False]


@given(st.lists(st.text(alphabet="aeñ'😡.#@1", min_size=1, max_size=12), min_size=1, max_size=8))
def test_a_token_has_the_same_features_in_any_company(words: list[str]) -> None:
    spellings = [spelled(word, SPANISH) for word in words]
    together = features(spellings)
    ends = np.cumsum(together.counts)
    for place, spelling in enumerate(spellings):
        alone = features([spelling])
        mine = together.buckets[ends[place] - together.counts[place] : ends[place]]
        assert sorted(mine) == sorted(alone.buckets)
        assert len(alone.turned) == len(alone.buckets)
        assert together.hashes[place] == alone.hashes[0]
    assert together.buckets.max() < 1 << BITS


def test_accents_capitals_and_skin_tones_matter_little() -> None:
    def shared(one: str, other: str) -> float:
        a, b = (set(features([spelled(word, SPANISH)]).buckets.tolist()) for word in (one, other))
        return len(a & b) / len(a | b)

    assert shared("pésimo", "pesimo") > 0.8
    assert shared("pésimo", "PÉSIMO") > 0.9
    assert shared("👍", "👍🏽") == 1
    assert shared("pésimo", "genial") < 0.1


def test_a_word_of_more_than_40_letters_is_not_taken_apart() -> None:
    assert features([spelled("ab" * 20, SPANISH)]).counts[0] > 100
    assert features([spelled("ab" * 21, SPANISH)]).counts[0] == 1


def test_neighbours_never_cross_from_one_text_to_the_next() -> None:
    hashes = np.arange(1, 6, dtype=np.uint32)
    whole, whose = among(hashes, np.array([0, 2]))
    apart = [among(hashes[part], np.array([0]))[0].tolist() for part in (slice(0, 2), slice(2, 5))]
    assert sorted(whole.tolist()) == sorted(apart[0] + apart[1])
    assert sorted(whose.tolist()) == [1, 3, 4, 4]


def test_probabilities_sum_to_one_at_any_size_of_logits() -> None:
    for logits in ([0.0, 0.0, 0.0], [900.0, -900.0, 0.0], [-1e6, -1e6, -1e6]):
        assert np.exp(log_probabilities(logits, 0.7)).sum() == pytest.approx(1)


# ── emoji and emoticons ──────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("token", "forms", "kind"),
    [
        (":)", (":)", "\1glad"), SHOWN | STOPPING),  # ends a clause as its colon does, and is evidence
        (":(((((", (":(((", "\1cross"), SHOWN | STOPPING),
        ("=)", ("=)", "\1glad"), SHOWN),
        (":P", (":P",), STOPPING),  # not clear: a mark
        ("?!", ("?!",), STOPPING),
        ("👍🏽", ("👍", "\1glad"), SHOWN),
        ("😡😡", ("😡", "\1cross", "\1often"), SHOWN),
        ("😂", ("😂",), SHOWN),
        ("🏽", ("🏽",), SHOWN),
    ],
)
def test_clear_emoji_and_emoticons_have_a_feature_in_common(token: str, forms: tuple[str, ...], kind: int) -> None:
    assert (spelled(token, SPANISH).forms, spelled(token, SPANISH).kind) == (forms, kind)


def test_a_smile_is_not_turned_by_the_negation_before_it() -> None:
    assert turned("no funciona :) hoy") == ["funciona"]
