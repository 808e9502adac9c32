"""Which rules hold where: the defaults of the crop, with what people have changed.

A plan belongs to a greenhouse, or to a gateway for what all its greenhouses share. Nobody must
write one: without a plan the general rules hold and nights are quiet.
"""

import logging
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.alerts import rules
from nongso.platform.alerts.findings import Finding
from nongso.platform.alerts.records import AlertPlan
from nongso.platform.alerts.rules import NIGHT, Rule

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Plan:
    """What holds at a place."""

    crop: str
    quiet: tuple[int, int] | None
    rules: dict[str, Rule]
    changes: dict[str, dict[str, Any]]

    def rule_for(self, finding: Finding) -> Rule | None:
        """Return the rule of a finding; the dry limit follows the zone's own band of moisture."""
        rule = self.rules.get(finding.code)
        low = finding.values.get("low")
        if (
            rule is not None
            and rule.code == "soil_dry"
            and "on" not in self.changes.get("soil_dry", {})
            and isinstance(low, (int, float))
            and 0 < low < 97
        ):
            rule = rules.changed(rule, {"on": float(low), "off": float(low) + 3})
            if finding.values.get("waters_itself"):
                # It begins to water at this limit, and soaks in between: only what lasts is news.
                rule = replace(rule, hold_seconds=max(rule.hold_seconds, 2 * rules.HOUR))
        return rule


class Plans:
    """All plans, read once for a look at all farms."""

    def __init__(self, session: Session) -> None:
        self._kept = {plan.place: plan for plan in session.scalars(select(AlertPlan))}
        self._made: dict[str, Plan] = {}

    def at(self, place: str) -> Plan:
        """Return the plan of a place."""
        kept = self._kept.get(place)
        if kept is None:
            return _GENERAL
        if place not in self._made:
            self._made[place] = plan_of(kept)
        return self._made[place]


def plan_of(kept: AlertPlan | None) -> Plan:
    """Make a plan from what is kept. A change that does not fit any more is left out."""
    if kept is None:
        return _GENERAL
    found = rules.defaults(kept.crop)
    for code, change in kept.changes.items():
        if code not in found:
            continue
        try:
            found[code] = rules.changed(found[code], change)
        except ValueError as error:
            log.warning("plan of %s: %s", kept.place, error)
    quiet = (
        (kept.quiet_from, kept.quiet_until)
        if kept.quiet_from is not None and kept.quiet_until is not None
        else None
    )
    return Plan(kept.crop, quiet, found, kept.changes)


_GENERAL = Plan("general", NIGHT, rules.defaults("general"), {})
