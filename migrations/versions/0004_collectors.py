"""Collectors: what became of a post (edits, engagement, withdrawal), what a source was seen to do, posts from outside.

Revision ID: 0004
Revises: 0003

As in 0002, columns are added in place with a default that no row is ever written by. Posts that are stored already are
found by their link only once they are collected again.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

SOURCE = (
    ("moved_to", sa.Text()),
    ("hint_s", sa.Integer()),
    ("cadence_s", sa.Integer()),
    ("overrun_at", sa.BigInteger()),
    ("told", sa.Text()),
    ("told_at", sa.BigInteger()),
)
POST = (
    ("external_id", sa.Text()),
    ("url_hash", sa.BigInteger()),
    ("edited_at", sa.BigInteger()),
    ("withdrawn_at", sa.BigInteger()),
    ("engagement", sa.JSON()),
    ("reach", sa.BigInteger()),
    ("rating", sa.SmallInteger()),
    ("recount_at", sa.BigInteger()),
)


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def add(table: str, name: str, kind: Any, default: Any) -> None:
    op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(table, name, server_default=None)


def upgrade() -> None:
    add("sources", "polled", sa.Boolean(), sa.true())
    add("sources", "generation", sa.Integer(), sa.text("0"))
    add("sources", "moved_seen", sa.Integer(), sa.text("0"))
    for name, kind in SOURCE:
        op.add_column("sources", sa.Column(name, kind))
    for name, kind in POST:
        op.add_column("posts", sa.Column(name, kind))
    op.create_index("ix_posts_url", "posts", ["url_hash"], **where("url_hash IS NOT NULL"))
    op.create_index("ix_posts_recount", "posts", ["recount_at", "id"], **where("recount_at IS NOT NULL"))
    op.create_table(
        "post_versions",
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_post_versions_post_id"),
        sa.PrimaryKeyConstraint("post_id", "at", name="pk_post_versions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "submissions",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_submissions_source_id"),
        sa.PrimaryKeyConstraint("source_id", "key", name="pk_submissions"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_submissions_at", "submissions", ["at"])
    op.create_table(
        "subscriptions",
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("hub", sa.Text(), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", sa.BigInteger()),
        sa.Column("pushed_at", sa.BigInteger()),
        sa.Column("woken_at", sa.BigInteger()),
        sa.Column("last_error", sa.Text()),
        sa.ForeignKeyConstraint(["source_id"], ["sources.id"], name="fk_subscriptions_source_id"),
        sa.PrimaryKeyConstraint("source_id", name="pk_subscriptions"),
        sa.UniqueConstraint("token_hash", name="uq_subscriptions_token_hash"),
    )
    op.create_index("ix_subscriptions_due", "subscriptions", ["due_at"])


def downgrade() -> None:
    op.drop_table("subscriptions")
    op.drop_table("submissions")
    op.drop_table("post_versions")
    op.drop_index("ix_posts_recount", "posts")
    op.drop_index("ix_posts_url", "posts")
    for name, _ in reversed(POST):
        op.drop_column("posts", name)
    for name, _ in reversed(SOURCE):
        op.drop_column("sources", name)
    op.drop_column("sources", "moved_seen")
    op.drop_column("sources", "generation")
    op.drop_column("sources", "polled")
