"""What watering must remember across restarts, in the store's small durable state.

Zones (mode, band, stop, lock), the runs of the last day, runs that are going on, outcomes of
commands, and standing alarms. A run is written here before its valve is asked to open, so that a
crash in between is noticed. Times of past runs are kept on the boot clock and on the wall clock:
the first counts as long as the machine was not restarted, so that a jump of the wall clock
neither opens nor closes the day's account.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from statistics import median
from typing import Any, Protocol

from nongso.gateway.irrigation import wettest
from nongso.gateway.irrigation.facts import (
    DAY_SECONDS,
    Balance,
    Band,
    Bed,
    Limits,
    Ran,
    Source,
    WetTest,
    Zone,
)
from nongso.gateway.irrigation.schedule import read_schedule
from nongso.gateway.irrigation.sources import Account, day_at, season_first_day
from nongso.gateway.settings import GatewaySettings
from nongso.gateway.settings import Zone as ZoneSettings

MOST_OUTCOMES = 200  # a command is offered for minutes; hundreds of wishes later it has expired
MOST_PAST_RUNS = 500
MOST_FLOWS = 9  # of so many runs the middle one is usual: one odd run changes little
FEWEST_FLOWS = 3

Body = dict[str, Any]


class StateStore(Protocol):
    """The part of the store that the book is kept in."""

    def state(self, key: str) -> str | None: ...

    def set_state(self, key: str, value: str) -> None: ...

    def set_states(self, entries: dict[str, str]) -> None: ...


@dataclass(frozen=True)
class Moment:
    """The same moment on the wall clock and on the boot clock of one boot."""

    wall: float
    boottime: float
    boot: str

    def seconds_until(self, later: "Moment") -> float:
        """How long after this moment ``later`` is; never negative."""
        if self.boot == later.boot:
            return max(0.0, later.boottime - self.boottime)
        return max(0.0, later.wall - self.wall)


@dataclass(frozen=True)
class PastRun:
    """A run that has ended. ``delivered_litres`` is what the zone has had with it, ever.

    Kept together with the run, so that no crash counts its water twice or never.
    """

    ended: Moment
    seconds: float
    went_wrong: bool
    delivered_litres: float = 0.0


class WaterBook:
    """Everything remembered; each change is on disk when the method returns."""

    def __init__(self, settings: GatewaySettings, store: StateStore) -> None:
        self._store = store
        self._settings = settings.zones()
        self._relay = settings.bus.relay.device
        self.sources = {source.id: source for source in settings.sources}
        self._accounts = {source: self._account(source) for source in self.sources}
        self._taken: dict[str, tuple[int, float, float]] = {}  # asked each second: day, its sums
        self.zones = {z.id: self._zone(z) for z in self._settings.values()}
        self.past = {zone: self._past(zone) for zone in self.zones}
        self._flows: dict[str, list[float]] = {
            zone: self._load(f"water.flow.{zone}", []) for zone in self.zones
        }
        self.runs: dict[str, Body] = self._load("water.runs", {})
        self.waiting: dict[str, Body] = self._load("water.waiting", {})  # wishes, until their turn
        self.outcomes: dict[str, Body] = self._load("water.outcomes", {})
        self.alarms: dict[str, Body] = self._load("water.alarms", {})

    # --- zones -----------------------------------------------------------------------------

    def keep_zone(self, zone: Zone) -> None:
        """Remember a zone's state, if it has changed."""
        if self.zones[zone.id] == zone:
            return
        self.zones[zone.id] = zone
        found = asdict(zone)
        del found["limits"], found["id"], found["area_m2"]
        found["from_file"] = _from_file(self._settings[zone.id])
        found["wired"] = self._wired(self._settings[zone.id])
        self._save(f"water.zone.{zone.id}", found)

    def _wired(self, settings: ZoneSettings) -> Body:
        """Where the zone's valve is: what a wet test has shown holds for that alone."""
        return {"coil": settings.coil, "device": self._relay}

    def _zone(self, settings: ZoneSettings) -> Zone:
        """A zone as remembered; where the settings file was edited since, the file wins."""
        limits = Limits(
            float(settings.max_run_seconds),
            float(settings.max_day_seconds),
            windows=settings.windows,
        )
        band = Band(**asdict(settings.band)) if settings.band else None
        schedule = read_schedule(asdict(settings.schedule)) if settings.schedule else None
        zone = Zone(
            settings.id,
            limits,
            settings.mode,
            band,
            schedule,
            settings.balance,
            area_m2=settings.area_m2,
        )
        found = self._load(f"water.zone.{settings.id}", None)
        is_set = settings.mode != "off"
        if found is None:
            return replace(zone, is_armed=is_set)
        is_edited = found.pop("from_file", None) != _from_file(settings)
        wired = self._wired(settings)
        is_rewired = found.pop("wired", wired) != wired  # where none was kept nobody knows
        for name in ("passed", "tested"):
            found[name] = WetTest(**found[name]) if found.get(name) else None
        if "is_armed" not in found:  # of a version that knew no wet tests
            found["is_armed"] = is_set or found["mode"] != "off" or bool(self._past(settings.id))
        elif is_edited and is_set and found["tested"] is None:
            found["is_armed"] = True
        if is_rewired:
            found |= {"is_armed": False, "passed": None, "is_wetting": False, "slots_until": None}
            found["tested"] = found["tested"] and wettest.rewired(found["tested"])
        found["band"] = Band(**found["band"]) if found["band"] else None
        kept = found.get("schedule")
        found["schedule"] = read_schedule(kept) if kept else None
        for name, kind in (("balance", Balance), ("bed", Bed)):
            found[name] = kind(**found[name]) if found.get(name) else None
        if is_edited:
            found |= {"mode": settings.mode, "band": band, "schedule": schedule}
            found |= {"balance": settings.balance, "bed": None}
            found |= {"is_wetting": False, "slots_until": None, "returns_to": None}
        if not found["is_armed"]:
            found |= {"mode": "off", "returns_to": None}
        return replace(zone, **found)

    # --- runs ------------------------------------------------------------------------------

    def begin(self, run: Body) -> None:
        """Remember a run before its valve is asked to open; it waits no more."""
        self.runs[run["id"]] = run
        waited = self.waiting.pop(run["id"], None)
        entries: Body = {"water.runs": self.runs}
        self._save_all(entries if waited is None else entries | {"water.waiting": self.waiting})

    def keep_waiting(self, wish: Body) -> None:
        """Remember a wish that waits for its turn, behind those that wait for longer."""
        self.waiting[wish["id"]] = wish
        in_order = sorted(self.waiting.values(), key=lambda one: one["since"]["boottime"])
        self.waiting = {one["id"]: one for one in in_order}
        self._save("water.waiting", self.waiting)

    def give_up_waiting(self, wish_id: str) -> None:
        """This wish waits no more."""
        if self.waiting.pop(wish_id, None) is not None:
            self._save("water.waiting", self.waiting)

    def keep_runs(self) -> None:
        """Remember how far the runs are."""
        self._save("water.runs", self.runs)

    def drop(self, run_id: str) -> None:
        """The run did not begin."""
        del self.runs[run_id]
        self.keep_runs()

    def finish(
        self, run_id: str, ended: Moment, seconds: float, litres: float | None, went_wrong: bool
    ) -> None:
        """The run is over, and its record is in the outbox.

        It leaves the open runs in the same commit in which its seconds and litres are counted:
        a crash in between would count it again when its end is told again. Where no meter has
        counted, the flow that a person told stands for its water.
        """
        counted = self._draw(run_id, seconds, litres)
        zone = self.runs[run_id]["zone"]
        known = self.past.get(zone, [])
        if litres is None:
            balance = self.zones[zone].balance if zone in self.zones else None
            litres = balance.flow_l_per_min * seconds / 60.0 if balance else 0.0
        windows = self.zones[zone].limits.windows if zone in self.zones else ()
        longest = max([DAY_SECONDS, *(window.hours * 3600.0 for window in windows)])
        late = [p for p in known if p.ended.seconds_until(ended) < longest]
        past = PastRun(ended, seconds, went_wrong, self.delivered_litres(zone) + litres)
        self.past[zone] = _summed([*late, past])
        del self.runs[run_id]
        counted |= {f"water.past.{zone}": [asdict(p) for p in self.past[zone]]}
        self._save_all(counted | {"water.runs": self.runs})

    def delivered_litres(self, zone: str) -> float:
        """Return what the zone was ever given, as far as this book knows."""
        known = self.past.get(zone)
        return known[-1].delivered_litres if known else 0.0

    # --- sources ---------------------------------------------------------------------------

    def source_of(self, zone: str) -> Source | None:
        """Where a zone's water is from, if it was told."""
        settings = self._settings.get(zone)
        return self.sources.get(settings.source or "") if settings else None

    def flow_expected(self, zone: str) -> float:
        """The most that flows into a zone in l/min, as told and as measured; 0 if unknown."""
        told = self._settings[zone].flow_l_per_min
        return max(told or 0.0, self._measured_flow(zone) or 0.0)

    def drawn_litres(self, source: Source, now: float) -> tuple[float, float]:
        """What was and will be taken of a source by the runs that were begun: day, season."""
        today = day_at(source, now)
        account = self._accounts[source.id]
        open_ = sum(
            self._most_litres(run)
            for run in self.runs.values()
            if self.source_of(run["zone"]) == source and run["id"] not in account.counted
        )
        taken = self._taken.get(source.id)
        if taken is None or taken[0] != today:
            season = account.litres(season_first_day(source, today), today)
            taken = (today, account.litres(today, today), season)
            self._taken[source.id] = taken
        return taken[1] + open_, taken[2] + open_

    def _most_litres(self, run: Body) -> float:
        """What an open run will have brought at its end; of a hose, what it has brought."""
        had = float(run["litres"] or 0.0)
        if run["cause"] == "hand":
            return had
        minutes = float(run["ordered_seconds"]) / 60.0
        return max(had, self.flow_expected(run["zone"]) * minutes)

    def _draw(self, run_id: str, seconds: float, litres: float | None) -> Body:
        """Count a run's water with its source, once; without a meter, by the zone's flow.

        Returns what is to be kept.
        """
        run = self.runs[run_id]
        source = self.source_of(run["zone"])
        if source is None:
            return {}
        if litres is None:
            litres = self.flow_expected(run["zone"]) * seconds / 60.0
        day = day_at(source, run["started_at"] + seconds)
        self._accounts[source.id] = self._accounts[source.id].credited(run_id, day, litres)
        self._taken.pop(source.id, None)
        return {f"water.source.{source.id}": asdict(self._accounts[source.id])}

    def _account(self, source: str) -> Account:
        found = self._load(f"water.source.{source}", {"days": {}, "counted": []})
        days = {int(day): litres for day, litres in found["days"].items()}
        return Account(days, tuple(found["counted"]))

    # --- failures and flows ----------------------------------------------------------------

    def note_failure(self, zone: str, now: Moment) -> None:
        """A start came to nothing: not to be tried again each second."""
        self.past[zone].append(PastRun(now, 0.0, True, self.delivered_litres(zone)))

    def flowed(self, zone: str, l_per_min: float) -> None:
        """So much flowed steadily in a run that ended well."""
        if zone in self._flows:
            self._flows[zone] = [*self._flows[zone], l_per_min][-MOST_FLOWS:]
            self._save(f"water.flow.{zone}", self._flows[zone])

    def flow_found(self, zone: str, l_per_min: float) -> None:
        """So much flowed in a wet test: usual from the next run on, whatever was before."""
        self._flows[zone] = [l_per_min] * FEWEST_FLOWS
        self._save(f"water.flow.{zone}", self._flows[zone])

    def usual_flow(self, zone: str) -> float | None:
        """What usually flows in a zone, in l/min, as measured: in its wet test and since, or in
        its runs from the third on. ``None`` where the settings say it, which the supervisor has
        read too, and no wet test knows better."""
        passed = self.zones[zone].passed
        is_tested = passed is not None and passed.flow_l_per_min is not None
        told = self._settings[zone].flow_l_per_min
        return None if told is not None and not is_tested else self._measured_flow(zone)

    def flow_known(self, zone: str) -> float | None:
        """What usually flows in a zone, in l/min, as measured or as the settings say."""
        usual = self.usual_flow(zone)
        return self._settings[zone].flow_l_per_min if usual is None else usual

    def _measured_flow(self, zone: str) -> float | None:
        known = self._flows[zone]
        return median(known) if len(known) >= FEWEST_FLOWS else None

    def ran(self, zone: str, now: Moment) -> tuple[Ran, ...]:
        """The zone's past runs, by age."""
        return tuple(
            Ran(p.ended.seconds_until(now), p.seconds, p.went_wrong) for p in self.past[zone]
        )

    def _past(self, zone: str) -> list[PastRun]:
        return [
            PastRun(**(p | {"ended": Moment(**p["ended"])}))
            for p in self._load(f"water.past.{zone}", [])
        ]

    # --- commands and alarms ---------------------------------------------------------------

    def keep_outcome(self, outcome: Body) -> None:
        """Remember what became of a command, so that it is never carried out again."""
        self.outcomes[outcome["id"]] = outcome
        while len(self.outcomes) > MOST_OUTCOMES:
            del self.outcomes[next(iter(self.outcomes))]
        self._save("water.outcomes", self.outcomes)

    def keep_alarm(self, alarm: Body) -> None:
        """Remember a standing alarm; a cleared one is forgotten."""
        if alarm["cleared_at"] is None:
            self.alarms[alarm["id"]] = alarm
        else:
            self.alarms.pop(alarm["id"], None)
        self._save("water.alarms", self.alarms)

    # --- the store -------------------------------------------------------------------------

    def _load(self, key: str, default: Any) -> Any:
        text = self._store.state(key)
        return default if text is None else json.loads(text)

    def _save(self, key: str, found: Any) -> None:
        self._save_all({key: found})

    def _save_all(self, entries: Body) -> None:
        self._store.set_states(
            {
                key: json.dumps(found, ensure_ascii=False, allow_nan=False)
                for key, found in entries.items()
            }
        )


class Held:
    """The store, with the lease held after each step: a slow disk must not stop a run."""

    def __init__(self, store: Any, hold: Callable[[], None]) -> None:
        self._store, self._hold = store, hold

    def record(self, kind: str, body: Body) -> None:
        self._store.record(kind, body)
        self._hold()

    def seen_command(self, command_id: str) -> bool:
        seen: bool = self._store.seen_command(command_id)
        self._hold()
        return seen

    def has_on_disk(self, command_id: str) -> bool:
        found: bool = self._store.has_on_disk(command_id)
        return found

    def state(self, key: str) -> str | None:
        found: str | None = self._store.state(key)
        return found

    def set_state(self, key: str, value: str) -> None:
        self._store.set_state(key, value)
        self._hold()

    def set_states(self, entries: dict[str, str]) -> None:
        self._store.set_states(entries)
        self._hold()


def _summed(past: list[PastRun]) -> list[PastRun]:
    """At most so many runs: the oldest two become one that ended with the later of them.

    So a limit of many days is kept to with a little too much counted, never too little.
    """
    while len(past) > MOST_PAST_RUNS:
        first, second, *others = past
        past = [replace(second, seconds=first.seconds + second.seconds), *others]
    return past


def _from_file(settings: ZoneSettings) -> Body:
    found: Body = {
        "mode": settings.mode,
        "band": Band(**asdict(settings.band)).told() if settings.band else None,
    }
    if settings.schedule is not None:  # left out, so that files of before are not edited ones
        found["schedule"] = asdict(settings.schedule)
    if settings.balance is not None:
        found["balance"] = asdict(settings.balance)
    return found
