"""The verdict: what the detector remembers and was shown, causes of incidents, grave terms, policies, backtests.

Revision ID: 0003
Revises: 0002

Brands begin with an empty memory: the first judgement learns from the volumes that are there. Incidents that are not
over keep running, as crises of negative mentions. As in 0002, columns are added in place with a default that no row is
ever written by.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

big_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")  # SQLite gives a rowid only to INTEGER PRIMARY KEY


def where(condition: str) -> dict[str, Any]:
    return {"sqlite_where": sa.text(condition), "postgresql_where": sa.text(condition)}


def add(table: str, name: str, kind: Any, default: Any) -> None:
    op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default))
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(table, name, server_default=None)


def of_a_brand(name: str, *columns: Any) -> None:
    """A table that is kept by brand and time."""
    op.create_table(
        name,
        sa.Column("brand_id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        *columns,
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name=f"fk_{name}_brand_id"),
        sqlite_with_rowid=False,
    )


def upgrade() -> None:
    add("brands", "events", sa.JSON(), sa.text("'[]'"))
    add("sources", "tier", sa.SmallInteger(), sa.text("2"))
    op.create_table(
        "grave_mentions",
        sa.Column("brand_id", sa.Integer(), nullable=False),
        sa.Column("published_at", sa.BigInteger(), nullable=False),
        sa.Column("post_id", sa.BigInteger(), nullable=False),
        sa.Column("terms", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["brand_id"], ["brands.id"], name="fk_grave_mentions_brand_id"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], name="fk_grave_mentions_post_id"),
        sa.PrimaryKeyConstraint("brand_id", "published_at", "post_id", name="pk_grave_mentions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "story_bands",
        sa.Column("band", sa.BigInteger(), nullable=False),
        sa.Column("story_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("band", "story_id", name="pk_story_bands"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_story_bands_story", "story_bands", ["story_id"])

    op.add_column("watches", sa.Column("memory", sa.LargeBinary()))
    of_a_brand(
        "verdicts",
        sa.Column("through", sa.BigInteger(), nullable=False),
        sa.Column("known", sa.BigInteger(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("excluded", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("brand_id", "at", name="pk_verdicts"),
    )
    of_a_brand(
        "sightings",
        sa.Column("bin", sa.BigInteger(), nullable=False),
        sa.Column("negative", sa.Integer(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("brand_id", "at", "bin", name="pk_sightings"),
    )
    of_a_brand(
        "memories",
        sa.Column("memory", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("brand_id", "at", name="pk_memories"),
    )

    op.create_table(
        "policies",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("false_warnings_per_month", sa.Float(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("backtest_id", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_policies"),
    )
    add("incidents", "cause", sa.Text(), sa.text("'negative'"))
    op.drop_index("uq_incidents_unresolved", "incidents")
    with op.batch_alter_table("incidents") as incidents:
        incidents.add_column(sa.Column("policy_id", sa.Integer()))
        incidents.create_foreign_key("fk_incidents_policy_id", "policies", ["policy_id"], ["id"])
    op.create_index(
        "uq_incidents_unresolved", "incidents", ["brand_id", "cause"], unique=True, **where("state <> 'resolved'")
    )

    op.add_column("incident_events", sa.Column("dossier", sa.JSON(none_as_null=True)))

    op.create_table(
        "feedback",
        sa.Column("id", big_id, nullable=False),
        sa.Column("incident_id", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("useful", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incidents.id"], name="fk_feedback_incident_id"),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    op.create_index("ix_feedback_incident", "feedback", ["incident_id", "id"])
    op.create_table(
        "backtests",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("question", sa.JSON(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("progress", sa.Float(), nullable=False),
        sa.Column("lease_until", sa.BigInteger()),
        sa.Column("result", sa.JSON(none_as_null=True)),
        sa.Column("error", sa.Text()),
        sa.PrimaryKeyConstraint("id", name="pk_backtests"),
    )
    op.create_index("ix_backtests_created", "backtests", ["created_at", "id"])


def downgrade() -> None:
    """Of a brand's several unresolved incidents the oldest goes on; the others are closed, and say so."""
    op.drop_table("backtests")
    op.drop_table("feedback")
    op.drop_column("incident_events", "dossier")
    op.drop_index("uq_incidents_unresolved", "incidents")
    op.execute("UPDATE incidents SET state = CASE WHEN owner IS NULL THEN 'open' ELSE 'acknowledged' END WHERE state = 'resolving'")
    op.execute(
        "UPDATE incidents SET state = 'resolved', resolved_at = updated_at WHERE state <> 'resolved' AND EXISTS ("
        "SELECT 1 FROM incidents AS older WHERE older.brand_id = incidents.brand_id AND older.state <> 'resolved' "
        "AND (older.opened_at < incidents.opened_at OR (older.opened_at = incidents.opened_at AND older.id < incidents.id)))"
    )
    op.execute("UPDATE incidents SET severity = 'warning' WHERE severity = 'notice'")
    op.execute("UPDATE channels SET min_severity = 'warning' WHERE min_severity = 'notice'")
    with op.batch_alter_table("incidents") as incidents:
        incidents.drop_constraint("fk_incidents_policy_id", type_="foreignkey")
        incidents.drop_column("policy_id")
    op.drop_column("incidents", "cause")
    op.create_index("uq_incidents_unresolved", "incidents", ["brand_id"], unique=True, **where("state <> 'resolved'"))
    op.drop_table("policies")
    for name in ("memories", "sightings", "verdicts"):
        op.drop_table(name)
    op.execute("UPDATE watches SET spike = NULL, judged_revision = 0")
    op.drop_column("watches", "memory")
    op.drop_table("story_bands")
    op.drop_table("grave_mentions")
    op.drop_column("sources", "tier")
    op.drop_column("brands", "events")
