"""Takes what gateways bring: one batch of rows, stored once however often it arrives.

How this works. Each row is put where it belongs; one that cannot be is refused by its id, with a
reason, and the others are stored. Readings go into telemetry, everything else into the records,
each in one transaction; only after both are committed does the answer name the rows. A repeated
batch changes nothing: readings by (series, time), runs, commands and alarms by their id, where
a later state wins and an earlier one never overwrites it.

A row that is readable and still cannot be stored (the database refuses it) is found by taking the
batch again row by row; it is refused, so that it never holds up the others for ever.

What rows look like is in ``nongso.platform.rows``, how a batch is taken apart in
``nongso.platform.batches``; HTTP in ``nongso.platform.uplink``.
"""

import logging
import sqlite3
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from nongso.platform import rows
from nongso.platform.batches import Batch
from nongso.platform.greenhouse.commands import take_outcome, with_names
from nongso.platform.greenhouse.records import (
    AUTOMATIC,
    END_UNKNOWN,
    Alarm,
    Command,
    Gateway,
    Greenhouse,
    Node,
    Refused,
    Run,
    WaterSource,
    Zone,
    end_unheard,
)
from nongso.platform.greenhouse.unwritten import unwritten
from nongso.platform.storage import trouble_of
from nongso.platform.store import Records
from nongso.platform.telemetry import Row, Series, Telemetry, Written
from nongso.wire import marks
from nongso.wire.metrics import is_possible, metric_of
from nongso.wire.payload import is_time


class RowError(Exception):
    """One row cannot be taken; the gateway sets it aside and counts it."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


NO_STORE = "none"  # a gateway whose disk cannot be opened, speaking from memory
_WIDE = (rows.ConfigurationRow,)  # touch many records: all or nothing


log = logging.getLogger(__name__)

# What a database or its driver says of values that it cannot keep.
_NOT_STORABLE = (SQLAlchemyError, sqlite3.Error, TypeError, ValueError, ArithmeticError)
_AHEAD_SECONDS = 86400  # a reading from further ahead has no trustworthy time


@dataclass
class Taken:
    """What the answer to a batch says, and how its readings fared."""

    stored: list[int] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)
    readings: Written | None = None


def store(batch: Batch, records: Records, telemetry: Telemetry, now: int) -> Taken:
    """Store a batch; returns after both commits. An error means that nothing was stored."""
    unreadable = list(batch.refused)
    try:
        return _store(batch, records, telemetry, now, row_by_row=False)
    except _NOT_STORABLE as error:
        if trouble_of(error) is not None:  # nothing can be stored now, whatever it is
            raise
        log.warning("a batch of %s is taken row by row: %s", batch.gateway, error)
        batch.refused = unreadable
        return _store(batch, records, telemetry, now, row_by_row=True)


def _store(
    batch: Batch, records: Records, telemetry: Telemetry, now: int, *, row_by_row: bool
) -> Taken:
    taken = Taken(refused=batch.refused)
    with records.transaction() as session:
        if not any(isinstance(row, rows.ConfigurationRow) for _number, row in batch.rows):
            records.aside(session)  # a configuration says whether a computer plays the farm
        written = unwritten().write_down(session, now)  # before a word about them is taken
        keeper = _Keeper(session, session.get_one(Gateway, batch.gateway), batch, now)
        keeper.take_all(row_by_row)
        session.flush()
        # Readings first on disk: if the records fail, the gateway repeats all, which is harmless.
        for node, greenhouse, zone in keeper.placed:
            telemetry.place(node, greenhouse, zone)
        if row_by_row:
            keeper.write_each(telemetry)
        else:
            taken.readings = telemetry.write([row for _, some in keeper.readings for row in some])
    unwritten().forget(written)
    taken.stored = keeper.stored
    return taken


class _Keeper:
    """Puts the rows of one batch where they belong, in the caller's transaction."""

    def __init__(self, session: Session, gateway: Gateway, batch: Batch, now: int) -> None:
        self.session = session
        self.gateway = gateway
        self.batch = batch
        self.now = now
        self.stored: list[int] = []
        self.readings: list[tuple[int, list[Row]]] = []  # by the number of their row
        self.placed: list[tuple[str, str, str]] = []
        # A new disk: its row numbers begin anew.
        if batch.store not in (gateway.store, NO_STORE):
            gateway.store, gateway.configured_row = batch.store, None
        gateway.seen_at = now
        self._takers: dict[type, Any] = {
            rows.Readings: self._take_readings,
            rows.RunRow: self._take_run,
            rows.OutcomeRow: self._take_outcome,
            rows.AlarmRow: self._take_alarm,
            rows.ConfigurationRow: self._take_configuration,
            rows.NodeRow: self._take_node,
            rows.ProgramRow: self._take_program,
            rows.RefusedRow: self._take_refused,
            rows.ZoneRow: self._take_zone,
            rows.SourceRow: self._take_source,
        }
        self._nodes = {node.eui64: node for node in session.scalars(select(Node))}

    def take_all(self, row_by_row: bool) -> None:
        """Put every row where it belongs; ``row_by_row`` finds those that cannot be stored."""
        for number, row in self.batch.rows:
            alone = row_by_row or type(row) in _WIDE
            try:
                with self.session.begin_nested() if alone else nullcontext():
                    self._takers[type(row)](number, row)
                    if row_by_row:
                        self.session.flush()
            except RowError as error:
                self.batch.refuse(number, error.code, str(error))
            except _NOT_STORABLE as error:
                if not row_by_row or trouble_of(error) is not None:
                    raise
                self.batch.refuse(number, "not_storable", str(error))
            else:
                self.stored.append(number)

    def write_each(self, telemetry: Telemetry) -> None:
        """Write the readings of each row alone; a row that cannot be stored is refused."""
        for number, some in self.readings:
            try:
                telemetry.write(some)
            except _NOT_STORABLE as error:
                if trouble_of(error) is not None:
                    raise
                self.stored.remove(number)
                self.batch.refuse(number, "not_storable", str(error))

    def _take_readings(self, number: int, row: rows.Readings) -> None:
        node = self._nodes.get(row.node)
        if node is not None and node.gateway not in (None, self.gateway.slug):
            raise RowError("node_of_another", f"node {row.node} belongs to {node.gateway}")
        greenhouse = (node.greenhouse if node else None) or ""
        zone = (node.zone if node else None) or ""
        taken = []
        for name, at, value, mark in row.readings:
            metric = metric_of(name)
            if metric is None:
                raise RowError("unknown_metric", f"no metric called {name!r}")
            if not 0 <= mark < 64 or mark & 15 >= len(marks.QUALITIES):
                raise RowError("unknown_mark", f"no mark {mark}")
            if not is_time(at):
                raise RowError("not_a_time", f"{at} is no time in Unix seconds")
            if marks.is_good(mark):
                if value is None:
                    mark |= marks.FAILED
                elif not is_possible(metric, value):
                    mark |= marks.IMPOSSIBLE
                elif at > self.now + _AHEAD_SECONDS:
                    mark |= marks.UNTIMED
            taken.append(Row(Series(greenhouse, zone, row.node, name), at, value, mark))
        self.readings.append((number, taken))

    def _take_run(self, _number: int, row: rows.RunRow) -> None:
        found = row.run
        kept = self.session.get(Run, found.id)
        if kept is not None and kept.gateway != self.gateway.slug:
            raise RowError("run_of_another", f"run {found.id} belongs to {kept.gateway}")
        if kept is not None and _is_over(kept, found):
            return
        if kept is None:
            end_unheard(self.session, self.gateway.slug, found.zone, found.started_at)
            kept = Run(id=found.id, gateway=self.gateway.slug, start_values={})
            self.session.add(kept)
        if found.ended_at is None:
            kept.start_code, kept.start_values = found.code, found.values
        for name in rows.RunBody.__struct_fields__:
            setattr(kept, name, getattr(found, name))

    def _take_outcome(self, _number: int, row: rows.OutcomeRow) -> None:
        found = row.command
        kept = self.session.get(Command, found.id)
        if kept is None:  # given on the gateway's other platform; its run and zone rows tell of it
            return
        if kept.gateway != self.gateway.slug:
            raise RowError("unknown_command", f"no command {found.id} was given to this gateway")
        if take_outcome(kept, found.state, found.code, found.values, found.at):
            self._apply(kept, found.at)

    def _apply(self, done: Command, at: int) -> None:
        """Show at once what an order has changed; the zones' own rows may come later."""
        if done.state != "done" or done.do not in ("stop", "mode"):
            return
        zones = select(Zone).where(Zone.gateway == self.gateway.slug, Zone.gone.is_(False))
        if done.zone is not None:
            zones = zones.where(Zone.id == done.zone)
        for zone in self.session.scalars(zones):
            if zone.state_at > at or (done.do == "stop" and zone.state == "locked"):
                continue
            has_told = zone.mode == done.mode and zone.code != "stopped_by_person"
            if zone.state_at == at and done.do == "mode" and has_told:
                continue  # its own row of this second has told more: when it waters next
            zone.values, zone.state_at = {}, at
            if done.do == "stop":
                zone.state = "idle"
                zone.code = "stopped_by_person" if zone.mode in AUTOMATIC else None
                continue
            zone.mode, zone.band = done.mode or zone.mode, done.band or zone.band
            zone.schedule = done.schedule or zone.schedule
            zone.balance = done.balance or zone.balance
            zone.code = None
            if zone.mode == "off" or zone.state == "locked":
                zone.state = "idle"

    def _take_alarm(self, _number: int, row: rows.AlarmRow) -> None:
        found = row.alarm
        kept = self.session.get(Alarm, found.id)
        if kept is not None and kept.gateway != self.gateway.slug:
            raise RowError("alarm_of_another", f"alarm {found.id} belongs to {kept.gateway}")
        if kept is not None and kept.cleared_at is not None:
            return
        if kept is None:
            kept = Alarm(id=found.id, gateway=self.gateway.slug)
            self.session.add(kept)
        for name in rows.AlarmBody.__struct_fields__:
            setattr(kept, name, getattr(found, name))

    def _take_node(self, _number: int, row: rows.NodeRow) -> None:
        node = self._nodes.get(row.node.eui64)
        if node is None or node.gateway != self.gateway.slug:
            raise RowError("unknown_node", f"no node {row.node.eui64} in the configuration")
        if row.node.at >= node.state_at:
            node.state, node.state_at = row.node.state, row.node.at

    def _take_program(self, _number: int, row: rows.ProgramRow) -> None:
        found = row.program
        node = self._nodes.get(found.eui64)
        if node is None or node.gateway != self.gateway.slug:
            raise RowError("unknown_node", f"no node {found.eui64} in the configuration")
        if found.at >= node.program_at:
            names = ("number", "version", "state", "wanted", "why")
            node.program = {name: getattr(found, name) for name in names}
            node.program_at = found.at

    def _take_refused(self, number: int, row: rows.RefusedRow) -> None:
        found = row.refused
        self.session.merge(
            Refused(
                gateway=self.gateway.slug,
                store=self.batch.store,
                row=number,
                topic=_shown(found.topic, 200),
                code=_shown(found.code, 60),
                detail=_shown(found.detail, 500),
                node=None if found.node is None else _shown(found.node, 100),
                at=found.at,
            )
        )

    def _take_zone(self, _number: int, row: rows.ZoneRow) -> None:
        found = row.zone
        zone = self.session.get(Zone, found.id)
        if zone is None or zone.gateway != self.gateway.slug:
            raise RowError("unknown_zone", f"no zone {found.id} in the configuration")
        if found.at < zone.state_at:
            return
        if found.state != "running":
            end_unheard(self.session, self.gateway.slug, zone.id, found.at)
        zone.state, zone.state_at = found.state, found.at
        zone.code, zone.values = found.code, found.values
        if found.mode is not None:
            zone.mode = found.mode
        if found.band is not None:
            zone.band = found.band
        if found.schedule is not None:
            zone.schedule = msgspec.to_builtins(found.schedule)
        if found.balance is not None:
            zone.balance = msgspec.to_builtins(found.balance)
        zone.bed = msgspec.to_builtins(found.bed)
        zone.wet_test = with_names(self.session, msgspec.to_builtins(found.wet_test))

    def _take_source(self, _number: int, row: rows.SourceRow) -> None:
        found = row.source
        kept = self.session.get(WaterSource, (self.gateway.slug, found.id))
        if kept is None:
            kept = WaterSource(gateway=self.gateway.slug, id=found.id, at=0)
            self.session.add(kept)
        if found.at >= kept.at:
            kept.name, kept.at, kept.gone = found.name, found.at, False
            kept.told = msgspec.to_builtins(found)

    def _take_configuration(self, number: int, row: rows.ConfigurationRow) -> None:
        gateway, found = self.gateway, row.configuration
        if gateway.configured_row is not None and number < gateway.configured_row:
            return
        slugs = {house.slug for house in found.greenhouses}
        for slug in slugs:
            kept = self.session.get(Greenhouse, slug)
            if kept is not None and kept.gateway not in (None, gateway.slug):
                raise RowError("greenhouse_taken", f"greenhouse {slug} belongs to {kept.gateway}")
            if kept is not None and kept.cooperative != gateway.cooperative:
                raise RowError("greenhouse_taken", f"greenhouse {slug} belongs to others")
        for listed in found.nodes:
            taken = self._nodes.get(listed.eui64)
            if taken is not None and taken.gateway not in (None, gateway.slug):
                raise RowError("node_taken", f"node {listed.eui64} belongs to {taken.gateway}")
        farms = {place.slug: place.name for place in found.farms}
        gateway.name, gateway.simulated = found.name, found.simulated
        gateway.configured_row = number
        zones = set()
        for house in found.greenhouses:
            self._keep_house(house, farms)
            zones |= {zone.id for zone in house.zones}
        self.session.flush()
        for zone in self.session.scalars(select(Zone).where(Zone.gateway == gateway.slug)):
            zone.gone = zone.id not in zones
        if found.sources is not None:
            for source in self.session.scalars(
                select(WaterSource).where(WaterSource.gateway == gateway.slug)
            ):
                source.gone = source.id not in found.sources
        for house_kept in self.session.scalars(
            select(Greenhouse).where(Greenhouse.gateway == gateway.slug)
        ):
            if house_kept.slug not in slugs:
                house_kept.gateway = None
        self._keep_nodes(found.nodes)

    def _keep_house(self, house: rows.HouseWords, farms: dict[str, str]) -> None:
        kept = self.session.get(Greenhouse, house.slug)
        if kept is None:
            kept = Greenhouse(
                slug=house.slug, cooperative=self.gateway.cooperative, imported=False
            )
            self.session.add(kept)
        kept.name, kept.area_m2 = house.name, house.area_m2
        kept.gateway = self.gateway.slug
        kept.farm, kept.farm_name = house.farm, farms.get(house.farm)
        self.session.flush()
        for words in house.zones:
            zone = self.session.get(Zone, words.id)
            if zone is not None and zone.gateway != self.gateway.slug:
                raise RowError("zone_taken", f"zone {words.id} belongs to {zone.gateway}")
            if zone is None:
                zone = Zone(
                    id=words.id,
                    gateway=self.gateway.slug,
                    state="idle",
                    values={},
                    state_at=0,
                    mode=words.mode,
                    band=words.band,
                    schedule=msgspec.to_builtins(words.schedule),
                    balance=msgspec.to_builtins(words.balance),
                )
                self.session.add(zone)
            for name in ("name", "coil", "area_m2", "max_run_seconds", "max_day_seconds"):
                setattr(zone, name, getattr(words, name))
            zone.greenhouse = house.slug
            if zone.state_at == 0:  # afterwards the zone's own rows tell its mode
                zone.mode, zone.band = words.mode, words.band
                zone.schedule = msgspec.to_builtins(words.schedule)
                zone.balance = msgspec.to_builtins(words.balance)

    def _keep_nodes(self, listed: list[rows.NodeWords]) -> None:
        before = {}
        for node in self._nodes.values():
            if node.gateway == self.gateway.slug:
                before[node.farm, node.slug] = node
                node.gateway = None
        boards = {words.eui64 for words in listed}
        for words in listed:
            old = before.get((words.farm, words.slug))
            if old is not None and old.eui64 not in boards:
                old.replaced_by, old.replaced_at = words.eui64, self.now
            kept = self._nodes.get(words.eui64)
            if kept is None:
                kept = self._nodes[words.eui64] = Node(eui64=words.eui64, state_at=0)
                self.session.add(kept)
            kept.slug, kept.farm = words.slug, words.farm
            kept.greenhouse, kept.zone = words.greenhouse, words.zone
            kept.gateway = self.gateway.slug
            kept.replaced_by = kept.replaced_at = kept.removed_at = None
            if words.greenhouse:
                self.placed.append((words.eui64, words.greenhouse, words.zone or ""))
        for node in before.values():
            if node.gateway is None and node.replaced_by is None:
                node.removed_at = self.now


def _is_over(kept: Run, found: rows.RunBody) -> bool:
    """Say whether a run has ended, so that a row changes nothing; a true end beats a guess."""
    return kept.ended_at is not None and (kept.code != END_UNKNOWN or found.ended_at is None)


def _shown(text: str, most: int) -> str:
    """Cut a text that anybody may have sent, and leave out what databases refuse."""
    return text.replace("\x00", "")[:most]
