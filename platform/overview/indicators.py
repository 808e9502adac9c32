"""The indicators of the communes' plans: a numerator over a denominator, and whence each comes.

Names follow the plans of Bình Lư, Bắc Hà and Hiệp Lực. A figure that nobody has stated yet is
missing, never guessed; an indicator with a missing part has no value.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.greenhouse.records import Greenhouse
from nongso.platform.languages import _, later
from nongso.platform.overview import counted, stated
from nongso.platform.overview.quarters import Quarter
from nongso.platform.overview.stated import Stated
from nongso.platform.telemetry import Telemetry

COUNTED = later("đếm trong sổ và số đo của hệ thống")
SHARE, SAVED = "share", "saved"


@dataclass(frozen=True)
class Part:
    """A numerator or denominator. ``value`` is ``None`` where nobody knows it."""

    value: float | None
    source: str
    day: str = ""


@dataclass(frozen=True)
class Indicator:
    """One line of the report. ``kind``: ``share`` is n/d, ``saved`` is 1 - n/d."""

    code: str
    kind: str
    numerator: Part
    denominator: Part
    remark: str = ""

    @property
    def percent(self) -> float | None:
        """The value in per cent; ``None`` while a part is missing or there is nothing to share."""
        n, d = self.numerator.value, self.denominator.value
        if n is None or not d:
            return None
        return 100 * (n / d if self.kind == SHARE else 1 - n / d)


CODES = (
    "producers_tracing",
    "cooperatives_digital",
    "products_labelled",
    "products_online",
    "greenhouses_measured",
    "water_saved",
    "work_saved",
    "energy_saved",
)


def indicators(
    session: Session, telemetry: Telemetry, quarter: Quarter, now: int
) -> list[Indicator]:
    """Return all indicators of a quarter, in the order of the report."""
    found = stated.all_stated(session)
    houses = session.scalars(select(Greenhouse)).all()

    def said(name: str) -> Part:
        return _said(found, name, quarter)

    def own(value: float) -> Part:
        return Part(value, str(COUNTED))

    water = counted.water(session, telemetry, quarter, houses)
    work = counted.work(session, quarter, houses, now)
    return [
        Indicator(
            "producers_tracing",
            SHARE,
            own(counted.producers_tracing(session, quarter)),
            said("producers"),
        ),
        Indicator(
            "cooperatives_digital",
            SHARE,
            own(counted.cooperatives_at_work(session, quarter)),
            said("cooperatives"),
        ),
        Indicator(
            "products_labelled",
            SHARE,
            own(counted.products_labelled(session, quarter)),
            said("products"),
        ),
        Indicator("products_online", SHARE, said("products_online"), said("products")),
        Indicator(
            "greenhouses_measured",
            SHARE,
            own(counted.greenhouses_measured(session, telemetry, quarter)),
            said("greenhouses"),
            _("không tính nhà màng mô phỏng và số liệu nhập từ nơi khác"),
        ),
        _saved("water_saved", water),
        _saved("work_saved", work),
        Indicator("energy_saved", SAVED, said("energy_now"), said("energy_before")),
    ]


def _said(found: Sequence[Stated], name: str, quarter: Quarter) -> Part:
    figure = stated.in_force(list(found), name, quarter)
    if figure is None:
        return Part(None, _("chưa có"))
    return Part(figure.value, figure.source, figure.day)


def _saved(code: str, compared: counted.Compared) -> Indicator:
    if not compared.houses:
        missing = Part(None, _("chưa có nhà màng nào ghi số liệu trước khi có hệ thống"))
        return Indicator(code, SAVED, missing, missing)
    remark = _("%(count)s nhà màng có số liệu trước và sau", count=compared.houses)
    before = Part(compared.before, _("người trồng khai, ghi trong nhật ký"))
    return Indicator(code, SAVED, Part(compared.now, str(COUNTED)), before, remark)


def title(code: str) -> str:
    """Return the indicator's name as the report has it."""
    return {
        "producers_tracing": _("Hộ và cơ sở sản xuất dùng truy xuất nguồn gốc"),
        "cooperatives_digital": _(
            "Hợp tác xã, tổ hợp tác dùng giải pháp số trong quản lý sản xuất"
        ),
        "products_labelled": _("Sản phẩm OCOP và nông sản chủ lực đã cấp tem QR"),
        "products_online": _("Sản phẩm bán trên sàn thương mại điện tử"),
        "greenhouses_measured": _("Nhà màng có số đo tự động"),
        "water_saved": _("Nước tưới giảm so với trước"),
        "work_saved": _("Công lao động giảm so với trước"),
        "energy_saved": _("Tiền điện giảm so với trước"),
    }[code]


def unit(code: str) -> str:
    """Return what the parts of an indicator count."""
    return {
        "producers_tracing": _("hộ, cơ sở"),
        "cooperatives_digital": _("hợp tác xã, tổ hợp tác"),
        "products_labelled": _("sản phẩm"),
        "products_online": _("sản phẩm"),
        "greenhouses_measured": _("nhà màng"),
        "water_saved": _("lít mỗi tuần"),
        "work_saved": _("phút mỗi tuần"),
        "energy_saved": _("đồng mỗi quý"),
    }[code]


def figure_word(name: str) -> str:
    """Return what a stated figure is called."""
    return {
        "producers": _("Tổng số hộ và cơ sở sản xuất"),
        "cooperatives": _("Tổng số hợp tác xã, tổ hợp tác"),
        "products": _("Tổng số sản phẩm OCOP và nông sản chủ lực"),
        "products_online": _("Số sản phẩm bán trên sàn thương mại điện tử"),
        "greenhouses": _("Tổng số nhà màng"),
        "energy_before": _("Tiền điện mỗi quý trước khi có hệ thống (đồng)"),
        "energy_now": _("Tiền điện mỗi quý hiện nay (đồng)"),
    }[name]
