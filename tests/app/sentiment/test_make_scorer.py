"""Which tier hears."""

import pytest

from app.sentiment import TIERS, Scorer, TierMissing, make_scorer
from app.sentiment.fast import Fast
from app.sentiment.quality import Quality
from app.sentiment.tiers import Tiers


def test_the_fast_tier_is_always_here() -> None:
    assert isinstance(make_scorer(["es"], "fast"), Fast)


def test_the_quality_tier_says_what_to_install_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quality, "available", staticmethod(lambda: False))
    with pytest.raises(TierMissing, match=r"avizor\[quality\]"):
        make_scorer(["es"], "quality")
    assert isinstance(make_scorer(["es"], "auto"), Fast)


def test_both_work_together_where_both_are_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Quality, "available", staticmethod(lambda: True))
    assert isinstance(make_scorer(["es"], "quality"), Quality)
    assert isinstance(make_scorer(["es"]), Tiers)


def test_another_tier_is_an_error() -> None:
    assert TIERS == ("fast", "quality")
    with pytest.raises(ValueError, match="there is no tier best"):
        make_scorer(["es"], "best")


def test_every_tier_is_a_scorer() -> None:
    scorer: Scorer = make_scorer(["es"], "fast")
    assert scorer.score([], []) == []
