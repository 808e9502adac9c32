"""The page on which a person says how a zone is to be watered: by moisture, by the clock, by hand.

Everything that is typed stays in the form when it cannot be used, and each wrong field says why.
The gateway checks once more; what it refuses is said on the greenhouse's page.
"""

import hashlib
import json
import re
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flask import Blueprint, abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from nongso.platform import pins, typed_numbers
from nongso.platform.accounts import allow
from nongso.platform.greenhouse import commands, operations, sentences
from nongso.platform.greenhouse.commands import Wish, WishError
from nongso.platform.greenhouse.pages import WATERERS, asked_greenhouse, pressed_id
from nongso.platform.greenhouse.records import Greenhouse, Zone, greenhouse_of_zone
from nongso.platform.languages import _, number
from nongso.platform.store import records
from nongso.platform.typed_numbers import LONGEST, TwoWays, Unreadable

blueprint = Blueprint("ways", __name__)

SLOTS = 4
EVERY_DAY = tuple(range(7))
UTC_OFFSET_MINUTES = 420  # Viet Nam has one time and no summer time
FIRST_BAND = {"low": 40.0, "high": 55.0, "run_seconds": 300, "soak_seconds": 1800}
LONGEST_SOAK_MINUTES = 1440
_CLOCK = re.compile("([01]?[0-9]|2[0-3]):([0-5][0-9])")


@dataclass
class Typed:
    """What stands in the fields, and what is wrong with them."""

    mode: str
    numbers: dict[str, str]
    slots: list[dict[str, Any]]
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
    return _page(greenhouse, zone, _kept(zone))


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
    if typed.wrong:
        return _page(greenhouse, zone, typed), 400
    if typed.mode != "off" and (refused := pins.trouble()):
        typed.wrong["pin"] = refused
        return _page(greenhouse, zone, typed), 403
    wish = Wish("mode", zone=zone.id, mode=typed.mode, band=band, schedule=schedule)
    # The same press twice is one wish; the same page with other numbers is another.
    told = json.dumps([typed.mode, band, schedule], sort_keys=True)
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
        },
        slots + [dict(empty) for _n in range(max(1, SLOTS - len(slots)))],
    )


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
    count = len(_kept(zone).slots)
    return Typed(
        form.get("mode", ""),
        {name: form.get(name, "")[:LONGEST] for name in ("low", "high", "minutes", "soak")},
        [
            {
                "at": form.get(f"at{n}", "").strip()[:LONGEST],
                "minutes": form.get(f"minutes{n}", "").strip()[:LONGEST],
                "days": tuple(d for d in EVERY_DAY if form.get(f"day{n}-{d}")),
            }
            for n in range(count)
        ],
    )


def _band(typed: Typed, zone: Zone) -> dict[str, Any]:
    low, high = typed.number("low", 0, 99), typed.number("high", 1, 100)
    if not typed.wrong and low >= high:
        typed.wrong["high"] = _("Mức này phải cao hơn mức bắt đầu tưới.")
    return {
        "low": low,
        "high": high,
        "run_seconds": round(typed.number("minutes", 0.1, zone.max_run_seconds / 60) * 60),
        "soak_seconds": round(typed.number("soak", 0, LONGEST_SOAK_MINUTES) * 60),
    }


def _schedule(typed: Typed, zone: Zone) -> dict[str, Any]:
    found = []
    longest = zone.max_run_seconds / 60
    for n, slot in enumerate(typed.slots):
        if not slot["at"] and not slot["minutes"]:
            continue
        typed.numbers[f"minutes{n}"] = slot["minutes"]
        minutes = typed.number(f"minutes{n}", 0.1, longest)
        at = slot["at"]
        if not at.startswith("sun"):  # only where the settings file has it so
            clock = _CLOCK.fullmatch(at.replace("h", ":").replace("giờ", ":"))
            if clock is None:
                typed.wrong[f"at{n}"] = _("Xin nhập giờ, ví dụ 05:30.")
                continue
            at = f"{int(clock[1]):02d}:{clock[2]}"
        if not slot["days"]:
            typed.wrong[f"days{n}"] = _("Xin chọn ít nhất một ngày.")
        found.append({"days": list(slot["days"]), "at": at, "run_seconds": round(minutes * 60)})
    if not found and not typed.wrong:
        typed.wrong["at0"] = _("Xin hẹn ít nhất một giờ tưới.")
    kept = zone.schedule or {}
    return {
        "slots": found,
        "utc_offset_minutes": kept.get("utc_offset_minutes", UTC_OFFSET_MINUTES),
        **({"place": kept["place"]} if kept.get("place") else {}),
    }


def _page(greenhouse: Greenhouse, zone: Zone, typed: Typed) -> str:
    return render_template(
        "greenhouse/way.html",
        greenhouse=greenhouse,
        zone=zone,
        typed=typed,
        wish_id=commands.new_id(),
        longest=number(zone.max_run_seconds / 60),
        days=(_("T2"), _("T3"), _("T4"), _("T5"), _("T6"), _("T7"), _("CN")),
    )
