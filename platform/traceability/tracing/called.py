"""What people call the things on the way of goods: names instead of bare addresses.

Lots of ours have the product's name and where they are, cartons of ours the holder, and goods that
carry a GTIN of ours the product's name whoever made them up. Of all else the end of the identifier
is told, and whose host it stands under: an address of eighty letters is read by nobody on a phone.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.platform.languages import _
from nongso.platform.store import portions
from nongso.platform.traceability.epcis.same_name import same_form
from nongso.platform.traceability.moving.records import Carton, Holder, Holding
from nongso.platform.traceability.moving.shapes import carton_id
from nongso.platform.traceability.records import Lot
from nongso.platform.traceability.resolver.names import product_of

_GTIN = re.compile(r"https://id\.gs1\.org/01/(\d{14})(?:/(10|21)/([^/?#]+))?")
_SSCC = re.compile(r"https://id\.gs1\.org/00/(\d{18})")
_OUR_CARTON = re.compile(r"/id/carton/([^/?#]+)")
_MOST_LETTERS = 28  # of what is left of an identifier
_MOST_HOLDERS = 2


@dataclass(frozen=True)
class Called:
    """What a thing is called: what it is, its code as it is said aloud, and who has it."""

    title: str
    code: str
    holders: tuple[str, ...] = ()

    def __str__(self) -> str:
        return " ".join(filter(None, (self.title, self.code)))


def called(
    session: Session, keys: Iterable[str], base: str, home: str | None
) -> dict[str, Called]:
    """Say what these things are called. ``home`` is whose books may be told, ``None`` all."""
    wanted = list(dict.fromkeys(keys))
    gtins = {link[1] for key in wanted if (link := _GTIN.fullmatch(key))}
    products = {gtin: _product(session, gtin, home) for gtin in gtins}
    found = {key: _elsewhere(key, products) for key in wanted if ":" in key}
    found |= _cartons(session, list(found), base, home)
    return found | _lots(session, [key for key in wanted if ":" not in key], home)


def _lots(session: Session, codes: Sequence[str], home: str | None) -> dict[str, Called]:
    names: dict[str, str] = {}
    held: dict[str, list[str]] = {}
    for some in portions(codes):
        rows = session.execute(select(Lot.code, Lot.name).where(Lot.code.in_(some)))
        names.update((code, name) for code, name in rows)
        wanted = (
            select(Holding.lot, Holder.name)
            .join(Holder, Holder.id == Holding.holder)
            .where(Holding.lot.in_(some), (Holding.packs > 0) | (Holding.grams > 0))
            .order_by(Holder.name)
        )
        if home is not None:
            wanted = wanted.where(Holder.cooperative == home)
        for code, name in session.execute(wanted):
            held.setdefault(code, []).append(name)
    return {code: Called(names.get(code, ""), code, _some(held.get(code, []))) for code in codes}


def _some(names: list[str]) -> tuple[str, ...]:
    more = ["…"] if len(names) > _MOST_HOLDERS else []
    return (*names[:_MOST_HOLDERS], *more)


def _cartons(
    session: Session, keys: Sequence[str], base: str, home: str | None
) -> dict[str, Called]:
    """Cartons of ours among these identifiers, and who has them."""
    code_of: dict[str, str] = {}
    for key in keys:
        if own := _SSCC.fullmatch(key) or _OUR_CARTON.search(key):
            code_of[key] = own[1]
    found = {}
    for some in portions(list(code_of.values())):
        wanted = (
            select(Carton.code, Holder.name)
            .outerjoin(Holder, Holder.id == Carton.holder)
            .where(Carton.code.in_(some))
        )
        if home is not None:
            wanted = wanted.where(Carton.cooperative == home)
        for code, holder in session.execute(wanted):
            key = same_form(carton_id(base, code))
            if key in code_of:
                found[key] = Called(_("Thùng"), code, (holder,) if holder else ())
    return found


def _product(session: Session, gtin: str, home: str | None) -> str:
    """The name of the product of ours that has this GTIN, or had it."""
    product = product_of(session, gtin)
    known = product is not None and home in (None, product.cooperative)
    return product.name if product is not None and known else f"GTIN {gtin}"


def _elsewhere(key: str, products: Mapping[str, str]) -> Called:
    if sscc := _SSCC.fullmatch(key):
        return Called(_("Thùng"), sscc[1])
    if link := _GTIN.fullmatch(key):
        title, code = products[link[1]], unquote(link[3] or "")
        if link[2] == "10":
            return Called(title, _("lô %(lot)s", lot=code))
        return Called(title, _("gói %(pack)s", pack=code) if code else "")
    parts = urlsplit(key) if key.startswith(("http://", "https://")) else None
    if parts is None or not parts.netloc:
        return Called("", _short(key.rsplit(":", 1)[-1] or key))
    end = unquote(parts.path.rstrip("/").rsplit("/", 1)[-1]) or parts.netloc
    return Called(_short(parts.netloc), _short(end) if end != parts.netloc else "")


def _short(text: str) -> str:
    """The end of a long text: what tells one lot from the next stands there."""
    plain = "".join(filter(str.isprintable, text))
    return plain if len(plain) <= _MOST_LETTERS else "…" + plain[1 - _MOST_LETTERS :]
