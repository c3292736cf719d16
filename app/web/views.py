"""What the pages show, read from storage into plain values. Blocking; nothing here knows of HTTP or HTML.

overview   brands with verdict, coverage and chart | what needs somebody | last mentions | incidents | sources
brand      one brand at length, its mentions with the words that made their tone
weighed    one mention, its text heard word by word
incident   one crisis: the proof, the timeline, who was told
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

from alerts import prose
from alerts.audience import audience
from alerts.base import Alert, Channel, Dossier
from alerts.dossier import dossier_of
from alerts.incident import Event, Incident
from alerts.spike import Sample, Spike
from alerts.texts import words as alert_words
from app.api.auth import Caller, brand_for
from app.api.bins import TONES, Width
from app.api.channels import channels_for
from app.api.deliveries import Reach
from app.api.deps import Deps
from app.api.incidents import dossier_shown, incident_for
from app.api.mentions import weighed
from app.api.volumes import read_bins
from app.feeds import web_link
from app.model import Brand, Evidence, Label, Mention, MentionFilter, Sentiment
from app.storage.records import Attempt, Delivery, Watch
from app.web.chart import POOR, Box, Chart, draw
from collectors.base import Source, SourceState
from collectors.due import counts, fresh, health, overrun

LAST_MENTIONS = 12
LAST_INCIDENTS = 6
MENTIONS_A_PAGE = 40
MOST_DEAD = 100
MOST_UNRESOLVED = 100
CARD, WIDE = 400.0, 1000.0
"""Widths of a chart in its own units: about the pixels that it is shown in, so that the hatching keeps its slant."""
STALE = timedelta(minutes=15)
"""A verdict older than this says nothing about now: nobody has watched since."""

STRONG = 0.2
"""From here on a score in -1..1 takes a side: words and sentence that take opposite ones are worth a word."""
SHOWN = 0.5
"""From here on evidence, added up in logits, takes a side."""

Mood = Literal["calm", "warning", "critical", "learning", "not_evaluated", "stale", "new"]
Range = Literal["day", "week", "month"]
Tab = Literal["all", "uncertain", "corrected"]
TABS: tuple[Tab, ...] = ("all", "uncertain", "corrected")
"""Which mentions of a brand: all, those to review first (uncertain, and nobody has looked), those a person labelled."""
RANGES: Mapping[Range, tuple[timedelta, Width]] = {
    "day": (timedelta(days=1), "3600"),
    "week": (timedelta(days=7), "3600"),
    "month": (timedelta(days=30), "day"),
}
LOUDEST_FIRST: Mapping[Mood, int] = {
    "critical": 0,
    "warning": 1,
    "stale": 2,
    "not_evaluated": 3,
    "new": 4,
    "learning": 5,
    "calm": 6,
}
WORST_FIRST: Mapping[str, int] = {"failing": 0, "silent": 1, "late": 2, "disabled": 3, "ok": 4}


# ── values ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of a text; `weight` is that of the evidence in it, None in between."""

    text: str
    weight: float | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A mention as it is shown: its texts in pieces, so that evidence is marked without splicing markup into a text.

    `words` is the marked evidence, heaviest first; `chances` the scorer's probabilities by label. `surface` is the side
    that the words alone take where the whole sentence takes the other one: irony, litotes.
    """

    mention: Mention
    brand_name: str
    title: tuple[Piece, ...]
    text: tuple[Piece, ...]
    link: str | None
    words: tuple[Piece, ...]
    chances: tuple[tuple[Label, float], ...]
    surface: Label | None

    @property
    def doubtful(self) -> bool:
        """A person should look, and none has."""
        return self.mention.sentiment.uncertain and self.mention.correction is None


@dataclass(frozen=True, slots=True)
class Heard:
    """A source and how well it is heard now; `overrun`: when its window last ran over, within a week."""

    source: Source
    state: SourceState
    fresh: bool
    overrun: datetime | None

    @property
    def asked(self) -> bool:
        """It is switched on, and not merely told."""
        return counts(self.source)


@dataclass(frozen=True, slots=True)
class BrandCard:
    """A brand at a glance. `coverage` is the share of its enabled sources that are fresh now, None without any.

    `tones` and `copies` count what is live, as the chart and its table do; `history` is the stories from history.
    `stories` and `expected` are over both: counts of labels beside sums of probabilities. `restated_at`: when one of
    these counts last changed because a label did.
    """

    brand: Brand
    mood: Mood
    spike: Mapping[str, Any]
    evaluated_through: datetime | None
    coverage: float | None
    chart: Chart
    tones: Counter[str]
    copies: int
    history: int
    stories: Counter[str]
    expected: Mapping[str, float]
    restated_at: datetime | None


@dataclass(frozen=True, slots=True)
class Crisis:
    incident: Incident
    brand: Brand


@dataclass(frozen=True, slots=True)
class Needs:
    """What somebody should look at. Empty is the only calm. `dead_of` is the incident of the newest dead delivery.

    `unreached` are the brands that no enabled channel tells of (`no_channel`: none is enabled at all), `untold` the
    ids of the incidents that nobody was told of, and `off` the channels that switched themselves off.
    """

    crises: tuple[Crisis, ...]
    unreached: tuple[Brand, ...]
    no_channel: bool
    untold: frozenset[str]
    off: tuple[Channel, ...]
    unheard: int
    sources: int
    unwatched: int
    dead: int
    dead_of: str | None

    @property
    def anything(self) -> bool:
        trouble = self.crises or self.unreached or self.off or self.unheard or self.unwatched or self.dead
        return bool(trouble or not self.sources)


@dataclass(frozen=True, slots=True)
class Overview:
    needs: Needs
    cards: tuple[BrandCard, ...]
    mentions: tuple[Said, ...]
    crises: tuple[Crisis, ...]
    sources: tuple[Heard, ...]


@dataclass(frozen=True, slots=True)
class BrandPage:
    card: BrandCard
    range: Range
    width: Width
    mentions: tuple[Said, ...]
    last: Mention | None
    crises: tuple[Crisis, ...]
    sources: tuple[Heard, ...]


@dataclass(frozen=True, slots=True)
class WeighedPage:
    """A mention with what `weigh` hears in it now; as it is stored where the fast tier hears `alone`."""

    brand: Brand
    heard: Said
    alone: bool


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery with its attempts. The channel is named, its address is not."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """One window beside the judged one, which is the first. `bar` is its share of the longest bar, 0..100."""

    sample: Sample
    judged: bool
    bar: float


@dataclass(frozen=True, slots=True)
class IncidentPage:
    """`subject`, `counts`, `facts`, `figures`, `left_out` and `basis` are the alert's own words, for this reader.

    `band` is where 95 of 100 such windows end, on the scale of the bars. `left_out` are what does not count, and why.
    """

    crisis: Crisis
    dossier: Dossier
    spike: Spike | None
    subject: str
    counts: tuple[tuple[str, str], ...]
    facts: tuple[str, ...]
    figures: tuple[tuple[str, str], ...]
    compared: tuple[Compared, ...]
    band: Box | None
    left_out: tuple[tuple[str, str], ...]
    basis: tuple[str, ...]
    timeline: tuple[tuple[Event, str], ...]
    told: tuple[Told, ...]
    chart: Chart
    width: Width


# ── reading ──────────────────────────────────────────────────────────────────


def overview(deps: Deps, caller: Caller) -> Overview:
    now, storage = deps.clock(), deps.storage
    brands = [brand for brand in storage.brands.all() if caller.covers(brand.slug)]
    slugs = tuple(brand.slug for brand in brands)
    reach = None if caller.sees_all else slugs
    sources = heard([source for source in storage.sources.all() if caller.hears(source)], now)
    cards = tuple(brand_card(deps, brand, sources, now, "day", CARD) for brand in brands)
    crises = crises_of(brands, storage.incidents.page(slugs, None, None, LAST_INCIDENTS))
    running = storage.incidents.page(slugs, ("open", "acknowledged", "resolving"), None, MOST_UNRESOLVED)
    unresolved = crises_of(brands, running)
    dead = dead_deliveries(deps, caller)
    channels = channels_for(deps, caller)
    return Overview(
        needs=Needs(
            crises=unresolved,
            unreached=unreached(brands, channels),
            no_channel=not any(channel.enabled for channel in channels),
            untold=frozenset(c.incident.id for c in unresolved if not is_told(deps, c.incident)),
            off=tuple(c for c in channels if not c.enabled and c.disabled_reason is not None),
            unheard=sum(not h.fresh for h in sources if h.asked),
            sources=sum(h.asked for h in sources),
            unwatched=sum(card.mood == "stale" for card in cards),
            dead=len(dead),
            dead_of=next((d.incident_id for d in dead if d.incident_id), None),
        ),
        cards=tuple(sorted(cards, key=lambda card: (card.brand.competitor, LOUDEST_FIRST[card.mood]))),
        mentions=said_of(brands, storage.mentions.page(MentionFilter(brands=reach), None, LAST_MENTIONS)),
        crises=crises,
        sources=sources,
    )


def unreached(brands: Sequence[Brand], channels: Sequence[Channel]) -> tuple[Brand, ...]:
    """The brands whose crises nobody would hear of. A competitor never alerts, so it needs no channel."""
    enabled = [channel for channel in channels if channel.enabled]
    return tuple(b for b in brands if not b.competitor and not audience(enabled, b.channels))


def is_told(deps: Deps, incident: Incident) -> bool:
    """Whether something about it reached a channel, or is on its way to one."""
    return any(d.state != "dead" for d in deps.storage.deliveries.page(None, None, incident.id, None, 500))


def dead_deliveries(deps: Deps, caller: Caller) -> list[Delivery]:
    """What did not reach anybody, of this caller's brands: the newest of it, which is enough to be alarmed."""
    reach = Reach(deps, caller)
    return [d for d in deps.storage.deliveries.page(("dead",), None, None, None, MOST_DEAD) if reach.covers(d)]


def brand_page(
    deps: Deps,
    caller: Caller,
    slug: str,
    span: Range,
    asked: MentionFilter,
    after: tuple[datetime, int, int] | None,
) -> BrandPage:
    """`asked` narrows the mentions down; its brands are replaced by this one. Raises 404."""
    now, storage, brand = deps.clock(), deps.storage, brand_for(deps, caller, slug)
    sources = heard([s for s in storage.sources.all() if not s.brands or slug in s.brands], now)
    found = storage.mentions.page(asked, after, MENTIONS_A_PAGE)
    return BrandPage(
        card=brand_card(deps, brand, sources, now, span, WIDE),
        range=span,
        width=RANGES[span][1],
        mentions=said_of([brand], found),
        last=found[-1] if len(found) == MENTIONS_A_PAGE else None,
        crises=crises_of([brand], storage.incidents.page((slug,), None, None, LAST_INCIDENTS)),
        sources=sources,
    )


def weighed_page(deps: Deps, caller: Caller, slug: str, post_id: int) -> WeighedPage:
    """Computes for a second. Raises 404."""
    brand = brand_for(deps, caller, slug)
    mention, tone = weighed(deps, slug, post_id)
    return WeighedPage(brand, said(replace(mention, sentiment=tone or mention.sentiment), brand.name), tone is None)


def incident_page(deps: Deps, caller: Caller, incident_id: str, language: str) -> IncidentPage:
    """Raises 404."""
    incident, brand = incident_for(deps, caller, incident_id)
    proof = proof_of(replace(incident, dossier=dossier_shown(deps, incident)))
    alert = alert_about(incident, brand, proof, language)
    tongue = alert_words(language, brand.time_zone)
    chart, width = crisis_chart(deps, brand, incident)
    events = deps.storage.incidents.events(incident.id)
    reach = Reach(deps, caller)
    deliveries = deps.storage.deliveries.page(None, None, incident.id, None, 500)
    spike = prose.spike_of(proof)
    beside, band = compared(spike)
    return IncidentPage(
        crisis=Crisis(incident, brand),
        dossier=proof,
        spike=spike,
        subject=prose.subject(proof, tongue),
        counts=tuple(prose.counts(proof, tongue)),
        facts=tuple(prose.facts(alert)),
        figures=tuple(prose.figures(alert, brief=True)),
        compared=beside,
        band=band,
        left_out=tuple(
            (prose.excluded(why, count, tongue), prose.why_not(why, tongue)) for why, count in proof.excluded.items()
        ),
        basis=tuple(prose.basis(proof, tongue)),
        timeline=tuple((e, prose.reason(e.data, tongue) or e.reason) for e in events),
        told=tuple(Told(d, tuple(deps.storage.deliveries.attempts(d.id))) for d in deliveries if reach.covers(d)),
        chart=chart,
        width=width,
    )


def compared(spike: Spike | None) -> tuple[tuple[Compared, ...], Box | None]:
    """The judged window and the same one of earlier days as bars, and the usual band behind them."""
    if spike is None or not spike.samples:
        return (), None
    judged = Sample(spike.window_start, spike.observed, True, spike.total, spike.coverage)
    windows = [judged, *spike.samples]
    longest = max(1.0, *(window.negative for window in windows), spike.band[1] if spike.band else 0.0) / 100
    rows = tuple(Compared(window, window is judged, round(window.negative / longest, 2)) for window in windows)
    if spike.band is None or spike.band[1] <= 0:
        return rows, None
    low, high = (round(end / longest, 2) for end in spike.band)
    return rows, Box(low, 0, max(1.0, round(high - low, 2)), 10)


def brand_card(
    deps: Deps, brand: Brand, sources: Sequence[Heard], now: datetime, span: Range, width: float
) -> BrandCard:
    length, step = RANGES[span]
    bins = read_bins(deps, brand, step, now - length, now, now)
    watch = deps.storage.watches.get(brand.id)
    through = watch.evaluated_through if watch else None
    return BrandCard(
        brand=brand,
        mood=mood_of(watch, now),
        spike=(watch.spike if watch else None) or {},
        evaluated_through=through,
        coverage=coverage_of(brand, sources),
        chart=draw(f"chart-{brand.slug}", bins, width, through),
        tones=sum((b.stories for b in bins), Counter()),
        copies=sum(b.copies.total() for b in bins),
        history=sum(b.backfill_stories.total() for b in bins),
        stories=sum((b.stories + b.backfill_stories for b in bins), Counter()),
        expected={tone: sum(b.expected[tone] for b in bins) for tone in TONES},
        restated_at=max((b.restated_at for b in bins if b.restated_at), default=None),
    )


def mood_of(watch: Watch | None, now: datetime) -> Mood:
    """The last verdict, unless it is too old to be one."""
    if watch is None or watch.spike is None or watch.evaluated_through is None:
        return "new"
    if now - watch.evaluated_through > STALE:
        return "stale"
    match watch.spike.get("verdict"):
        case "calm" | "warning" | "critical" | "learning" as verdict:
            mood: Mood = verdict
            return mood
        case _:
            return "not_evaluated"


def coverage_of(brand: Brand, sources: Sequence[Heard]) -> float | None:
    """The share of the brand's enabled sources that are fresh now, of those that are not merely told."""
    asked = [h for h in sources if h.asked and (not h.source.brands or brand.slug in h.source.brands)]
    return sum(h.fresh for h in asked) / len(asked) if asked else None


def heard(sources: Sequence[Source], now: datetime) -> tuple[Heard, ...]:
    """Sources with their health, the worst first."""
    found = [Heard(source, health(source, now), fresh(source, now), overrun(source, now)) for source in sources]
    return tuple(sorted(found, key=lambda h: (WORST_FIRST[h.state], h.source.name.casefold())))


def crises_of(brands: Sequence[Brand], incidents: Sequence[Incident]) -> tuple[Crisis, ...]:
    by_id = {brand.id: brand for brand in brands}
    return tuple(Crisis(incident, by_id[incident.brand_id]) for incident in incidents if incident.brand_id in by_id)


def crisis_chart(deps: Deps, brand: Brand, incident: Incident) -> tuple[Chart, Width]:
    """The volume from some hours before it opened until an hour after it ended, or now."""
    now = deps.clock()
    since = incident.opened_at - timedelta(hours=6)
    until = min(now, incident.resolved_at + timedelta(hours=1)) if incident.resolved_at else now
    until = max(until, since + timedelta(hours=7))
    width: Width = "300" if until - since <= timedelta(hours=12) else "3600"
    since = max(since, until - timedelta(days=14))
    watch = deps.storage.watches.get(brand.id)
    bins = read_bins(deps, brand, width, since, until, now)
    return draw("chart-incident", bins, WIDE, watch.evaluated_through if watch else None), width


def proof_of(incident: Incident) -> Dossier:
    """The dossier, or what can be read of one that another version wrote."""
    try:
        return dossier_of(incident.dossier)
    except (ValueError, TypeError, KeyError):
        spike = incident.dossier.get("spike")
        return Dossier(spike=spike if isinstance(spike, Mapping) else {})


def alert_about(incident: Incident, brand: Brand, proof: Dossier, language: str) -> Alert:
    """The alert that this incident would be told with: its sentences are the page's as well."""
    return Alert(
        key="",
        action="trigger",
        brand=brand.slug,
        brand_name=brand.name,
        at=incident.updated_at,
        language=language,
        time_zone=brand.time_zone,
        incident_id=incident.id,
        severity=incident.severity,
        opened_at=incident.opened_at,
        dossier=proof,
    )


# ── texts ────────────────────────────────────────────────────────────────────


def said_of(brands: Sequence[Brand], mentions: Sequence[Mention]) -> tuple[Said, ...]:
    names = {brand.slug: brand.name for brand in brands}
    return tuple(said(mention, names.get(mention.brand, mention.brand)) for mention in mentions)


def said(mention: Mention, brand_name: str) -> Said:
    """The scored text was title, line feed, text, or the text alone: the evidence is marked in whichever it fits.

    A reply's was never the title, which is its thread's.
    """
    title, text = mention.title, mention.text
    shown = "" if text.startswith(title) else title
    evidence, alone = fitting(f"{shown}\n{text}", mention.sentiment.evidence), fitting(text, mention.sentiment.evidence)
    if shown and not mention.reply and len(evidence) >= len(alone):
        parts = pieces(shown, evidence), pieces(text, evidence, len(shown) + 1)
    else:
        parts = (Piece(shown),) if shown else (), pieces(text, alone)
    marked = [piece for part in parts for piece in part if piece.weight is not None]
    return Said(
        mention,
        brand_name,
        *parts,
        link=web_link(mention.url),
        words=tuple(sorted(marked, key=lambda piece: -abs(piece.weight or 0.0))),
        chances=tuple(zip(TONES, mention.sentiment.probabilities or (), strict=False)),
        surface=surface(mention.sentiment),
    )


def surface(tone: Sentiment) -> Label | None:
    """The side that the words alone take, where the whole sentence takes the other one.

    The words are the fast tier, or the evidence that the page marks: what is shown must not contradict in silence.
    """
    alone, whole, shown = tone.components.get("fast"), tone.score, sum(one.weight for one in tone.evidence)
    if alone is None or whole is None or abs(whole) < STRONG:
        return None
    if abs(alone) >= STRONG and alone * whole < 0:
        return "positive" if alone > 0 else "negative"
    if abs(shown) >= SHOWN and shown * whole < 0:
        return "positive" if shown > 0 else "negative"
    return None


def fitting(text: str, evidence: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """The evidence that stands where it says it does; what is stored may be of another version, or of another text."""
    return tuple(e for e in evidence if e.weight and 0 <= e.start < e.end and text[e.start : e.end] == e.text)


def pieces(text: str, evidence: Sequence[Evidence], offset: int = 0) -> tuple[Piece, ...]:
    """The text cut at the evidence, which counts from `offset` characters before it. The heavier of two goes first."""
    return tuple(_cut(text, [(e.start - offset, e.end - offset, e.weight) for e in apart(evidence)]))


def apart(evidence: Sequence[Evidence]) -> list[Evidence]:
    """Evidence without overlaps, in the text's order: the heavier of two stays."""
    kept: list[Evidence] = []
    for one in sorted(evidence, key=lambda e: (-abs(e.weight), e.start, e.end)):
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    return sorted(kept, key=lambda e: e.start)


def _cut(text: str, spans: Sequence[tuple[int, int, float]]) -> Iterator[Piece]:
    at = 0
    for start, end, weight in spans:
        if at <= start < end <= len(text):
            if at < start:
                yield Piece(text[at:start])
            yield Piece(text[start:end], weight)
            at = end
    if at < len(text):
        yield Piece(text[at:])


__all__ = ["POOR", "BrandPage", "IncidentPage", "Overview", "brand_page", "incident_page", "overview"]
