"""The colours can be read: WCAG 2.2 level AA, light and dark."""

import re
from itertools import product

import pytest

from app.web.render import STYLE

PAIRS = [
    *product(("ink", "soft", "link", "negative", "positive", "warning"), ("paper", "card")),
    ("ink", "neutral-soft"),
    *((tone, f"{tone}-soft") for tone in ("negative", "neutral", "positive", "unknown", "warning", "calm")),
    *product(("ink",), ("negative-soft", "warning-soft", "calm-soft", "against", "for")),
    ("on-deep", "deep"),
    ("soft", "neutral-soft"),
]


def palette(scheme: str) -> dict[str, str]:
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text(encoding="utf-8"), re.S)
    light = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[0]))
    return light if scheme == "light" else light | dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", blocks[1]))


def luminance(colour: str) -> float:
    """Relative luminance, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance."""
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_stands_out_from_its_ground(scheme: str) -> None:
    colours = palette(scheme)
    weak = {
        f"{text} on {ground}": round(contrast(colours[text], colours[ground]), 2)
        for text, ground in PAIRS
        if contrast(colours[text], colours[ground]) < 4.5
    }
    assert weak == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_line_under_a_word_stands_out_from_its_ground(scheme: str) -> None:
    colours = palette(scheme)
    assert contrast(colours["negative"], colours["against"]) >= 3
    assert contrast(colours["positive"], colours["for"]) >= 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_bar_stands_out_from_the_picture(scheme: str) -> None:
    colours = palette(scheme)
    assert min(contrast(colours[bar], colours["paper"]) for bar in ("negative", "unknown")) >= 3


def test_black_on_white_is_21_to_1() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
