"""The words of a lot's page: what each step of its way is called, and on whose word it stands.

Whole sentences for readers; ``way`` and ``story`` give the values. Also the small picture of a
season's days, drawn as lines from the lowest to the highest value with a gap where a day has none.
"""

from dataclasses import dataclass
from typing import Any

from nongso.platform.forms import mass
from nongso.platform.languages import _, date, language, number, quantity
from nongso.platform.traceability.making.recipe_book import recipes
from nongso.platform.traceability.records import NOODLES, ROOTS, STARCH, Lot
from nongso.platform.traceability.registry.records import (
    FOOD_SAFETY,
    OCOP,
    TEST_REPORT,
    VIETGAP,
    Certificate,
)
from nongso.platform.traceability.shopper import way
from nongso.platform.traceability.shopper.way import Step

CLASSES = {
    way.GROWER: "stated",
    way.HOUSEHOLD: "stated",
    way.COOPERATIVE: "stated",
    way.SCALE: "weighed",
    way.SENSOR: "measured",
    way.SIMULATED: "simulated",
    way.LABORATORY: "tested",
}
BANDS = ("air_temperature", "air_humidity", "soil_moisture")
_DAY_WIDTH = 4
_HEIGHT = 40


def kind(key: str) -> str:
    """What goods of a kind are called."""
    found = recipes().kinds.get(key)
    return found.words.said(language()) if found is not None else ""


def title(step: Step, lot: Lot) -> str:
    """What was done."""
    several = number(step.times)
    match step.what:
        case "planted":
            return _("Trồng")
        case "fertilised":
            return _("Bón %(name)s, %(times)s lần", name=step.name or _("phân"), times=several)
        case "watered" if step.litres is not None:
            return _(
                "Tưới %(times)s lần, %(water)s", times=several, water=quantity(step.litres, "l")
            )
        case "watered":
            return _("Tưới %(times)s lần", times=several)
        case "hand_watered":
            return _("Tưới tay %(times)s lần", times=several)
        case "cared":
            return _("Chăm cây %(times)s lần", times=several)
        case "sprayed":
            return _("Phun %(name)s", name=step.name)
        case "harvested":
            return _("Thu hoạch %(mass)s", mass=_weight(step))
        case "regrouped":
            return _("Chia, gộp lô %(times)s lần", times=number(step.lots))
        case "taken_over":
            return _(
                "Hợp tác xã mua của hộ %(mass)s %(kind)s",
                mass=_weight(step),
                kind=kind(step.kind),
            )
        case "kept_fee":
            return _(
                "Hợp tác xã giữ %(mass)s %(kind)s làm tiền công",
                mass=_weight(step),
                kind=kind(step.kind),
            )
        case "tested" if step.passed:
            return _("Kiểm nghiệm %(what)s: đạt", what=step.name)
        case "tested":
            return _("Kiểm nghiệm %(what)s: không đạt", what=step.name)
        case "packed":
            return _("Đóng %(packs)s gói", packs=number(lot.packs))
    return _of_goods(step)


def _weight(step: Step) -> str:
    """How much of it went into this lot: weighed, or about so much by what flowed further."""
    if step.grams is None:
        return _("một phần")
    if not step.is_part:
        return mass(step.grams)
    rough = 1000 if step.grams >= 10_000 else 100 if step.grams >= 1000 else 1
    return _("khoảng %(mass)s", mass=mass(round(step.grams / rough) * rough))


def _of_goods(step: Step) -> str:
    goods, grams, households = kind(step.kind), _weight(step), number(step.households)
    match step.what:
        case "gathered" if step.kind == ROOTS:
            return _("%(households)s hộ đào củ dong trên đồi", households=households)
        case "gathered":
            return _("%(households)s hộ thu hái %(kind)s", households=households, kind=goods)
        case "weighed_in":
            return _("Cân vào %(mass)s %(kind)s", mass=grams, kind=goods)
        case "bought_in":
            return _("Mua thêm %(mass)s %(kind)s từ nơi khác", mass=grams, kind=goods)
    if step.kind == STARCH:
        return _("Xay, lắng được %(mass)s bột dong", mass=grams)
    if step.kind == NOODLES:
        return _("Tráng, phơi được %(mass)s miến", mass=grams)
    return _("Làm ra %(mass)s %(kind)s", mass=grams, kind=goods)


def detail(step: Step) -> str:
    """What else is to be known of a step; empty where nothing is."""
    said = []
    if step.ingredient:
        said.append(_("Hoạt chất %(name)s.", name=step.ingredient))
    if step.interval_days:
        said.append(
            _("Nhãn ghi cách ly %(count)s ngày trước khi thu hoạch.", count=step.interval_days)
        )
    elif step.interval_days == 0:
        said.append(_("Nhãn không ghi thời gian cách ly."))
    if step.unmetered and step.litres is not None:
        said.append(_("Trong đó %(times)s lần không đo được nước.", times=number(step.unmetered)))
    elif step.unmetered:
        said.append(_("Không có đồng hồ nước nên không biết bao nhiêu lít."))
    return " ".join(said)


def whose_word(step: Step) -> str:
    """On whose word a step stands."""
    if step.word == way.SENSOR and step.litres is None:
        return _("do tủ điều khiển ghi")
    if step.word == way.LABORATORY and step.laboratory:
        return _("do %(name)s kiểm nghiệm", name=step.laboratory)
    return {
        way.GROWER: _("do người trồng khai"),
        way.HOUSEHOLD: _("do hộ trồng khai"),
        way.COOPERATIVE: _("do hợp tác xã khai"),
        way.SCALE: _("do hợp tác xã cân"),
        way.SENSOR: _("đo bằng cảm biến"),
        way.SIMULATED: _("số đo mô phỏng"),
        way.LABORATORY: _("do phòng kiểm nghiệm kết luận"),
    }[step.word]


def in_band(record: dict[str, Any]) -> list[str]:
    """How many hours were as the crop likes it, a sentence a metric."""
    found = []
    for metric in BANDS:
        band = record.get("bands", {}).get(metric)
        if not band or not band["hours"]:
            continue
        unit = "°C" if metric == "air_temperature" else "%"
        found.append(
            _(
                "%(metric)s trong khoảng %(low)s–%(high)s: "
                "%(inside)s trong %(hours)s giờ đo được.",
                metric={
                    "air_temperature": _("Nhiệt độ"),
                    "air_humidity": _("Độ ẩm không khí"),
                    "soil_moisture": _("Độ ẩm đất"),
                }[metric],
                low=number(band["low"]),
                high=quantity(band["high"], unit),
                inside=number(band["hours_in"]),
                hours=number(band["hours"]),
            )
        )
    return found


def how_much(record: dict[str, Any]) -> list[str]:
    """From how many readings and hours a record was summed up, and what was left out."""
    if "hours" not in record:
        return []
    said = [
        _(
            "Tổng kết từ %(readings)s số đo, trong %(hours)s của %(all)s giờ.",
            readings=number(record["readings"]),
            hours=number(record["hours"]),
            all=number(record["all_hours"]),
        )
    ]
    if record["missing_hours"]:
        said.append(_("Thiếu số đo %(hours)s giờ.", hours=number(record["missing_hours"])))
    if record["suspect_hours"]:
        said.append(
            _(
                "%(hours)s giờ có số đo đáng ngờ; số đó không được dùng.",
                hours=number(record["suspect_hours"]),
            )
        )
    return said


def measured(record: dict[str, Any]) -> list[str]:
    """What a growing record says, for the cooperative's own pages: days, hours, water, gaps."""
    said = [_("Đo được %(days)s ngày.", days=number(record["days"])), *in_band(record)]
    if record["litres"] is not None:
        water = {"water": quantity(record["litres"], "l"), "times": number(record["waterings"])}
        said.append(_("Lượng nước đã tưới: %(water)s, %(times)s lần tưới.", **water))
    said += how_much(record)
    if record["missing_days"]:
        count = number(len(record["missing_days"]))
        said.append(_("%(count)s ngày thiếu số đo của cảm biến.", count=count))
    if record["simulated"]:
        said.append(_("Số đo mô phỏng, không phải của cảm biến thật."))
    return said


@dataclass(frozen=True)
class Picture:
    """Lines of an SVG: the days that were measured, and those that were not."""

    width: int
    height: int
    days: str
    missing: str
    low: str
    high: str
    said: str


def picture(record: dict[str, Any]) -> Picture | None:
    """Draw lowest and highest of each day; ``None`` where the record has no days to draw."""
    daily = record.get("daily") or []
    known = [ends for ends in daily if ends is not None]
    if len(daily) < 2 or not known:
        return None
    low, high = min(ends[0] for ends in known), max(ends[1] for ends in known)
    spread = max(high - low, 1.0)

    def y(value: float) -> str:
        return f"{2 + (high - value) / spread * (_HEIGHT - 4):.1f}".rstrip("0").rstrip(".")

    days, missing = [], []
    for at, ends in enumerate(daily):
        x = at * _DAY_WIDTH + _DAY_WIDTH // 2
        if ends is None:
            missing.append(f"M{x} 0V{_HEIGHT}")
        else:
            top, bottom = y(ends[1]), y(ends[0])
            days.append(f"M{x} {top}V{bottom if bottom != top else float(top) + 1:}")
    unit = "°C" if record.get("daily_metric") == "air_temperature" else "%"
    if record.get("daily_metric") == "light":
        return None
    return Picture(
        width=len(daily) * _DAY_WIDTH,
        height=_HEIGHT,
        days="".join(days),
        missing="".join(missing),
        low=quantity(low, unit, 1),
        high=quantity(high, unit, 1),
        said=_(
            "Mỗi ngày một vạch, từ thấp nhất đến cao nhất. %(measured)s ngày có số đo, "
            "%(missing)s ngày thiếu.",
            measured=number(len(known)),
            missing=number(len(daily) - len(known)),
        ),
    )


def certificate(paper: Certificate) -> str:
    """What paper it is, its number, who gave it, and how long it holds."""
    what = {
        OCOP: _("Chứng nhận OCOP %(stars)s sao", stars=paper.stars or 0),
        VIETGAP: _("Chứng nhận VietGAP"),
        FOOD_SAFETY: _("Chứng nhận an toàn thực phẩm"),
        TEST_REPORT: _("Phiếu kiểm nghiệm"),
    }.get(paper.kind, _("Giấy chứng nhận"))
    said = {"what": what, "number": paper.number, "issuer": paper.issuer}
    if paper.last_day is None:
        return _("%(what)s số %(number)s, do %(issuer)s cấp", **said)
    return _(
        "%(what)s số %(number)s, do %(issuer)s cấp, đến ngày %(day)s",
        day=date(paper.last_day),
        **said,
    )
