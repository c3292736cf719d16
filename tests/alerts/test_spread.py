"""Wide spread is sites, not copies; it is said once and is over when nobody takes the text up any more."""

from datetime import UTC, datetime, timedelta

import pytest

from alerts.detect.spread import judge_spread
from alerts.spike import Spike, from_mapping, to_mapping

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def judge(*copies: tuple[float, str], label: str = "negative") -> Spike:
    """Copies as (hours ago, site)."""
    return judge_spread(7, label, [(NOW - timedelta(hours=ago), site, "redacción") for ago, site in copies], NOW)


@pytest.mark.parametrize(("people", "verdict"), [(60, "notice"), (30, "notice"), (29, "calm")])
def test_a_form_letter_by_many_people_on_four_sites_is_a_notice(people: int, verdict: str) -> None:
    copies = [(NOW - timedelta(minutes=n), f"foro{n % 4}.example", f"persona {n}") for n in range(people)]
    spike = judge_spread(7, "negative", copies, NOW)
    assert spike.verdict == verdict
    if verdict == "notice":
        assert (spike.reason, spike.observed, spike.minimum) == ("many_authors", people, 30)


def wire(sites: int, ago: float = 1) -> list[tuple[float, str]]:
    return [(ago + number / 100, f"diario{number}.example") for number in range(sites)]


def test_one_wire_on_forty_sites_is_a_notice() -> None:
    spike = judge(*wire(40))
    assert (spike.verdict, spike.reason, spike.subject, spike.observed) == ("notice", "wide_spread", "7", 40)
    assert (spike.total, spike.minimum, spike.share) == (40, 10, 1.0)


@pytest.mark.parametrize(
    ("copies", "verdict", "sites"),
    [
        (wire(9), "calm", 9),
        (wire(10), "notice", 10),
        ([(1, "uno.example")] * 40, "calm", 1),
        ([(1, "uno.example"), (1, "UNO.example")] * 20, "calm", 1),
        ([*wire(9), (0.5, "diario3.example")], "calm", 9),
        (wire(40, ago=4), "calm", 40),  # it has come to rest
        ([*wire(40, ago=4), (1, "otro.example")], "notice", 41),
        ([*wire(40, ago=4), (1, "diario3.example")], "calm", 40),  # a site that brings it again takes up nothing
        (wire(40, ago=25), "calm", 0),
        ([*wire(40, ago=25), *[(1.0, f"diario{number}.example") for number in range(40)]], "calm", 0),
        ([*wire(6, ago=20), *[(1.0, f"otro{number}.example") for number in range(4)]], "notice", 10),
        ([], "calm", 0),
    ],
)
def test_how_far_it_went(copies: list[tuple[float, str]], verdict: str, sites: int) -> None:
    spike = judge(*copies)
    assert (spike.verdict, spike.observed) == (verdict, sites)


def test_what_is_published_later_is_not_known_yet() -> None:
    assert judge(*wire(9), (-0.1, "otro.example")).observed == 9


@pytest.mark.parametrize(
    ("label", "share", "unknown"), [("positive", 0.0, 0), ("negative", 1.0, 0), ("unknown", None, 12)]
)
def test_its_tone_is_said_and_unknown_is_not_neutral(label: str, share: float | None, unknown: int) -> None:
    spike = judge(*wire(12), label=label)
    assert (spike.verdict, spike.share, spike.unknown) == ("notice", share, unknown)


def test_it_survives_json() -> None:
    assert from_mapping(to_mapping(judge(*wire(12)))) == judge(*wire(12))
