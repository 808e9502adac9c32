"""Alerts name people by their ids, so that the name of who has left is gone from them.

What happened to alerts stood with names in a table that only grows. It is written anew here, this
once: a name that one person of the cooperative has becomes that person's id, any other nobody's.
"""

import json
from typing import Any

import sqlalchemy as sa
from alembic import op

from nongso.platform.migrations.schema import guard, text, unguard

revision = "alerts_2"
down_revision = "alerts_1"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("alert", text("acknowledged_person", nullable=True))
    op.add_column("alert", text("acknowledged_helper", nullable=True))
    bind = op.get_bind()
    ids = _ids(bind)
    for alert, cooperative, by in bind.execute(
        sa.text(
            "SELECT id, cooperative, acknowledged_by FROM alert WHERE acknowledged_by IS NOT NULL"
        )
    ).all():
        bind.execute(
            sa.text("UPDATE alert SET acknowledged_person = :person WHERE id = :alert"),
            {"person": ids.get((cooperative, by)) or ids.get((None, by)), "alert": alert},
        )
    op.execute("ALTER TABLE alert DROP COLUMN acknowledged_by")

    def known(cooperative: str, name: Any) -> str | None:
        return ids.get((cooperative, name)) or ids.get((None, name))

    def changed(body: dict[str, Any], cooperative: str) -> dict[str, Any]:
        if "by" in body:
            body = {**body, "by": known(cooperative, body["by"])}
        if "people" in body:
            found = [known(cooperative, name) for name in body["people"]]
            body = {**body, "people": [person for person in found if person]}
        return body

    _rewrite(changed)


def downgrade() -> None:
    op.add_column("alert", text("acknowledged_by", nullable=True))
    op.execute(
        "UPDATE alert SET acknowledged_by = "
        "(SELECT name FROM person WHERE person.id = alert.acknowledged_person)"
    )
    op.execute("ALTER TABLE alert DROP COLUMN acknowledged_helper")
    op.execute("ALTER TABLE alert DROP COLUMN acknowledged_person")
    rows = op.get_bind().execute(sa.text("SELECT id, name FROM person")).all()
    names: dict[Any, str] = {person: name for person, name in rows}  # noqa: C416  (rows, not pairs)

    def changed(body: dict[str, Any], _cooperative: str) -> dict[str, Any]:
        if "by" in body:
            body = {**body, "by": names.get(body["by"], "")}
        if "people" in body:
            body = {**body, "people": [names.get(one, "") for one in body["people"]]}
        return body

    _rewrite(changed)


def _ids(bind: sa.Connection) -> dict[tuple[str | None, str], str | None]:
    """Return whose a name is in a cooperative; ``None`` where it is several people's."""
    found: dict[tuple[str | None, str], str | None] = {}
    for person, name, cooperative in bind.execute(
        sa.text("SELECT id, name, cooperative FROM person")
    ).all():
        key = (cooperative, name)
        found[key] = None if key in found else person
    return found


def _rewrite(changed: Any) -> None:
    bind = op.get_bind()
    rows = bind.execute(
        sa.text(
            "SELECT e.number, e.body, a.cooperative FROM alert_event e "
            "JOIN alert a ON a.id = e.alert WHERE e.what NOT IN ('raised', 'returned', 'cleared')"
        )
    ).all()
    _let_change()
    for number, body, cooperative in rows:
        kept = json.loads(body) if isinstance(body, str) else body
        new = changed(kept, cooperative)
        if new != kept:
            bind.execute(
                sa.text("UPDATE alert_event SET body = :body WHERE number = :number").bindparams(
                    sa.bindparam("body", type_=sa.JSON())
                ),
                {"body": new, "number": number},
            )
    guard("alert_event")


def _let_change() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP TRIGGER alert_event_no_change ON alert_event")
        unguard("alert_event")
        return
    for deed in ("update", "delete"):
        op.execute(f"DROP TRIGGER alert_event_no_{deed}")
