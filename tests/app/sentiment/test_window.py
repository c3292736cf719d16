"""What a scorer listens to of an over-long text."""

from hypothesis import given
from hypothesis import strategies as st

from app.sentiment.window import CHARACTERS, REPEATS, TOKENS, tokens, window


@given(st.text(alphabet=st.sampled_from("ab 😀😡\n👍🏽é"), max_size=900))
def test_a_text_within_the_caps_is_its_own_window(text: str) -> None:
    part = window(text)
    if tokens(text) <= TOKENS:
        assert part.text is text
    else:
        assert tokens(part.text) <= TOKENS
        assert len(part.text) <= CHARACTERS


@given(st.text(alphabet=st.sampled_from("ab 😀😡\n👍🏽é"), min_size=300, max_size=700), st.integers(0, 30))
def test_each_character_of_a_window_stands_where_it_says(text: str, copies: int) -> None:
    text *= copies
    part = window(text)
    assert "".join(text[part.original(offset)] for offset in range(len(part.text))) == part.text


def test_a_long_run_of_an_emoji_does_not_push_the_words_out() -> None:
    part = window("😡" * 5_000 + " the app is broken")
    assert part.text == "😡" * REPEATS + " the app is broken"


def test_a_window_ends_with_a_whole_word() -> None:
    part = window("wonderful " * 1_000)
    assert len(part.text) <= CHARACTERS
    assert set(part.text.split()) == {"wonderful"}
