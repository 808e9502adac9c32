"""Products with their papers: standard, photo, sizes, certificates; what things were before."""

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import text, whole

revision = "registry_2"
down_revision = "registry_1"
branch_labels = None
depends_on = None

TEXTS = ("photo", "standard", "ingredients", "directions", "warnings", "model")


def upgrade() -> None:
    for name in TEXTS:
        op.add_column("product", sa.Column(name, sa.String(), nullable=False, server_default=""))
    op.add_column(
        "product", sa.Column("origin", sa.String(), nullable=False, server_default="Việt Nam")
    )
    op.add_column(
        "product", sa.Column("pack_sizes", sa.JSON(), nullable=False, server_default="[]")
    )
    op.add_column(
        "product", sa.Column("compulsory", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.create_table(
        "certificate",
        text("id"),
        text("cooperative"),
        text("kind"),
        text("number"),
        text("issuer"),
        text("since"),
        text("until", nullable=True),
        whole("stars", nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        text("note"),
        text("file"),
        text("file_type"),
        sa.Column("public_file", sa.Boolean(), nullable=False),
        sa.CheckConstraint(
            "until IS NULL OR until >= since", name="ck_certificate_since_before_until"
        ),
        sa.CheckConstraint(
            "stars IS NULL OR (stars >= 1 AND stars <= 5)", name="ck_certificate_stars"
        ),
        sa.ForeignKeyConstraint(
            ["cooperative"], ["cooperative.slug"], name="fk_certificate_cooperative_cooperative"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_certificate"),
        sa.UniqueConstraint("cooperative", "kind", "number", name="uq_certificate_cooperative"),
    )
    op.create_index("ix_certificate_cooperative_until", "certificate", ["cooperative", "until"])
    op.create_table(
        "certificate_subject",
        text("certificate_id"),
        text("what"),
        text("key"),
        sa.ForeignKeyConstraint(
            ["certificate_id"],
            ["certificate.id"],
            name="fk_certificate_subject_certificate_id_certificate",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("certificate_id", "what", "key", name="pk_certificate_subject"),
    )
    op.create_index("ix_certificate_subject_what_key", "certificate_subject", ["what", "key"])
    op.create_table(
        "registry_past",
        text("what"),
        text("key"),
        text("until"),
        text("kind"),
        text("name"),
        text("village"),
        text("commune"),
        text("province"),
        whole("changed_at"),
        text("changed_by"),
        sa.PrimaryKeyConstraint("what", "key", "until", name="pk_registry_past"),
    )


def downgrade() -> None:
    for table in ("registry_past", "certificate_subject", "certificate"):
        op.drop_table(table)
    for name in ("compulsory", "pack_sizes", "origin", *reversed(TEXTS)):
        op.drop_column("product", name)
