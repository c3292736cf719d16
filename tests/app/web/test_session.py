"""Coming in with a key, staying for a week at most, and changing things only through our own forms."""

import re
from datetime import timedelta

import httpx
import pytest

from app.web.session import local, token_for
from tests.app.api.house import NOON, Client, House

ORIGIN = {"Origin": "http://avizor.test"}
HTML = {"Accept": "text/html"}


@pytest.fixture
def crisis(house: House) -> str:
    return house.crisis(house.brand("aurora")).id


def log_in(house: House, key: str, **form: str) -> httpx.Response:
    return house.anybody(**HTML).post("/login", data={"key": key} | form, headers=ORIGIN)


def token(page: httpx.Response) -> str:
    found = re.search(r'name="token" value="([0-9a-f]{64})"', page.text)
    assert found is not None
    return found[1]


def state(house: House, incident_id: str) -> str:
    found = house.storage.incidents.get(incident_id)
    assert found is not None
    return found.state


# ── coming in ────────────────────────────────────────────────────────────────


def test_a_stranger_is_sent_to_the_login_and_back(house: House) -> None:
    stranger = house.anybody(**HTML)
    assert stranger.get("/").headers["location"] == "/login"
    sent = stranger.get("/incidents/x?a=1")
    assert (sent.status_code, sent.headers["location"]) == (303, "/login?next=%2Fincidents%2Fx%3Fa%3D1")
    assert 'name="next" value="/incidents/x?a=1"' in stranger.get(sent.headers["location"]).text


def test_a_key_opens_the_pages(house: House) -> None:
    answer = log_in(house, house.key("viewer"), next="/brands/aurora")
    assert (answer.status_code, answer.headers["location"]) == (303, "/brands/aurora")


def test_the_cookie_is_kept_from_scripts_other_sites_and_the_log(house: House) -> None:
    key = house.key()
    cookie = log_in(house, key).headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Max-Age=604800" in cookie
    assert key.split("_", 2)[2] not in cookie
    assert key.split("_")[1] not in cookie


def test_over_https_the_cookie_is_bound_to_the_host(house: House) -> None:
    browser = house.anybody(**HTML)
    url = "https://avizor.test"
    answer = browser.post(f"{url}/login", data={"key": house.key()}, headers={"Origin": url})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-avizor_session=")
    assert "Secure" in cookie
    assert "Path=/" in cookie
    assert browser.get(f"{url}/").status_code == 200


@pytest.mark.parametrize("key", ["", "avz_0_x", "nonsense", "x" * 200])
def test_a_wrong_key_is_refused_and_not_repeated(house: House, key: str) -> None:
    answer = log_in(house, key)
    assert answer.status_code == 401
    assert "set-cookie" not in answer.headers
    assert "not valid" in answer.text
    assert not key or key not in answer.text


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "/\t/evil.example", "", "x"],
)
def test_the_login_leads_nowhere_else(house: House, target: str) -> None:
    assert local(target) == "/"
    assert log_in(house, house.key(), next=target).headers["location"] == "/"
    assert local("/incidents/x?a=1") == "/incidents/x?a=1"


def test_a_link_from_a_chat_is_followed_once_more_from_here(house: House) -> None:
    stranger = house.anybody(**HTML)
    page = stranger.get("/login?next=/incidents/x", headers={"Sec-Fetch-Site": "cross-site"})
    assert '<meta http-equiv="refresh" content="0; url=/incidents/x">' in page.text
    assert "refresh" not in stranger.get("/login?next=/incidents/x", headers={"Sec-Fetch-Site": "same-origin"}).text


# ── staying ──────────────────────────────────────────────────────────────────


def test_a_session_ends_after_a_week(house: House) -> None:
    visitor = house.visitor()
    house.now = NOON + timedelta(days=7)
    assert visitor.get("/").status_code == 200
    house.now = NOON + timedelta(days=7, seconds=1)
    assert visitor.get("/").status_code == 303


def test_a_session_ends_with_its_key(house: House) -> None:
    visitor = house.visitor("viewer")
    assert visitor.get("/").status_code == 200
    house.storage.keys.revoke(house.storage.keys.all()[0].id, house.now)
    assert visitor.get("/").status_code == 303


def test_a_cookie_that_we_did_not_make_opens_nothing(house: House) -> None:
    key_id = house.key().split("_")[1]
    other_seal = house.vault.seal(f"another:{key_id}:{int(NOON.timestamp())}")
    from_tomorrow = house.vault.seal(f"session:{key_id}:{int(NOON.timestamp()) + 86_400}")
    ours = house.vault.seal(f"session:{key_id}:{int(NOON.timestamp())}")
    assert with_cookie(house, ours).get("/").status_code == 200
    for forged in (
        "x",
        "",
        f"session:{key_id}:0",
        other_seal,
        from_tomorrow,
        ours[:-2],
        house.vault.seal("session:a:b"),
    ):
        assert with_cookie(house, forged).get("/").status_code == 303


def with_cookie(house: House, value: str) -> Client:
    return house.anybody(Cookie=f"avizor_session={value}", **HTML)


def test_a_cookie_is_no_key_for_the_api(house: House) -> None:
    assert house.visitor().get("/api/v1/brands").status_code == 401


def test_logging_out_ends_it(house: House) -> None:
    visitor = house.visitor()
    answer = visitor.post("/logout", data={"token": token(visitor.get("/"))}, headers=ORIGIN)
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    assert visitor.get("/").status_code == 303


# ── changing things ──────────────────────────────────────────────────────────


def test_a_responder_takes_and_resolves_an_incident(house: House, crisis: str) -> None:
    visitor = house.visitor("responder")
    page = visitor.get(f"/incidents/{crisis}")
    taken = visitor.post(f"/incidents/{crisis}/acknowledge", data={"token": token(page)}, headers=ORIGIN)
    assert (taken.status_code, taken.headers["location"]) == (303, f"/incidents/{crisis}")
    assert state(house, crisis) == "acknowledged"
    form = {"token": token(page), "reason": "Answered by the press office."}
    assert visitor.post(f"/incidents/{crisis}/resolve", data=form, headers=ORIGIN).status_code == 303
    assert state(house, crisis) == "resolved"
    assert "Answered by the press office." in visitor.get(f"/incidents/{crisis}").text


def test_a_responder_tries_a_dead_message_again(house: House) -> None:
    incident = house.crisis(house.brand("aurora"), (house.channel("guardia"),))
    dead = house.kill_delivery(f"{incident.id}.1.guardia")
    visitor = house.visitor("responder")
    page = visitor.get(f"/incidents/{incident.id}")
    url = f"/incidents/{incident.id}/deliveries/{dead}/redrive"
    assert f'action="{url}"' in page.text
    assert visitor.post(url, data={"token": token(page)}, headers=ORIGIN).status_code == 303
    assert house.storage.deliveries.counts() == {"pending": 1}


def test_a_viewer_sees_no_button_and_can_press_none(house: House, crisis: str) -> None:
    visitor = house.visitor("viewer")
    page = visitor.get(f"/incidents/{crisis}")
    assert "acknowledge" not in page.text
    answer = visitor.post(f"/incidents/{crisis}/acknowledge", data={"token": token(page)}, headers=ORIGIN)
    assert answer.status_code == 403
    assert state(house, crisis) == "open"


FORMS = ["/incidents/{}/acknowledge", "/incidents/{}/resolve", "/logout"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://avizor.test.evil.example"},
        {"Origin": "http://avizor.test:8080"},
        {"Origin": ""},
        {"Origin": "http://avizor.test", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://avizor.test", "Sec-Fetch-Site": "same-site"},
    ],
)
def test_another_site_cannot_press_a_button(house: House, crisis: str, form: str, headers: dict[str, str]) -> None:
    visitor = house.visitor("admin")
    good = {"token": token(visitor.get("/")), "reason": "x"}
    assert visitor.post(form.format(crisis), data=good, headers=headers).status_code == 403
    assert state(house, crisis) == "open"
    assert visitor.post(form.format(crisis), data=good, headers=ORIGIN).status_code == 303, (
        "the same form from here must pass"
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_form_without_our_token_is_refused(house: House, crisis: str, form: str) -> None:
    visitor, other = house.visitor("admin"), house.visitor("admin")
    for wrong in ("", "0" * 64, token(other.get("/")), "ñ", token_for("")):
        answer = visitor.post(form.format(crisis), data={"token": wrong, "reason": "x"}, headers=ORIGIN)
        assert answer.status_code == 403
    assert state(house, crisis) == "open"


def test_a_login_from_another_site_is_refused(house: House) -> None:
    browser = house.anybody(**HTML)
    assert (
        browser.post("/login", data={"key": house.key()}, headers={"Origin": "http://evil.example"}).status_code == 403
    )
    assert browser.post("/login", data={"key": house.key()}).status_code == 403


def test_no_form_changes_anything_by_get(house: House, crisis: str) -> None:
    visitor = house.visitor("admin")
    assert visitor.get(f"/incidents/{crisis}/acknowledge").status_code == 405
    assert visitor.get("/logout").status_code == 405
    assert state(house, crisis) == "open"


def test_a_huge_form_is_refused(house: House) -> None:
    answer = house.anybody(**HTML).post("/login", data={"key": "x" * 20_000}, headers=ORIGIN)
    assert answer.status_code in (413, 422)
