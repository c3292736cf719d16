"""A sentiment as it lies in a row: what counts in columns of their own, the scorer's reading as short JSON.

label, score                    what counts: a person's word if there is one, else the reading's
language                        the reading's, else what the source claims
provisional, uncertain          of the reading; nothing is to be heard again where a person has spoken
sentiment                       the rest of the reading, and all of it that a correction hides from the columns
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Row

from app.model import CORRECTED_SCORES, Correction, Evidence, Sentiment
from app.tables import LABEL_CODES, LABEL_NAMES, from_ms, to_ms

COLUMNS = ("label", "score", "language", "provisional", "uncertain", "sentiment", "correction")
JSON_COLUMNS = ("sentiment", "correction")


def pack(sentiment: Sentiment, correction: Correction | None, claimed: str | None) -> dict[str, Any]:
    """The values of `COLUMNS`, JSON as mappings. `claimed` is the language that the source says it is in."""
    packed: dict[str, Any] = {"scorer": sentiment.scorer}
    if sentiment.language is None and claimed is not None:
        packed["claimed"] = True
    if sentiment.language_confidence is not None:
        packed["confidence"] = sentiment.language_confidence
    if sentiment.probabilities is not None:
        packed["probabilities"] = sentiment.probabilities
    if sentiment.evidence:
        packed["evidence"] = [(one.start, one.end, one.text, one.weight) for one in sentiment.evidence]
    if sentiment.components:
        packed["components"] = dict(sentiment.components)
    if correction is not None:
        packed |= {"label": sentiment.label, "score": sentiment.score, "provisional": sentiment.provisional}
    label = sentiment.label if correction is None else correction.label
    return {
        "label": LABEL_CODES[label],
        "score": sentiment.score if correction is None else CORRECTED_SCORES[label],
        "language": sentiment.language or claimed,
        "provisional": sentiment.provisional and correction is None,
        "uncertain": sentiment.uncertain,
        "sentiment": packed,
        "correction": None if correction is None else _pack_correction(correction),
    }


def unpack(row: Row[Any]) -> Sentiment:
    """The scorer's reading, of a row that has `COLUMNS`."""
    packed: Mapping[str, Any] = row.sentiment
    probabilities = packed.get("probabilities")
    hidden = row.correction is not None
    return Sentiment(
        label=packed["label"] if hidden else LABEL_NAMES[row.label],
        score=packed["score"] if hidden else row.score,
        scorer=packed["scorer"],
        language=None if "claimed" in packed else row.language,
        language_confidence=packed.get("confidence"),
        probabilities=None if probabilities is None else (probabilities[0], probabilities[1], probabilities[2]),
        evidence=tuple(Evidence(*one) for one in packed.get("evidence", ())),
        components=packed.get("components", {}),
        provisional=packed["provisional"] if hidden else row.provisional,
    )


def unpack_correction(packed: Mapping[str, Any] | None) -> Correction | None:
    if packed is None:
        return None
    return Correction(packed["label"], packed["by"], from_ms(packed["at"]), packed["note"])


def _pack_correction(correction: Correction) -> dict[str, Any]:
    return {"label": correction.label, "by": correction.by, "at": to_ms(correction.at), "note": correction.note}
