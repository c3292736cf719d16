"""A brand's feeds over HTTP."""

import pytest

from tests.app.api.house import House


@pytest.mark.parametrize(
    ("form", "media_type"), [("json", "application/feed+json"), ("rss", "application/rss+xml; charset=utf-8")]
)
def test_it_serves_a_brands_mentions(house: House, form: str, media_type: str) -> None:
    brand, other = house.brand("aurora", name="Café Aurora", language="es"), house.brand("brisa")
    items = (
        house.item("cold", {brand: "negative"}),
        house.item("warm", {brand: "positive"}),
        house.item("no", {other: "negative"}),
    )
    house.hear(house.source("diario"), *items)
    caller, url = house.caller("viewer"), f"/api/v1/brands/aurora/feed.{form}"
    answer = caller.get(url)
    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert "Café Aurora: menciones" in answer.text
    assert f"http://avizor.test{url}" in answer.text
    assert ("cold" in answer.text, "warm" in answer.text, "brisa" in answer.text) == (True, True, False)
    assert "warm" not in caller.get(f"{url}?label=negative").text
    assert caller.get(url, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    assert caller.get(f"{url}?limit=0").status_code == 422


def test_it_asks_a_feed_reader_for_a_password_and_nobody_else(house: House) -> None:
    stranger = house.anybody()
    assert stranger.get("/api/v1/brands/x/feed.rss").headers["www-authenticate"].startswith("Basic")
    assert stranger.get("/api/v1/brands/x").headers["www-authenticate"].startswith("Bearer")
