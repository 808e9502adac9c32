"""The words of the diary: what a line says, as one whole sentence or a short name."""

from nongso.platform.diary import remedies
from nongso.platform.diary.entries import Entry
from nongso.platform.diary.remedies import Doubt
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
        "weighed": _("Cân lại"),
        "moved": _("Chuyển chỗ"),
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
    if entry.dose:
        found.append(_("pha %(dose)s", dose=entry.dose))
    if entry.to:
        found.append(_("chuyển đến %(place)s", place=entry.to))
    if entry.interval_days is not None:
        found.append(_("cách ly %(count)s ngày", count=entry.interval_days))
    if entry.who:
        found.append(_("%(name)s làm", name=entry.who))
    if entry.minutes:
        found.append(_("làm %(time)s", time=worked(entry.minutes)))
    if entry.cost:
        found.append(money(entry.cost))
    return [one for one in found if one]


def doubt(found: Doubt, entry: Entry) -> str:
    """Return why a spraying is asked again or not taken, and what to do."""
    return {
        remedies.FORBIDDEN: _(
            "Chưa ghi: hợp tác xã không cho dùng %(product)s (%(source)s). "
            "Nếu đã phun, xin báo cán bộ của hợp tác xã trước khi thu hoạch.",
            product=entry.product,
            source=found.source,
        ),
        remedies.SHORTER_THAN_FILE: _(
            "Nhãn của %(product)s ghi cách ly %(days)s ngày (%(source)s). Xin ghi ít nhất số đó.",
            product=entry.product,
            days=number(found.days),
            source=found.source,
        ),
        remedies.SHORTER_THAN_BEFORE: _(
            "Lần trước %(product)s ghi cách ly %(days)s ngày. "
            "Xin xem lại nhãn. Nếu nhãn ghi như bên trên, xin đánh dấu rồi bấm ghi.",
            product=entry.product,
            days=number(found.days),
        ),
        remedies.LONG: _(
            "Thời gian cách ly %(days)s ngày là rất dài. "
            "Xin xem lại nhãn. Nếu nhãn ghi đúng thế, xin đánh dấu rồi bấm ghi.",
            days=number(entry.interval_days or 0),
        ),
        remedies.MUCH: _(
            "%(amount)s thuốc cho một lần phun là rất nhiều. "
            "Ghi lượng thuốc, không ghi lượng nước pha. Nếu đúng thế, xin đánh dấu rồi bấm ghi.",
            amount=amount(entry),
        ),
    }[found.code]
