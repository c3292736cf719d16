"""What every kind reads of an API's answer in the same way."""

import pytest

from collectors.base import CollectError
from collectors.items import PAGE_TOKEN_LIMIT, page_token


@pytest.mark.parametrize("told", ["CDIQAA", "b26v89c19zqg8", "año 2", "x" * PAGE_TOKEN_LIMIT])
def test_what_turns_the_page_is_given_back_as_it_came(told: str) -> None:
    assert page_token({"next": told}, "next", "API") == told


@pytest.mark.parametrize("item", [{}, {"next": None}, {"next": ""}, {"next": 7}, {"next": ["a"]}])
def test_a_last_page_has_nothing_to_give_back(item: dict[str, object]) -> None:
    assert page_token(item, "next", "API") == ""


@pytest.mark.parametrize("told", ["\ud800", "a\0", "a\nb", "x" * (PAGE_TOKEN_LIMIT + 1)])
def test_what_cannot_stand_in_an_address_fails_the_visit_in_words(told: str) -> None:
    """It would be kept in the cursor, and every further visit would fail before it asked anything."""
    with pytest.raises(CollectError, match="no usable next") as refused:
        page_token({"next": told}, "next", "API")
    assert refused.value.code == "not_api"
