"""Tones that change: readings that are provisional, corrections by people, volumes that can be restated.

Revision ID: 0002
Revises: 0001

What was stored before keeps its label and its scorer. Its expected counts are its counts: whoever heard it said nothing
of probabilities. Columns are added in place, since a copy of `mentions` would be the longest part of it; so their
defaults stay on SQLite, which cannot drop them. No row is ever written by default.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite gives a rowid only to INTEGER PRIMARY KEY

LABELS = {"negative": -1, "neutral": 0, "positive": 1}


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def add(table: str, name: str, kind: Any, default: Any) -> None:
    op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(table, name, server_default=None)


def upgrade() -> None:
    add("mentions", "scored_at", sa.BigInteger(), sa.text("0"))
    add("mentions", "provisional", sa.Boolean(), sa.false())
    add("mentions", "uncertain", sa.Boolean(), sa.false())
    op.add_column("mentions", sa.Column("was", sa.SmallInteger()))
    op.add_column("mentions", sa.Column("correction", sa.JSON(none_as_null=True)))
    op.execute("UPDATE mentions SET scored_at = (SELECT fetched_at FROM posts WHERE id = mentions.post_id)")
    op.create_index("ix_mentions_copies", "mentions", ["story_id", "brand_id"], **where("copy"))
    newest = ["published_at", "post_id", "brand_id"]
    op.create_index("ix_mentions_provisional", "mentions", newest, **where("provisional"))
    of_a_brand = ["brand_id", "published_at", "post_id"]
    op.create_index("ix_mentions_uncertain", "mentions", of_a_brand, **where("uncertain"))
    op.create_index("ix_mentions_corrected", "mentions", of_a_brand, **where("correction IS NOT NULL"))

    op.create_table(
        "corrections",
        sa.Column("id", big_id, nullable=False),
        sa.Column("brand_id", sa.Integer(), nullable=False),
        sa.Column("story_id", sa.BigInteger(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.SmallInteger()),
        sa.Column("was", sa.SmallInteger(), nullable=False),
        sa.Column("machine", sa.SmallInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name="fk_corrections_brand_id"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_corrections_post_id"),
        sa.PrimaryKeyConstraint("id", name="pk_corrections"),
    )
    op.create_index("ix_corrections_story", "corrections", ["story_id", "brand_id", "id"])

    for name, label in LABELS.items():
        add("volumes", name, sa.BigInteger(), sa.text("0"))
        counted = "CAST(stories + backfill_stories AS BIGINT) * 1000000"
        op.execute(f"UPDATE volumes SET {name} = {counted} WHERE label = {label}")
    op.add_column("volumes", sa.Column("restated_at", sa.BigInteger()))
    op.drop_column("volumes", "sum_score")

    add("watches", "restated", sa.BigInteger(), sa.text("0"))
    op.execute("ALTER TABLE watches RENAME COLUMN judged_mentions TO judged_revision")


def downgrade() -> None:
    """What a person said stays, as the label that counts; who said it is lost, and so are all probabilities."""
    op.execute("UPDATE watches SET judged_revision = 0")
    op.execute("ALTER TABLE watches RENAME COLUMN judged_revision TO judged_mentions")
    op.drop_column("watches", "restated")

    add("volumes", "sum_score", sa.Float(), sa.text("0"))
    op.execute("UPDATE volumes SET sum_score = (positive - negative) / 1000000.0")
    op.drop_column("volumes", "restated_at")
    for name in LABELS:
        op.drop_column("volumes", name)

    op.drop_table("corrections")

    for name in ("corrected", "uncertain", "provisional", "copies"):
        op.drop_index(f"ix_mentions_{name}", "mentions")
    for name in ("correction", "was", "uncertain", "provisional", "scored_at"):
        op.drop_column("mentions", name)
    # A later upgrade would not have counted them.
    if op.get_bind().dialect.name == "postgresql":
        op.execute("UPDATE mentions SET sentiment = (sentiment::jsonb - 'probabilities')::json")
    else:
        op.execute("UPDATE mentions SET sentiment = json_remove(sentiment, '$.probabilities')")
