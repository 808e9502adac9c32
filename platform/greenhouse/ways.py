"""The page on which a person says how a zone is to be watered: by moisture, clock, plants, hand.

Everything that is typed stays in the form when it cannot be used, and each wrong field says why.
The gateway checks once more; what it refuses is said on the greenhouse's page.
"""

import datetime
import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from nongso.agronomy.crops import crops, soils
from nongso.platform import pins, typed_numbers
from nongso.platform.accounts import allow
from nongso.platform.greenhouse import commands, operations, sentences
from nongso.platform.greenhouse.commands import Wish, WishError
from nongso.platform.greenhouse.now import may_have_probe
from nongso.platform.greenhouse.pages import WATERERS, asked_greenhouse, pressed_id
from nongso.platform.greenhouse.period import PLANTINGS
from nongso.platform.greenhouse.records import Greenhouse, Zone, greenhouse_of_zone, runs_of
from nongso.platform.languages import _, day_of, language, number
from nongso.platform.store import records
from nongso.platform.telemetry import telemetry
from nongso.platform.typed_numbers import LONGEST, TwoWays, Unreadable
from nongso.wire.slots import MOST_SLOTS, SlotError, check, read_time

blueprint = Blueprint("ways", __name__)

SLOTS = 4
EVERY_DAY = tuple(range(7))
UTC_OFFSET_MINUTES = 420  # Viet Nam has one time and no summer time
FIRST_BAND = {"low": 40.0, "high": 55.0, "run_seconds": 300, "soak_seconds": 1800}
LONGEST_SOAK_MINUTES = 1440
LONGEST_SEASON_DAYS = 400
MOST_FLOW = 1000
WETTED = {"drip": 0.4, "all": 1.0}  # FAO-56, table 20: drip wets 0.3 to 0.4 of the ground
FALLBACKS = ("nothing", "minimum")
BY_HAND_HOURS = (0, 6, 24, 72)  # 0: until somebody changes it
PLANTS = ("crop", "planted", "soil", "wetted", "fallback", "hours", "blindly")
METERED_RUNS, LEAST_METERED_SECONDS = 20, 60
_ROW = re.compile("(?:at|minutes|day)([0-9]{1,4})(?:-[0-6])?")


@dataclass
class Typed:
    """What stands in the fields, and what is wrong with them."""

    mode: str
    numbers: dict[str, str]
    slots: list[dict[str, Any]]
    plants: dict[str, str]
    wrong: dict[str, str] = field(default_factory=dict)

    def number(self, name: str, low: float, high: float) -> float:
        """Read a number of a field; a wrong one is noted and counts as 0."""
        text = self.numbers[name]
        try:
            found = typed_numbers.read(text)
        except (TwoWays, Unreadable):
            found = Decimal(-1)
        if low <= found <= high:
            return float(found)
        self.wrong[name] = _(
            "Xin nhập một số từ %(low)s đến %(high)s.", low=_written(low), high=_written(high)
        )
        return 0.0


@blueprint.get("/greenhouses/<slug>/way")
@allow(*WATERERS, scope="water")
def way(slug: str) -> str:
    """Show how a zone is watered, to be changed."""
    greenhouse, zone = _asked(slug)
    typed = _kept(zone)
    if not zone.balance:
        typed.plants["planted"] = _last_planting(slug).isoformat()
    return _page(greenhouse, zone, typed)


@blueprint.post("/greenhouses/<slug>/way")
@allow(*WATERERS, scope="water")
def change(slug: str) -> Response | tuple[str, int]:
    """Take a new way of watering and give it to the gateway."""
    greenhouse, zone = _asked(slug)
    typed = _typed(zone)
    if typed.mode not in commands.MODES:
        abort(400)
    band = _band(typed, zone) if typed.mode == "band" else None
    schedule = _schedule(typed, zone) if typed.mode == "schedule" else None
    balance = _balance(typed, zone) if typed.mode in ("balance", "advice") else None
    if typed.wrong:
        return _page(greenhouse, zone, typed), 400
    if typed.mode != "off" and (refused := pins.trouble()):
        typed.wrong["pin"] = refused
        return _page(greenhouse, zone, typed), 403
    seconds = _by_hand_seconds(typed)
    wish = Wish("mode", zone.id, seconds, typed.mode, band, schedule, balance)
    # The same press twice is one wish; the same page with other numbers is another.
    told = json.dumps([typed.mode, seconds, band, schedule, balance], sort_keys=True)
    id_ = pressed_id(f"{zone.id}:{hashlib.sha256(told.encode()).hexdigest()}")
    expires = int(time.time()) + commands.DEFAULT_EXPIRY_SECONDS
    try:
        operations.give(zone, greenhouse, wish, id_, expires)
    except WishError as error:
        typed.wrong["mode"] = sentences.refusal(error.code, error.values, {}, time.time())
        return _page(greenhouse, zone, typed), 409
    return redirect(url_for("greenhouse.house", slug=slug, said=id_) + "#said", 303)


def _asked(slug: str) -> tuple[Greenhouse, Zone]:
    greenhouse = asked_greenhouse(slug)
    found = greenhouse_of_zone(records(), request.values.get("zone", ""))
    if found is None or found[1].slug != greenhouse.slug:
        abort(404)
    return greenhouse, found[0]


def _kept(zone: Zone) -> Typed:
    band = FIRST_BAND | (zone.band or {})
    slots = [_shown(slot) for slot in (zone.schedule or {}).get("slots", [])]
    empty = {"at": "", "minutes": "", "days": EVERY_DAY}
    return Typed(
        zone.mode,
        {
            "low": _written(band["low"]),
            "high": _written(band["high"]),
            "minutes": _written(band["run_seconds"] / 60),
            "soak": _written(band["soak_seconds"] / 60),
            "flow": _flow(zone),
        },
        slots + [dict(empty) for _n in range(max(1, SLOTS - len(slots)))],
        _planted(zone),
    )


def _planted(zone: Zone) -> dict[str, str]:
    """What stands for plants and soil; where nobody has chosen yet, no crop is supposed."""
    kept = zone.balance or {}
    return {
        "crop": kept.get("crop", ""),
        "planted": kept.get("planted", day_of(time.time()).isoformat()),
        "soil": kept.get("soil", "thit"),
        "wetted": "all" if kept.get("wetted_share", WETTED["drip"]) == WETTED["all"] else "drip",
        "fallback": kept.get("fallback", FALLBACKS[0]),
        "hours": "0",
        "blindly": (zone.band or {}).get("fallback", FALLBACKS[0]),
    }


def _last_planting(slug: str) -> datetime.date:
    """The day that the diary says; today where it says none that can still be growing."""
    today = day_of(time.time())
    told = current_app.extensions.get(PLANTINGS, lambda _slug: ())(slug)
    days = [day for day in told if 0 <= (today - day).days <= LONGEST_SEASON_DAYS]
    return max(days, default=today)


def _flow(zone: Zone) -> str:
    """Litres a minute as set, else as the meter has counted in the last runs, else empty."""
    if zone.balance:
        return _written(zone.balance["flow_l_per_min"])
    counted = sorted(
        run.litres / run.seconds * 60
        for run in runs_of(records(), [zone.id], limit=METERED_RUNS)
        if run.litres and run.seconds >= LEAST_METERED_SECONDS
    )
    return _written(round(counted[len(counted) // 2], 1)) if counted else ""


def _shown(slot: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": slot["at"],
        "minutes": _written(slot["run_seconds"] / 60),
        "days": tuple(slot["days"]),
    }


def _written(value: float) -> str:
    return number(value, 0 if value == round(value) else 1)


def _typed(zone: Zone) -> Typed:
    form = request.form
    rows = {int(found[1]) for name in form if (found := _ROW.fullmatch(name))}
    rows |= set(range(len(_kept(zone).slots)))
    return Typed(
        form.get("mode", ""),
        {
            name: form.get(name, "")[:LONGEST]
            for name in ("low", "high", "minutes", "soak", "flow")
        },
        [
            {
                "at": form.get(f"at{n}", "").strip()[:LONGEST],
                "minutes": form.get(f"minutes{n}", "").strip()[:LONGEST],
                "days": tuple(d for d in EVERY_DAY if form.get(f"day{n}-{d}")),
            }
            for n in sorted(rows)
        ],
        {name: form.get(name, "")[:LONGEST] for name in PLANTS},
    )


def _band(typed: Typed, zone: Zone) -> dict[str, Any]:
    low, high = typed.number("low", 0, 99), typed.number("high", 1, 100)
    if not typed.wrong and low >= high:
        typed.wrong["high"] = _("Mức này phải cao hơn mức bắt đầu tưới.")
    blindly = typed.plants["blindly"] or FALLBACKS[0]
    if blindly not in FALLBACKS:
        abort(400)
    return {
        "low": low,
        "high": high,
        "run_seconds": round(typed.number("minutes", 0.1, zone.max_run_seconds / 60) * 60),
        "soak_seconds": round(typed.number("soak", 0, LONGEST_SOAK_MINUTES) * 60),
        **({} if blindly == FALLBACKS[0] else {"fallback": blindly}),
    }


def _schedule(typed: Typed, zone: Zone) -> dict[str, Any]:
    found: list[dict[str, Any]] = []
    longest = zone.max_run_seconds / 60
    kept = zone.schedule or {}
    place = kept.get("place")
    for n, slot in enumerate(typed.slots):
        if not slot["at"] and not slot["minutes"]:
            continue
        typed.numbers[f"minutes{n}"] = slot["minutes"]
        minutes = typed.number(f"minutes{n}", 0.1, longest)
        at = _time_of_day(slot["at"], place is not None)
        if at is None:
            typed.wrong[f"at{n}"] = _("Xin nhập giờ, ví dụ 05:30.")
            continue
        if not slot["days"]:
            typed.wrong[f"days{n}"] = _("Xin chọn ít nhất một ngày.")
        found.append({"days": list(slot["days"]), "at": at, "run_seconds": round(minutes * 60)})
    if not found and not typed.wrong:
        typed.wrong["at0"] = _("Xin hẹn ít nhất một giờ tưới.")
    if len(found) > MOST_SLOTS:
        typed.wrong["mode"] = _(
            "Chưa lưu: mỗi khu hẹn được nhiều nhất %(most)s giờ tưới. Xin bỏ bớt.",
            most=number(MOST_SLOTS),
        )
    offset = kept.get("utc_offset_minutes", UTC_OFFSET_MINUTES)
    if not typed.wrong:
        told = [(tuple(one["days"]), one["at"], one["run_seconds"]) for one in found]
        try:
            check(told, offset, place, zone.max_run_seconds)
        except SlotError:  # the gateway would refuse it too
            typed.wrong["mode"] = sentences.refusal("not_understood", {}, {})
    return {
        "slots": found,
        "utc_offset_minutes": offset,
        **({"place": place} if place else {}),
    }


def _time_of_day(text: str, has_place: bool) -> str | None:
    """A slot's time as it is kept: ``5h30`` is ``05:30``; ``None`` for what no gateway takes.

    Only a settings file makes slots that go by the sun, as it alone says where the farm is.
    """
    text = text.replace("giờ", ":").replace("h", ":") if text[:1].isdecimal() else text
    try:
        word, minutes = read_time(text)
    except ValueError:
        return None
    if word == "clock":
        return f"{minutes // 60:02d}:{minutes % 60:02d}"
    return text if has_place else None


def _balance(typed: Typed, zone: Zone) -> dict[str, Any]:
    """Read plants and soil; what only a settings file sets stays as it is."""
    plants = typed.plants
    if (
        plants["crop"] not in ("", *crops())
        or plants["soil"] not in soils()
        or plants["wetted"] not in WETTED
        or plants["fallback"] not in FALLBACKS
    ):
        abort(400)
    if not plants["crop"]:
        typed.wrong["crop"] = _("Xin chọn cây trồng.")
    try:
        planted = datetime.date.fromisoformat(plants["planted"])
    except ValueError:
        planted = None
    age = None if planted is None else (day_of(time.time()) - planted).days
    if age is None or not 0 <= age <= LONGEST_SEASON_DAYS:
        typed.wrong["planted"] = _("Xin chọn ngày trồng, không quá hôm nay.")
    kept = zone.balance or {}
    others = ("utc_offset_minutes", "elevation_m")
    return {
        "crop": plants["crop"],
        "planted": plants["planted"],
        "soil": plants["soil"],
        "flow_l_per_min": typed.number("flow", 0.1, MOST_FLOW),
        "wetted_share": WETTED[plants["wetted"]],
        "fallback": plants["fallback"],
        **{name: kept[name] for name in others if name in kept},
    }


def _by_hand_seconds(typed: Typed) -> int | None:
    """How long ``manual`` lasts; ``None`` until somebody changes it."""
    hours = typed.plants["hours"] or "0"
    if hours not in map(str, BY_HAND_HOURS):
        abort(400)
    return int(hours) * 3600 or None if typed.mode == "manual" else None


def _labels() -> dict[str, str]:
    return {
        "low": _("Bắt đầu tưới khi độ ẩm đất dưới (phần trăm)"),
        "high": _("Tưới đến khi độ ẩm đất đạt (phần trăm)"),
        "minutes": _("Mỗi lần tưới mấy phút"),
        "soak": _("Nghỉ mấy phút cho nước thấm rồi mới tưới tiếp"),
        "crop": _("Cây trồng"),
        "planted": _("Ngày trồng"),
        "flow": _("Khi mở van, mỗi phút chảy mấy lít"),
    }


def _label(name: str) -> str:
    """What a field of a trouble is called where all troubles stand together."""
    row = _ROW.fullmatch(name) or _ROW.fullmatch(name.replace("days", "day"))
    return _("Lần %(count)s", count=int(row[1]) + 1) if row else _labels().get(name, "")


def _page(greenhouse: Greenhouse, zone: Zone, typed: Typed) -> str:
    has_probe = may_have_probe(records(), telemetry(), zone)
    return render_template(
        "greenhouse/way.html",
        greenhouse=greenhouse,
        zone=zone,
        typed=typed,
        wish_id=commands.new_id(),
        labels=_labels(),
        troubles=[
            (name, _label(name), said) for name, said in typed.wrong.items() if _label(name)
        ],
        no_probe="" if has_probe else sentences.refusal("no_soil_probe", {}, {}),
        crops=({} if typed.plants["crop"] else {"": _("Xin chọn")})
        | {word: getattr(crop, _tongue()) for word, crop in crops().items()},
        soils={word: getattr(kind, _tongue()) for word, kind in soils().items()},
        today=day_of(time.time()).isoformat(),
        longest=number(zone.max_run_seconds / 60),
        days=(_("T2"), _("T3"), _("T4"), _("T5"), _("T6"), _("T7"), _("CN")),
    )


def _tongue() -> str:
    """The names of crops and soils are written in two languages."""
    return "vi" if language() == "vi" else "en"
