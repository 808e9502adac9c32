"""How good the readings are, in the plans' own words: đúng, đủ, sạch, sống.

Right (đúng): the share of readings in which nothing is suspect. Complete (đủ): the share of hours
with a good reading, from the first reading of the time on. Clean (sạch): how many messages had to
be refused. Alive (sống): the share of stations heard within a day.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from nongso.platform.greenhouse.records import Greenhouse, Node, Refused
from nongso.platform.telemetry import HOUR, Telemetry

ALIVE_SECONDS = 86400


@dataclass(frozen=True)
class Quality:
    """Parts and wholes; a whole of 0 means that there was nothing to judge."""

    good: int = 0
    readings: int = 0
    hours_measured: int = 0
    hours: int = 0
    refused: int = 0
    alive: int = 0
    stations: int = 0

    def __add__(self, other: "Quality") -> "Quality":
        return Quality(
            self.good + other.good,
            self.readings + other.readings,
            self.hours_measured + other.hours_measured,
            self.hours + other.hours,
            self.refused + other.refused,
            self.alive + other.alive,
            self.stations + other.stations,
        )


def quality_of(
    session: Session,
    telemetry: Telemetry,
    houses: Sequence[Greenhouse],
    since: int,
    until: int,
    now: int,
) -> Quality:
    """Judge the readings of these greenhouses in a time; stations as they are now."""
    total = Quality()
    for house in houses:
        total += _of_house(session, telemetry, house, since, min(until, now), now)
    gateways = {house.gateway for house in houses if house.gateway}
    refused = session.scalar(
        select(func.count())
        .select_from(Refused)
        .where(Refused.gateway.in_(gateways), Refused.at >= since, Refused.at < until)
    )
    return total + Quality(refused=refused or 0)


def _of_house(
    session: Session, telemetry: Telemetry, house: Greenhouse, since: int, until: int, now: int
) -> Quality:
    series = list(telemetry.series(greenhouse=house.slug))
    hours = telemetry.summaries(series, since, until, HOUR) if series and until > since else []
    first = min((hour.since for hour in hours), default=until)
    nodes = session.scalars(
        select(Node).where(
            Node.greenhouse == house.slug, Node.replaced_by.is_(None), Node.removed_at.is_(None)
        )
    ).all()
    newest = [_newest(telemetry, node.eui64) for node in nodes]
    return Quality(
        good=sum(hour.good for hour in hours),
        readings=sum(hour.good + hour.suspect for hour in hours),
        hours_measured=sum(hour.good > 0 for hour in hours),
        hours=-(-(until - first) // HOUR),
        alive=sum(at > now - ALIVE_SECONDS for at in newest),
        stations=len(newest),
    )


def _newest(telemetry: Telemetry, node: str) -> int:
    points = telemetry.latest(telemetry.series(node=node))
    return max((point.at for point in points.values()), default=0)
