"""What the platform knows of farms: gateways, greenhouses, zones, nodes, runs, wishes, alarms.

All of it is reported by gateways (``nongso.platform.ingest``) except greenhouses that only hold
imported readings, and ``Command``: the wishes of people, which gateways fetch. Readings are in
``nongso.platform.telemetry``.
"""

from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, func, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from nongso.platform.people import Cooperative
from nongso.platform.store import Base

AWAY_SECONDS = 90  # a gateway asks every 20 s, which is noted down every 40 s
UNHEARD_SECONDS = 60  # a run is over so long after its ordered end, heard or not
AUTOMATIC = ("band", "schedule", "balance")  # ways of watering that need nobody
RECKONED = ("balance", "advice")  # ways that go by the water that plants have used
BY_HAND = "hand"  # a wish, and the cause of its run: a person waters, nothing is opened
WET_TEST = "wet_test"  # a wish, and the cause of its run: somebody stands at the valve and looks
WET_TEST_SEEN = "wet_test_seen"  # a wish: what came of it
LOCKING = (  # alarms with which a gateway locks their zone, or all zones where they name none
    *("no_flow", "low_flow", "high_flow", "valve_not_opened", "valve_not_closed"),
    *("pump_not_started", "pump_not_stopped", "main_not_closed", "coil_not_closed", "leak"),
)
END_UNKNOWN = "end_unknown"  # the code of a run whose end no gateway has told


class Gateway(Base):
    """A tủ điều khiển. ``key`` is kept readable, because it also signs the commands for it."""

    __tablename__ = "gateway"

    slug: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    cooperative: Mapped[str] = mapped_column(ForeignKey(Cooperative.slug), index=True)
    key: Mapped[str]
    key_hash: Mapped[str] = mapped_column(unique=True)
    simulated: Mapped[bool] = mapped_column(default=False)
    registered_at: Mapped[int]
    seen_at: Mapped[int | None]
    store: Mapped[str | None]  # the gateway's store file whose rows we heard last
    configured_row: Mapped[int | None]  # the row of that store with its last configuration

    def is_away(self, now: int) -> bool:
        """Say whether it has not been heard for so long that it cannot be told anything."""
        return self.seen_at is None or now - self.seen_at > AWAY_SECONDS


class Greenhouse(Base):
    """A nhà màng. Without a gateway it has only past (imported) readings."""

    __tablename__ = "greenhouse"

    slug: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    cooperative: Mapped[str] = mapped_column(ForeignKey(Cooperative.slug), index=True)
    gateway: Mapped[str | None] = mapped_column(ForeignKey("gateway.slug"), index=True)
    farm: Mapped[str | None]
    farm_name: Mapped[str | None]
    area_m2: Mapped[float | None]
    imported: Mapped[bool] = mapped_column(default=False)


class Zone(Base):
    """A khu tưới as its gateway last described it."""

    __tablename__ = "zone"

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    greenhouse: Mapped[str] = mapped_column(ForeignKey("greenhouse.slug"), index=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.slug"))
    coil: Mapped[int]
    area_m2: Mapped[float | None]
    mode: Mapped[str]
    band: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    schedule: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    balance: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    bed: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # the soil as the gateway reckons it
    # is_armed, has_meter, passed, last (``nongso.platform.rows.WetTests``)
    wet_test: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    max_run_seconds: Mapped[int]
    max_day_seconds: Mapped[int]
    state: Mapped[str] = mapped_column(default="idle")
    code: Mapped[str | None]
    values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    state_at: Mapped[int] = mapped_column(default=0)
    gone: Mapped[bool] = mapped_column(default=False)

    @property
    def is_armed(self) -> bool:
        """Whether it may water at all; older gateways ask for no wet test."""
        return self.wet_test is None or bool(self.wet_test["is_armed"])

    @property
    def is_resting(self) -> bool:
        """Whether somebody's stop keeps it from watering by itself."""
        is_kept = self.code == "stopped_by_person" and self.state == "idle"
        return is_kept and self.mode in AUTOMATIC


class WaterSource(Base):
    """A nguồn nước as its gateway last ``told`` it (``nongso.platform.rows.SourceState``)."""

    __tablename__ = "water_source"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.slug"), primary_key=True)
    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    told: Mapped[dict[str, Any]] = mapped_column(JSON)
    at: Mapped[int]
    gone: Mapped[bool] = mapped_column(default=False)


class Node(Base):
    """A trạm đo, one row a board. ``greenhouse`` is ``None`` for what a whole farm shares.

    ``replaced_by`` is the board that has taken this one's name and place; what both have measured
    is the history of one station. ``removed_at`` is when its gateway knew it no more and no other
    board had taken its place: what it has measured stays.
    """

    __tablename__ = "node"

    eui64: Mapped[str] = mapped_column(primary_key=True)
    slug: Mapped[str]
    gateway: Mapped[str | None] = mapped_column(ForeignKey("gateway.slug"), index=True)
    farm: Mapped[str | None]
    greenhouse: Mapped[str | None]
    zone: Mapped[str | None]
    state: Mapped[str | None]
    state_at: Mapped[int] = mapped_column(default=0)
    # number, version, state, wanted, why: what it runs, and what became of a new version
    program: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    program_at: Mapped[int] = mapped_column(default=0)
    replaced_by: Mapped[str | None]
    replaced_at: Mapped[int | None]
    removed_at: Mapped[int | None]

    @property
    def is_out(self) -> bool:
        """Whether it measures no more: what it gave last says nothing of now."""
        return self.replaced_by is not None or self.removed_at is not None


class Run(Base):
    """One watering as the gateway recorded it.

    ``code`` and ``values`` tell how it ended once it has; why it began is kept beside them. Where
    it is over and the gateway knows it no more (its disk was lost), ``code`` is ``end_unknown``
    and ``ended_at`` the latest time that it can have lasted to.
    """

    __tablename__ = "run"
    __table_args__ = (Index("ix_run_zone_started_at", "zone", "started_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    zone: Mapped[str]
    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.slug"))
    cause: Mapped[str]
    by: Mapped[str | None]
    state: Mapped[str]
    code: Mapped[str]
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    start_code: Mapped[str | None]
    start_values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    ordered_seconds: Mapped[int]
    started_at: Mapped[int]
    ended_at: Mapped[int | None]
    seconds: Mapped[float]
    litres: Mapped[float | None]  # unknown where no meter has counted

    @property
    def is_by_switch(self) -> bool:
        """Whether a hand-auto switch at the cabinet is what waters: nobody has said so, and no
        phone can end it."""
        return self.cause == BY_HAND and self.by is None

    def is_end_unknown(self, now: int) -> bool:
        """Say whether it is surely over, while nobody has told how it ended."""
        if self.ended_at is not None:
            return self.code == END_UNKNOWN
        return now > self.started_at + self.ordered_seconds + UNHEARD_SECONDS


class Command(Base):
    """What a person wished of a gateway. ``state`` is ``sent`` until the gateway answered.

    ``number`` grows with each wish of a gateway, and tells which of two was made first.
    """

    __tablename__ = "command"
    __table_args__ = (
        Index("ix_command_gateway_state", "gateway", "state"),
        Index("ix_command_gateway_number", "gateway", "number", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.slug"))
    number: Mapped[int] = mapped_column(BigInteger)
    cooperative: Mapped[str] = mapped_column(ForeignKey(Cooperative.slug))
    do: Mapped[str]
    zone: Mapped[str | None] = mapped_column(index=True)
    seconds: Mapped[int | None]
    mode: Mapped[str | None]
    band: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    schedule: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    balance: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    station: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # which, for what is done to one
    test: Mapped[dict[str, Any] | None] = mapped_column(JSON)  # of a wet test: run, saw
    by: Mapped[str]
    person_id: Mapped[str]
    created_at: Mapped[int]
    expires_at: Mapped[int]
    state: Mapped[str]
    code: Mapped[str | None]
    values: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    outcome_at: Mapped[int | None]


class Alarm(Base):
    """An alarm of a gateway; ``cleared_at`` is ``None`` while it lasts."""

    __tablename__ = "alarm"
    __table_args__ = (Index("ix_alarm_gateway_cleared_at", "gateway", "cleared_at"),)

    id: Mapped[str] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.slug"))
    code: Mapped[str]
    values: Mapped[dict[str, Any]] = mapped_column(JSON)
    zone: Mapped[str | None]
    raised_at: Mapped[int]
    cleared_at: Mapped[int | None]


class Refused(Base):
    """A message that a gateway could not accept; the gateway keeps its bytes."""

    __tablename__ = "refused_message"

    gateway: Mapped[str] = mapped_column(ForeignKey("gateway.slug"), primary_key=True)
    store: Mapped[str] = mapped_column(primary_key=True)
    row: Mapped[int] = mapped_column(primary_key=True)
    topic: Mapped[str]
    code: Mapped[str]
    detail: Mapped[str]
    node: Mapped[str | None]
    at: Mapped[int]


def greenhouse_of_zone(session: Session, zone_id: str) -> tuple[Zone, Greenhouse] | None:
    """Return a zone that still exists, with its greenhouse."""
    row = session.execute(
        select(Zone, Greenhouse)
        .join(Greenhouse, Greenhouse.slug == Zone.greenhouse)
        .where(Zone.id == zone_id, Zone.gone.is_(False))
    ).first()
    return None if row is None else (row[0], row[1])


def end_unheard(session: Session, gateway: str, zone: str, before: int) -> None:
    """Close the zone's runs that began earlier: the gateway says that they go on no more.

    Should it tell their true ends after all, those count.
    """
    for run in session.scalars(
        select(Run)
        .where(Run.gateway == gateway, Run.zone == zone, Run.ended_at.is_(None))
        .where(Run.started_at < before, Run.state != "refused")
    ):
        run.state, run.code, run.values = "done", END_UNKNOWN, {}
        run.ended_at = min(before, run.started_at + run.ordered_seconds)


def was_stopped(session: Session, run: Run) -> bool:
    """Say whether a person's answered order came after the run began and so has ended it.

    The gateway's own row about the end may still be on its way. Both times are the gateway's.
    """
    ended_it = Command.do == "stop"
    ended_it |= (Command.do == "mode") & (Command.mode == "off")
    if run.cause in AUTOMATIC:
        ended_it |= Command.do == "mode"
    reaches_it = Command.zone == run.zone
    if run.cause != BY_HAND:  # a stop of everything takes the hose out of nobody's hand
        reaches_it |= Command.zone.is_(None)
    found = session.scalar(
        select(Command.id)
        .where(Command.gateway == run.gateway, Command.state == "done", ended_it, reaches_it)
        .where(Command.outcome_at > run.started_at)
        .limit(1)
    )
    return found is not None


def is_untried(session: Session, zone: Zone) -> bool:
    """Say whether a zone was unlocked after trouble and no run of it has ended well since.

    Locked, it cannot run: a run that began after the alarm began after somebody had unlocked it.
    """
    if zone.state == "locked" or zone.mode == "off":
        return False
    well = select(func.max(Run.started_at)).where(
        Run.zone == zone.id, Run.code == "done", Run.cause != BY_HAND
    )
    found = session.scalar(
        select(Alarm.id)
        .where(Alarm.gateway == zone.gateway, Alarm.code.in_(LOCKING))
        .where((Alarm.zone == zone.id) | Alarm.zone.is_(None))
        .where(Alarm.raised_at > (session.scalar(well) or 0))
        .limit(1)
    )
    return found is not None


def runs_of(
    session: Session, zones: list[str], since: int = 0, until: int | None = None, limit: int = 1000
) -> list[Run]:
    """Return runs of these zones that touch the time, newest first."""
    wanted = select(Run).where(Run.zone.in_(zones)).order_by(Run.started_at.desc()).limit(limit)
    if since:
        wanted = wanted.where((Run.ended_at.is_(None)) | (Run.ended_at >= since))
    if until is not None:
        wanted = wanted.where(Run.started_at < until)
    return list(session.scalars(wanted))
