"""The first tables.

Revision ID: 0001
Revises: nothing

Instants are milliseconds since 1970 in UTC. `mention_search` holds the words of the posts that are mentions, folded and
split by us (app/storage/search.py), so that both databases find the same: on SQLite an FTS5 index without its texts
(`ascii` only splits at our spaces, and the texts stand in `posts`), on PostgreSQL a table of its own, so that `posts`
is the same on both.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite gives a rowid only to INTEGER PRIMARY KEY


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("brands", sa.JSON(none_as_null=True)),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("last_used_at", sa.BigInteger()),
        sa.Column("expires_at", sa.BigInteger()),
        sa.Column("revoked_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
    )
    op.create_table(
        "brands",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("competitor", sa.Boolean(), nullable=False),
        sa.Column("channels", sa.JSON(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_brands"),
        sa.UniqueConstraint("slug", name="uq_brands_slug"),
    )
    op.create_table(
        "channels",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("min_severity", sa.Text(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.Text()),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_channels"),
        sa.UniqueConstraint("slug", name="uq_channels_slug"),
    )
    op.create_table(
        "sources",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("brands", sa.JSON(), nullable=False),
        sa.Column("language", sa.Text()),
        sa.Column("interval_s", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("secret", sa.Text()),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("archived_at", sa.BigInteger()),
        sa.Column("cursor", sa.JSON(), nullable=False),
        sa.Column("etag", sa.Text()),
        sa.Column("last_modified", sa.Text()),
        sa.Column("body_hash", sa.LargeBinary()),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("adaptive_interval_s", sa.Integer()),
        sa.Column("next_due_at", sa.BigInteger(), nullable=False),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("fail_count", sa.Integer(), nullable=False),
        sa.Column("first_ok_at", sa.BigInteger()),
        sa.Column("last_ok_at", sa.BigInteger()),
        sa.Column("last_item_at", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        sa.Column("last_error_at", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
        sa.UniqueConstraint("slug", name="uq_sources_slug"),
    )
    op.create_index("ix_sources_due", "sources", ["next_due_at"])
    op.create_index("ix_sources_leased", "sources", ["host"], **where("lease_owner IS NOT NULL"))
    op.create_index("ix_sources_scheduled", "sources", ["scheduled_at"])

    op.create_table(
        "coverage",
        sa.Column("brand_id", sa.Integer(), nullable=False),
        sa.Column("bin", sa.BigInteger(), nullable=False),
        sa.Column("fresh", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name="fk_coverage_brand_id"),
        sa.PrimaryKeyConstraint("brand_id", "bin", name="pk_coverage"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("brand_id", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("severity", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("acknowledged_at", sa.BigInteger()),
        sa.Column("owner", sa.Text()),
        sa.Column("resolved_at", sa.BigInteger()),
        sa.Column("calm_since", sa.BigInteger()),
        sa.Column("peak_score", sa.Float(), nullable=False),
        sa.Column("dossier", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name="fk_incidents_brand_id"),
        sa.PrimaryKeyConstraint("id", name="pk_incidents"),
    )
    op.create_index("ix_incidents_brand", "incidents", ["brand_id", "opened_at"])
    op.create_index("uq_incidents_unresolved", "incidents", ["brand_id"], unique=True, **where("state <> 'resolved'"))

    op.create_table(
        "posts",
        sa.Column("id", big_id, autoincrement=False, nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("dedupe_key", sa.LargeBinary(), nullable=False),
        sa.Column("url", sa.Text()),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("author", sa.Text()),
        sa.Column("site", sa.Text()),
        sa.Column("language", sa.Text()),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("claimed_at", sa.BigInteger()),
        sa.Column("fetched_at", sa.BigInteger(), nullable=False),
        sa.Column("text_hash", sa.LargeBinary(), nullable=False),
        sa.Column("story_id", sa.BigInteger(), nullable=False),
        sa.Column("backfill", sa.Boolean(), nullable=False),
        sa.Column("reply", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_posts_source_id"),
        sa.PrimaryKeyConstraint("id", name="pk_posts"),
        sa.UniqueConstraint("dedupe_key", name="uq_posts_dedupe_key"),
    )
    op.create_index("ix_posts_published", "posts", ["published_at", "id"])
    op.create_index("ix_posts_source", "posts", ["source_id", "published_at", "id"])
    op.create_index("ix_posts_story", "posts", ["text_hash", "id"], **where("story_id = id"))

    op.create_table(
        "quarantine",
        sa.Column("id", big_id, nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("sample", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_quarantine_source_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantine"),
    )
    op.create_index("ix_quarantine_source", "quarantine", ["source_id", "id"])

    op.create_table(
        "volumes",
        sa.Column("brand_id", sa.Integer(), nullable=False),
        sa.Column("width_s", sa.Integer(), nullable=False),
        sa.Column("bin", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.SmallInteger(), nullable=False),
        sa.Column("stories", sa.Integer(), nullable=False),
        sa.Column("copies", sa.Integer(), nullable=False),
        sa.Column("backfill_stories", sa.Integer(), nullable=False),
        sa.Column("backfill_copies", sa.Integer(), nullable=False),
        sa.Column("sum_score", sa.Float(), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name="fk_volumes_brand_id"),
        sa.PrimaryKeyConstraint("brand_id", "width_s", "bin", "label", name="pk_volumes"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "watches",
        sa.Column("brand_id", sa.Integer(), nullable=False),
        sa.Column("evaluated_through", sa.BigInteger()),
        sa.Column("evaluated_at", sa.BigInteger()),
        sa.Column("spike", sa.JSON(none_as_null=True)),
        sa.Column("mentions", sa.BigInteger(), nullable=False),
        sa.Column("judged_mentions", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name="fk_watches_brand_id"),
        sa.PrimaryKeyConstraint("brand_id", name="pk_watches"),
    )
    op.create_table(
        "deliveries",
        sa.Column("id", big_id, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("channel_id", sa.Integer(), nullable=False),
        sa.Column("incident_id", sa.Text()),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("alert", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("next_attempt_at", sa.BigInteger(), nullable=False),
        sa.Column("scheduled_at", sa.BigInteger(), nullable=False),
        sa.Column("lease_owner", sa.Text()),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        sa.Column("finished_at", sa.BigInteger()),
        sa.ForeignKeyConstraint(["channel_id"], ["channels.id"], name="fk_deliveries_channel_id"),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk_deliveries_incident_id"),
        sa.PrimaryKeyConstraint("id", name="pk_deliveries"),
        sa.UniqueConstraint("key", name="uq_deliveries_key"),
    )
    op.create_index("ix_deliveries_incident", "deliveries", ["incident_id", "channel_id", "seq"])
    op.create_index("ix_deliveries_state", "deliveries", ["state", "id"])

    op.create_table(
        "incident_events",
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk_incident_events_incident_id"),
        sa.PrimaryKeyConstraint("incident_id", "seq", name="pk_incident_events"),
    )
    op.create_table(
        "mentions",
        sa.Column("brand_id", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("story_id", sa.BigInteger(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("label", sa.SmallInteger(), nullable=False),
        sa.Column("score", sa.Float()),
        sa.Column("language", sa.Text()),
        sa.Column("copy", sa.Boolean(), nullable=False),
        sa.Column("backfill", sa.Boolean(), nullable=False),
        sa.Column("sentiment", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name="fk_mentions_brand_id"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_mentions_post_id"),
        sa.PrimaryKeyConstraint("brand_id", "published_at", "post_id", name="pk_mentions"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_mentions_label", "mentions", ["brand_id", "label", "published_at", "post_id"])
    op.create_index("ix_mentions_published", "mentions", ["published_at", "post_id", "brand_id"])
    op.create_index("ix_mentions_source", "mentions", ["brand_id", "source_id", "published_at", "post_id"])
    op.create_index("uq_mentions_post", "mentions", ["post_id", "brand_id"], unique=True)
    op.create_index("uq_mentions_story", "mentions", ["story_id", "brand_id"], unique=True, **where("NOT copy"))

    op.create_table(
        "delivery_attempts",
        sa.Column("delivery_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("error", sa.Text()),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["delivery_id"], ["deliveries.id"], name="fk_delivery_attempts_delivery_id"),
        sa.PrimaryKeyConstraint("delivery_id", "attempt", name="pk_delivery_attempts"),
    )
    create_mention_search()


def create_mention_search() -> None:
    if op.get_bind().dialect.name == "sqlite":
        # Without contentless_delete (SQLite 3.43): a file must open with the SQLite of an older Python too.
        op.execute(
            "CREATE VIRTUAL TABLE mention_search"
            " USING fts5(words, content='', detail=none, columnsize=0, tokenize='ascii')"
        )
        return
    op.create_table(
        "mention_search",
        sa.Column("post_id", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.PrimaryKeyConstraint("post_id", name="pk_mention_search"),
    )
    op.create_index("ix_mention_search_words", "mention_search", ["words"], postgresql_using="gin")


def downgrade() -> None:
    op.execute("DROP TABLE mention_search")
    op.drop_table("delivery_attempts")

    op.drop_table("mentions")
    op.drop_table("incident_events")

    op.drop_table("deliveries")
    op.drop_table("watches")
    op.drop_table("volumes")

    op.drop_table("quarantine")

    op.drop_table("posts")

    op.drop_table("incidents")
    op.drop_table("coverage")

    op.drop_table("sources")
    op.drop_table("channels")
    op.drop_table("brands")
    op.drop_table("api_keys")
