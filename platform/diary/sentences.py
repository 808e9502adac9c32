"""The words of the diary: what a line says, as one whole sentence or a short name."""

from nongso.platform.diary.entries import Entry
from nongso.platform.languages import _, number, quantity

NO_BREAK = "\u00a0"


def kind_word(kind: str) -> str:
    """Return what a kind of line is called on its button."""
    return {
        "planted": _("Trồng"),
        "watered": _("Tưới tay"),
        "fertilised": _("Bón phân"),
        "sprayed": _("Phun thuốc"),
        "pruned": _("Chăm cây"),
        "harvested": _("Thu hoạch"),
        "problem": _("Có vấn đề"),
        "note": _("Ghi chú"),
    }[kind]


def unit_name(unit: str) -> str:
    """Return a unit as it is said."""
    return {"l": _("lít"), "plants": _("cây")}.get(unit, unit)


def amount(entry: Entry) -> str:
    """Return how much: 12,5 kg · 300 cây; empty where nobody said."""
    if entry.amount is None:
        return ""
    decimals = (
        0
        if entry.amount == int(entry.amount)
        else 1
        if round(entry.amount, 1) == entry.amount
        else 2
    )
    if entry.unit == "plants":
        return number(entry.amount, decimals) + NO_BREAK + unit_name("plants")
    return quantity(entry.amount, entry.unit, decimals)


def money(dong: int) -> str:
    """Return money as people write it: 60.000 đ."""
    return number(dong) + NO_BREAK + "đ"


def worked(minutes: float) -> str:
    """Return time worked: 45 phút · 2 giờ · 2 giờ 30 phút."""
    hours, rest = divmod(round(minutes), 60)
    if not hours:
        return _("%(count)s phút", count=rest)
    if not rest:
        return _("%(count)s giờ", count=number(hours))
    return _("%(hours)s giờ %(minutes)s phút", hours=number(hours), minutes=rest)


def facts(entry: Entry) -> list[str]:
    """Return what a line says beside its kind, piece by piece, for a list."""
    found = [entry.crop, entry.product]
    if entry.ingredient:
        found.append(_("hoạt chất %(name)s", name=entry.ingredient))
    found.append(amount(entry))
    if entry.interval_days is not None:
        found.append(_("cách ly %(count)s ngày", count=entry.interval_days))
    if entry.minutes:
        found.append(_("làm %(time)s", time=worked(entry.minutes)))
    if entry.cost:
        found.append(money(entry.cost))
    return [one for one in found if one]
