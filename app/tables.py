"""The database's shape, on SQLite and PostgreSQL alike. `alembic check` holds the migrations to it.

One row per text (`posts`), a narrow row per brand that it mentions (`mentions`, clustered by brand and time), counts
kept at write time (`volumes`). Instants are integers: milliseconds since 1970 in UTC. Why:
docs/decisions/0003-schema.md.

Not here, because the two databases spell it differently: `mention_search`, the words of the posts that are mentions. It
is made in the migration, written and asked in `app.storage.search`.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from app.model import Label

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LABEL_CODES: dict[Label, int] = {"negative": -1, "neutral": 0, "positive": 1, "unknown": 9}
MILLION = 1_000_000  # parts of a story: sums of whole numbers can be restated exactly, sums of fractions cannot
LABEL_NAMES: dict[int, Label] = {code: label for label, code in LABEL_CODES.items()}


def to_ms(instant: datetime) -> int:
    """Milliseconds since 1970 in UTC. The instant must be aware."""
    return (instant - EPOCH) // timedelta(milliseconds=1)


def from_ms(ms: int) -> datetime:
    return EPOCH + timedelta(milliseconds=ms)


class Instant(TypeDecorator[datetime]):
    """An aware datetime, stored as milliseconds since 1970 in UTC: compact, ordered, the same on both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> int | None:
        return None if value is None else to_ms(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else from_ms(value)


BigId = BigInteger().with_variant(Integer, "sqlite")  # SQLite gives a rowid only to INTEGER PRIMARY KEY

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

brands = Table(
    "brands",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("time_zone", Text, nullable=False),
    Column("competitor", Boolean, nullable=False),
    Column("channels", JSON, nullable=False),
    Column("events", JSON, nullable=False),  # what is planned: told in a dossier, no excuse for anything
    Column("origin", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("archived_at", Instant),
)

sources = Table(
    "sources",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("url", Text),
    Column("host", Text, nullable=False),  # of the url, or the kind's: the unit of politeness
    Column("settings", JSON, nullable=False),
    Column("brands", JSON, nullable=False),
    Column("language", Text),
    Column("tier", SmallInteger, nullable=False),  # 1: one grave word here is enough; else 2
    Column("interval_s", Integer, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("secret", Text),  # sealed by the vault
    Column("origin", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("archived_at", Instant),
    Column("cursor", JSON, nullable=False),
    Column("etag", Text),
    Column("last_modified", Text),
    Column("body_hash", LargeBinary),
    Column("state", Text, nullable=False),
    Column("adaptive_interval_s", Integer),
    Column("next_due_at", Instant, nullable=False),
    Column(
        "scheduled_at", Instant, nullable=False
    ),  # when next_due_at was set; in the future: the clock was set back since
    Column("lease_owner", Text),
    Column("lease_until", Instant),
    Column("fail_count", Integer, nullable=False),
    Column("first_ok_at", Instant),
    Column("last_ok_at", Instant),
    Column("last_item_at", Instant),
    Column("last_error", Text),
    Column("last_error_at", Instant),
    Column("polled", Boolean, nullable=False),  # asked by the collect walk; else followed (a stream) or told (an inbox)
    Column("generation", Integer, nullable=False),  # how often it was pointed at another host
    Column("moved_seen", Integer, nullable=False),  # how often in a row it said that it moved for good
    Column("moved_to", Text),  # whither
    Column("hint_s", Integer),  # how often its publisher wishes it to be asked (ttl, sy:)
    Column("cadence_s", Integer),  # what lies between two of its items, as learned
    Column("overrun_at", Instant),  # when its window was last seen to have run over: items were lost
    Column("told", Text),  # which of its troubles people were told of, and have not heard the end of
    Column("told_at", Instant),
    Index("ix_sources_due", "next_due_at"),
    Index("ix_sources_scheduled", "scheduled_at"),
    Index(
        "ix_sources_leased",  # who is being asked now, by host
        "host",
        sqlite_where=text("lease_owner IS NOT NULL"),
        postgresql_where=text("lease_owner IS NOT NULL"),
    ),
)

posts = Table(
    "posts",
    metadata,
    Column("id", BigId, primary_key=True, autoincrement=False),
    Column("source_id", Integer, ForeignKey("sources.id"), nullable=False),
    Column("dedupe_key", LargeBinary, nullable=False, unique=True),  # 16 bytes of blake2b(namespace, id)
    Column("url", Text),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("author", Text),
    Column("site", Text),
    Column("language", Text),
    Column("published_at", Instant, nullable=False),  # clamped; the bin it counts in
    Column("claimed_at", Instant),  # as the source said; null = it said nothing readable
    Column("fetched_at", Instant, nullable=False),
    Column("text_hash", LargeBinary, nullable=False),
    Column("story_id", BigInteger, nullable=False),  # the first post with this text; its own id if it is that one
    Column("backfill", Boolean, nullable=False),
    Column("reply", Boolean, nullable=False),  # the title is its thread's: shown, not matched, not scored
    Column("external_id", Text),  # what its source calls it, where the source can be asked for it by that
    Column("url_hash", BigInteger),  # of the url: a post is found by it
    Column("edited_at", Instant),  # when its author last changed it, as the source said or we saw
    Column("withdrawn_at", Instant),  # when its author took it back: its words are erased, it still counts
    Column("engagement", JSON(none_as_null=True)),
    Column("reach", BigInteger),
    Column("rating", SmallInteger),
    Column("recount_at", Instant),  # when its source is next asked what became of it
    Index("ix_posts_source", "source_id", "published_at", "id"),
    Index("ix_posts_published", "published_at", "id"),
    Index(
        "ix_posts_story",  # only first posts: a text repeated 10,000 times costs one row here
        "text_hash",
        "id",
        sqlite_where=text("story_id = id"),
        postgresql_where=text("story_id = id"),
    ),
    Index(
        "ix_posts_url",
        "url_hash",
        sqlite_where=text("url_hash IS NOT NULL"),
        postgresql_where=text("url_hash IS NOT NULL"),
    ),
    Index(
        "ix_posts_recount",
        *("recount_at", "id"),
        sqlite_where=text("recount_at IS NOT NULL"),
        postgresql_where=text("recount_at IS NOT NULL"),
    ),
)

post_versions = Table(
    "post_versions",  # what a post said before its author changed it
    metadata,
    Column("post_id", BigInteger, ForeignKey("posts.id"), primary_key=True),
    Column("at", Instant, primary_key=True),  # when we saw the change
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    sqlite_with_rowid=False,
)

submissions = Table(
    "submissions",  # what was posted to an inbox under a key of the sender's: the same key, the same answer
    metadata,
    Column("source_id", Integer, ForeignKey("sources.id"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("body_hash", LargeBinary, nullable=False),
    Column("answer", JSON, nullable=False),
    Index("ix_submissions_at", "at"),
    sqlite_with_rowid=False,
)

subscriptions = Table(
    "subscriptions",  # the hubs that were asked to tell us when a feed has something new (WebSub)
    metadata,
    Column("source_id", Integer, ForeignKey("sources.id"), primary_key=True),
    Column("hub", Text, nullable=False),
    Column("topic", Text, nullable=False),  # what the hub calls the feed
    Column("token_hash", LargeBinary, nullable=False, unique=True),  # SHA-256 of the callback's last part
    Column("secret", Text, nullable=False),  # sealed JSON: that token, and the secret that pushes are signed with
    Column("state", Text, nullable=False),  # named, asked, verified, refused, leaving
    Column("lease_until", Instant),  # until when the hub has promised to push
    Column("tries", Integer, nullable=False),  # how often it was asked since it last agreed
    Column("due_at", Instant, nullable=False),  # when it is asked next
    Column("asked_at", Instant),
    Column("pushed_at", Instant),  # the last push that counted; null: nothing is expected of this hub
    Column("woken_at", Instant),  # when the source was last made due because of one
    Column("last_error", Text),
    Index("ix_subscriptions_due", "due_at"),
)

story_bands = Table(
    "story_bands",  # where a story's near copies are looked for: parts of its MinHash; old ones are dropped
    metadata,
    Column("band", BigInteger, primary_key=True),
    Column("story_id", BigInteger, primary_key=True),
    Index("ix_story_bands_story", "story_id"),
    sqlite_with_rowid=False,
)

mentions = Table(
    "mentions",
    metadata,
    Column("brand_id", Integer, ForeignKey("brands.id"), primary_key=True),
    Column("published_at", Instant, primary_key=True),
    Column("post_id", BigInteger, ForeignKey("posts.id"), primary_key=True),
    Column("story_id", BigInteger, nullable=False),
    Column("source_id", Integer, nullable=False),
    Column("label", SmallInteger, nullable=False),  # what counts: the correction's, else the reading's; score too
    Column("score", Float),
    Column("language", Text),
    Column("copy", Boolean, nullable=False),  # the brand had a mention of this story before
    Column("backfill", Boolean, nullable=False),
    Column("scored_at", Instant, nullable=False),
    Column("provisional", Boolean, nullable=False),  # to be heard again
    Column("uncertain", Boolean, nullable=False),  # the reading
    Column("was", SmallInteger),  # the label before the last restatement
    Column("sentiment", JSON, nullable=False),  # the reading: probabilities, evidence, scorer, language confidence
    Column("correction", JSON(none_as_null=True)),  # what a person says of it
    Index("uq_mentions_post", "post_id", "brand_id", unique=True),
    Index("ix_mentions_published", "published_at", "post_id", "brand_id"),
    Index("ix_mentions_label", "brand_id", "label", "published_at", "post_id"),
    Index("ix_mentions_source", "brand_id", "source_id", "published_at", "post_id"),
    Index(
        "uq_mentions_story",  # a story counts once per brand
        "story_id",
        "brand_id",
        unique=True,
        sqlite_where=text("NOT copy"),
        postgresql_where=text("NOT copy"),
    ),
    Index(
        "ix_mentions_copies",  # the rest of a story, for who corrects it
        "story_id",
        "brand_id",
        sqlite_where=text("copy"),
        postgresql_where=text("copy"),
    ),
    Index(
        "ix_mentions_provisional",  # what waits to be heard again
        *("published_at", "post_id", "brand_id"),
        sqlite_where=text("provisional"),
        postgresql_where=text("provisional"),
    ),
    Index(
        "ix_mentions_uncertain",
        *("brand_id", "published_at", "post_id"),
        sqlite_where=text("uncertain"),
        postgresql_where=text("uncertain"),
    ),
    Index(
        "ix_mentions_corrected",
        *("brand_id", "published_at", "post_id"),
        sqlite_where=text("correction IS NOT NULL"),
        postgresql_where=text("correction IS NOT NULL"),
    ),
    sqlite_with_rowid=False,
)

grave_mentions = Table(
    "grave_mentions",  # few: a column of `mentions` would cost all of them
    metadata,
    Column("brand_id", Integer, ForeignKey("brands.id"), primary_key=True),
    Column("published_at", Instant, primary_key=True),
    Column("post_id", BigInteger, ForeignKey("posts.id"), primary_key=True),
    Column("terms", JSON, nullable=False),  # the grave terms that it says, unless it denies them
    sqlite_with_rowid=False,
)

corrections = Table(
    "corrections",  # what people said of a brand's story: only ever added to, the last line of a story counts
    metadata,
    Column("id", BigId, primary_key=True),
    Column("brand_id", Integer, ForeignKey("brands.id"), nullable=False),
    Column("story_id", BigInteger, nullable=False),
    Column("post_id", BigInteger, ForeignKey("posts.id"), nullable=False),  # the mention that they had before them
    Column("label", SmallInteger),  # null: taken back
    Column("was", SmallInteger, nullable=False),  # the label that counted until then
    Column("machine", SmallInteger, nullable=False),  # the scorer's label at that time
    Column("actor", Text, nullable=False),  # the name of an API key
    Column("at", Instant, nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_corrections_story", "story_id", "brand_id", "id"),
)

volumes = Table(
    "volumes",
    metadata,
    Column("brand_id", Integer, ForeignKey("brands.id"), primary_key=True),
    Column("width_s", Integer, primary_key=True),  # 300 for the detector, 3600 for charts
    Column("bin", Instant, primary_key=True),  # start, a multiple of width_s since 1970
    Column("label", SmallInteger, primary_key=True),
    Column("stories", Integer, nullable=False),  # live, each text once
    Column("copies", Integer, nullable=False),  # live
    Column("backfill_stories", Integer, nullable=False),
    Column("backfill_copies", Integer, nullable=False),
    Column("negative", BigInteger, nullable=False),  # millionths of stories, backfilled ones too: sums of their
    Column("neutral", BigInteger, nullable=False),  # probabilities; unknown tones add nothing
    Column("positive", BigInteger, nullable=False),
    Column("restated_at", Instant),  # when a tone that was counted here last changed
    sqlite_with_rowid=False,
)

coverage = Table(
    "coverage",
    metadata,
    Column("brand_id", Integer, ForeignKey("brands.id"), primary_key=True),
    Column("bin", Instant, primary_key=True),  # 300 s
    Column("fresh", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    sqlite_with_rowid=False,
)

watches = Table(
    "watches",
    metadata,
    Column("brand_id", Integer, ForeignKey("brands.id"), primary_key=True),
    Column("evaluated_through", Instant),  # end of the last bin that was judged
    Column("evaluated_at", Instant),
    Column("spike", JSON(none_as_null=True)),  # the last verdict, with its numbers
    Column("memory", LargeBinary),  # what the detector remembers of the bins up to `evaluated_through`
    Column("mentions", BigInteger, nullable=False),  # ever stored
    Column("restated", BigInteger, nullable=False),  # how often one's tone was changed since; with `mentions`: revision
    Column("judged_revision", BigInteger, nullable=False),  # which one the last verdict knew of: less means judge again
)

verdicts = Table(
    "verdicts",  # each judgement that saw something new: with `sightings`, history as it was known at the time
    metadata,
    Column("brand_id", Integer, ForeignKey("brands.id"), primary_key=True),
    Column("at", Instant, primary_key=True),
    Column("through", Instant, nullable=False),  # end of the last bin that was judged
    Column("known", BigInteger, nullable=False),  # the newest post that there was
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("score", Float, nullable=False),
    Column("excluded", JSON(none_as_null=True)),  # stories that did not count: [post id, bin, label, why]
    sqlite_with_rowid=False,
)

sightings = Table(
    "sightings",  # the counts of a bin as the detector was shown them, whenever they were others than before
    metadata,
    Column("brand_id", Integer, ForeignKey("brands.id"), primary_key=True),
    Column("at", Instant, primary_key=True),  # of the verdict
    Column("bin", Instant, primary_key=True),  # 300 s
    Column("negative", Integer, nullable=False),
    Column("total", Integer, nullable=False),
    Column("unknown", Integer, nullable=False),
    sqlite_with_rowid=False,
)

memories = Table(
    "memories",  # what the detector remembered now and then: where a replay may begin
    metadata,
    Column("brand_id", Integer, ForeignKey("brands.id"), primary_key=True),
    Column("at", Instant, primary_key=True),  # of the verdict that left it
    Column("memory", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

policies = Table(
    "policies",  # what the verdicts went by: only ever added to, the last line counts
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("false_warnings_per_month", Float, nullable=False),
    Column("reason", Text, nullable=False),  # why it may be louder than its noise budget
    Column("backtest_id", Text),  # what was known of it beforehand
)

feedback = Table(
    "feedback",  # what people say of an alert: only ever added to, the last word of each counts
    metadata,
    Column("id", BigId, primary_key=True),
    Column("incident_id", Text, ForeignKey("incidents.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("useful", Boolean, nullable=False),
    Column("note", Text, nullable=False),
    Index("ix_feedback_incident", "incident_id", "id"),
)

backtests = Table(
    "backtests",
    metadata,
    Column("id", Text, primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("question", JSON, nullable=False),
    Column("state", Text, nullable=False),  # waiting, running, done, failed
    Column("progress", Float, nullable=False),  # 0..1
    Column("lease_until", Instant),
    Column("result", JSON(none_as_null=True)),
    Column("error", Text),
    Index("ix_backtests_created", "created_at", "id"),
)

channels = Table(
    "channels",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("slug", Text, nullable=False, unique=True),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("settings", JSON, nullable=False),
    Column("secret", Text, nullable=False),  # sealed JSON: url, signing secret
    Column("language", Text, nullable=False),
    Column("min_severity", Text, nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("disabled_reason", Text),
    Column("origin", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("archived_at", Instant),
)

incidents = Table(
    "incidents",
    metadata,
    Column("id", Text, primary_key=True),
    Column("brand_id", Integer, ForeignKey("brands.id"), nullable=False),
    Column("cause", Text, nullable=False),  # negative, negative:<term>, grave:<term>, spread:<story>, silence
    Column("policy_id", Integer, ForeignKey("policies.id")),  # null: the built-in one
    Column("state", Text, nullable=False),
    Column("severity", Text, nullable=False),
    Column("version", Integer, nullable=False),  # = the seq of its last event
    Column("opened_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("acknowledged_at", Instant),
    Column("owner", Text),
    Column("resolved_at", Instant),
    Column("calm_since", Instant),
    Column("peak_score", Float, nullable=False),
    Column("dossier", JSON, nullable=False),  # as it stood at the last trigger or escalation
    Index("ix_incidents_brand", "brand_id", "opened_at"),
    Index(
        "uq_incidents_unresolved",
        *("brand_id", "cause"),
        unique=True,
        sqlite_where=text("state <> 'resolved'"),
        postgresql_where=text("state <> 'resolved'"),
    ),
)

incident_events = Table(
    "incident_events",
    metadata,
    Column("incident_id", Text, ForeignKey("incidents.id"), primary_key=True),
    Column("seq", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False),  # opened, escalated, acknowledged, resolved, noted
    Column("actor", Text, nullable=False),  # 'avizor', or the name of an API key
    Column("reason", Text, nullable=False),
    Column("data", JSON, nullable=False),
    Column("dossier", JSON(none_as_null=True)),  # of an opening or an escalation: the proof that was told, for good
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # the same on every try
    Column("channel_id", Integer, ForeignKey("channels.id"), nullable=False),
    Column("incident_id", Text, ForeignKey("incidents.id")),  # null: a test or a system alarm
    Column("seq", Integer, nullable=False),
    Column("action", Text, nullable=False),
    Column("alert", JSON, nullable=False),
    Column("state", Text, nullable=False),  # pending, delivered, dead
    Column("attempts", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("next_attempt_at", Instant, nullable=False),
    Column("scheduled_at", Instant, nullable=False),  # when next_attempt_at was set
    Column("lease_owner", Text),
    Column("lease_until", Instant),
    Column("last_error", Text),
    Column("finished_at", Instant),
    Index("ix_deliveries_state", "state", "id"),
    Index("ix_deliveries_incident", "incident_id", "channel_id", "seq"),
)

delivery_attempts = Table(
    "delivery_attempts",
    metadata,
    Column("delivery_id", BigInteger, ForeignKey("deliveries.id"), primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("outcome", Text, nullable=False),  # delivered, retry, dead
    Column("error", Text),
    Column("duration_ms", Integer, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("sha256", LargeBinary, nullable=False),
    Column("role", Text, nullable=False),
    Column("brands", JSON(none_as_null=True)),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
    Column("expires_at", Instant),
    Column("revoked_at", Instant),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", BigId, primary_key=True),
    Column("source_id", Integer, ForeignKey("sources.id"), nullable=False),
    Column("at", Instant, nullable=False),
    Column("reason", Text, nullable=False),
    Column("sample", Text, nullable=False),
    Index("ix_quarantine_source", "source_id", "id"),
)
