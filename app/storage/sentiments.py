"""A sentiment as it lies in a row: label, score and language in columns of their own, the rest as short JSON."""

from collections.abc import Mapping
from typing import Any

from app.model import Evidence, Sentiment
from app.storage.database import to_json
from app.tables import LABEL_NAMES


def pack(sentiment: Sentiment) -> str:
    packed: dict[str, Any] = {"scorer": sentiment.scorer}
    if sentiment.language_confidence is not None:
        packed["confidence"] = sentiment.language_confidence
    if sentiment.probabilities is not None:
        packed["probabilities"] = sentiment.probabilities
    if sentiment.evidence:
        packed["evidence"] = [(one.start, one.end, one.text, one.weight) for one in sentiment.evidence]
    return to_json(packed)


def unpack(label: int, score: float | None, language: str | None, packed: Mapping[str, Any]) -> Sentiment:
    probabilities = packed.get("probabilities")
    return Sentiment(
        label=LABEL_NAMES[label],
        score=score,
        scorer=packed["scorer"],
        language=language,
        language_confidence=packed.get("confidence"),
        probabilities=None if probabilities is None else (probabilities[0], probabilities[1], probabilities[2]),
        evidence=tuple(Evidence(*one) for one in packed.get("evidence", ())),
    )
