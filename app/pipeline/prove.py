"""The proof of a verdict, gathered when an incident opens or gets worse: what was said, by whom, what stands out.

Signal -> window -> exhibits, summary, words that stand out, who said it first, how it spread -> Dossier
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from alerts import dossier
from alerts.base import Dossier, Exhibit, First, Term
from alerts.detect.verdict import samples_of
from alerts.spike import BIN_S, Spike
from alerts.terms import over_represented
from app.model import Mention, Policy
from app.pipeline.facts import Facts
from app.pipeline.judge import GRAVE, SILENCE, SPREAD, Signal, is_told
from app.pipeline.volumes import on_grid, volume_of
from app.storage import Storage
from app.storage.proof import GraveRow, Told

EXHIBITS = 5
SAMPLES = timedelta(days=15)


def prove(storage: Storage, facts: Facts, signal: Signal, policy: Policy, now: datetime) -> Dossier:
    """The dossier of a signal, complete in itself."""
    brand, spike = facts.brand, _with_samples(storage, facts, signal)
    window = brand.id, spike.window_start, spike.window_end
    out = {one.post_id for one in signal.excluded}
    negatives = [one for one in facts.negatives if one.published_at >= spike.window_start and one.post_id not in out]
    voices: Sequence[Told | GraveRow] = negatives
    if signal.cause.startswith(f"{GRAVE}:"):  # it is about those who say the word, whatever else is said
        voices = _saying(facts, signal)
        saying = {one.post_id for one in voices}
        negatives = [one for one in negatives if one.post_id in saying]
    first = _first(storage, facts, signal, negatives)
    top = storage.mentions.top_negative(*window, EXHIBITS + len(out))
    return dossier.build(
        spike,
        _exhibits(storage, facts, signal, [one for one in top if one[0].post_id not in out]),
        storage.mentions.summary(*window),
        cause=signal.cause,
        policy=policy_of(policy),
        judged_at=now,
        excluded=_reasons(signal, spike),
        terms=_terms(facts, negatives),
        first=first,
        authors=len({(one.site, one.author) for one in voices if one.author}),
        sites=len({one.site or one.source for one in voices}),
        spread=_spread(facts, signal, top[:EXHIBITS]),
        subject=signal.subject,
        events=[event.name for event in brand.events if event.since <= spike.window_end <= event.until],
    )


def _saying(facts: Facts, signal: Signal) -> list[GraveRow]:
    """The stories of the window that say the grave word."""
    term = signal.cause.partition(":")[2]
    return [row for row in facts.grave if term in row.terms and is_told(row, signal.spike)]


def policy_of(policy: Policy) -> dict[str, Any]:
    return {"id": policy.id, "name": policy.name, "false_warnings_per_month": policy.false_warnings_per_month}


def _with_samples(storage: Storage, facts: Facts, signal: Signal) -> Spike:
    """The verdict with the same window of earlier days beside it."""
    spike = signal.spike
    if signal.cause.partition(":")[0] in (GRAVE, SPREAD, SILENCE):
        return spike
    start, end = on_grid(spike.window_start - SAMPLES), spike.window_end
    rows = storage.volumes.series(facts.brand.id, start, end, BIN_S)
    volume = volume_of(start, end, rows, storage.volumes.coverage(facts.brand.id, start, end))
    return replace(spike, samples=samples_of(volume, spike.window_start, spike.window_end))


def _reasons(signal: Signal, spike: Spike) -> dict[str, int]:
    """How many negative stories of the window do not count, by reason."""
    counts: dict[str, int] = {}
    for one in signal.excluded:
        if one.label == "negative" and spike.window_start <= one.at < spike.window_end:
            counts[one.why] = counts.get(one.why, 0) + 1
    return counts


def _terms(facts: Facts, negatives: Sequence[Told]) -> tuple[Term, ...]:
    here = [facts.tokens(one) for one in negatives]
    return over_represented(here, facts.background, leave_out=facts.own_words) if here else ()


def _exhibits(storage: Storage, facts: Facts, signal: Signal, top: Sequence[tuple[Mention, int]]) -> list[Exhibit]:
    """The stories that show it best."""
    kind, _, subject = signal.cause.partition(":")
    brand = facts.brand
    if kind == SILENCE:
        return []
    if kind == SPREAD:
        found = storage.mentions.get(brand.slug, int(subject))
        return [exhibit(found, len(facts.copies(int(subject))) - 1)] if found else []
    if kind == GRAVE:
        rows = _saying(facts, signal)
        mentions = [storage.mentions.get(brand.slug, row.post_id) for row in rows[-EXHIBITS:]]
        return [exhibit(mention, 0) for mention in mentions if mention and not mention.withdrawn_at]
    shown = [(mention, copies) for mention, copies in top if not mention.withdrawn_at]
    return [exhibit(mention, copies) for mention, copies in shown[:EXHIBITS]]


def _first(storage: Storage, facts: Facts, signal: Signal, negatives: Sequence[Told]) -> First | None:
    kind, _, subject = signal.cause.partition(":")
    stories = [one.story_id for one in negatives]
    if kind == SPREAD:
        stories = [int(subject)]
    elif kind == GRAVE:
        stories = [row.story_id for row in _saying(facts, signal)]
    told = None if kind == SILENCE else facts.first_told(stories)
    if told is None:
        return None
    mention = storage.mentions.get(facts.brand.slug, told.post_id)
    url = mention.url if mention else None
    return First(told.source, told.site, told.author, told.published_at, told.fetched_at, url)


def _spread(facts: Facts, signal: Signal, top: Sequence[tuple[Mention, int]]) -> int:
    """On how many sites the most copied of the negative stories stands, as far as the last day goes."""
    kind, _, subject = signal.cause.partition(":")
    stories = [int(subject)] if kind == SPREAD else [mention.story_id for mention, copies in top if copies]
    return max((len({site for _, site, _ in facts.copies(story)}) for story in stories), default=1)


def exhibit(mention: Mention, copies: int) -> Exhibit:
    return Exhibit(
        title=mention.title,
        text=mention.text,
        url=mention.url,
        source=mention.source,
        author=mention.author,
        published_at=mention.published_at,
        language=mention.sentiment.language,
        score=mention.score,
        evidence=tuple(word.text for word in mention.sentiment.evidence if word.weight < 0),
        copies=copies,
    )
