"""Layouts of labels to choose from: those that come with the print shop, and a cooperative's own.

An own layout is the text of a layout file, as ``nongso labels sheet --layout FILE`` reads it. Here
it has a text, the address, and may have a place for a bar code: what else a layout file can hold
(prices, ingredients) nobody fills here. It is kept only after the print shop has printed a full
page of labels on it and read them back.
"""

from dataclasses import dataclass, replace

from sqlalchemy import select
from sqlalchemy.orm import Session

from nongso.labels import layout as layouts
from nongso.labels import layoutfile
from nongso.labels.errors import UnknownLayout
from nongso.labels.layout import Layout
from nongso.platform.traceability.errors import PlaceUnknown
from nongso.platform.traceability.labelling.errors import LayoutNamed, TooManyLayouts
from nongso.platform.traceability.labelling.records import LabelLayout
from nongso.platform.traceability.making.operations import Desk

DEFAULT_LAYOUT = "a4-3x8"
MOST_LAYOUTS = 50
MOST_FILE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Offered:
    """A layout to choose. ``file`` is the text of an own one; ``name`` is empty for the others."""

    key: str
    layout: Layout
    name: str = ""
    file: str | None = None


def offered(session: Session, cooperative: str | None) -> list[Offered]:
    """Every layout to choose from, a cooperative's own first."""
    return [
        *(_own(one) for one in own(session, cooperative)),
        *(Offered(name, layouts.find(name)) for name in layouts.plain()),
    ]


def own(session: Session, cooperative: str | None) -> list[LabelLayout]:
    """A cooperative's own layouts by name."""
    wanted = select(LabelLayout).where(LabelLayout.cooperative == cooperative)
    return list(session.scalars(wanted.order_by(LabelLayout.name)))


def find(session: Session, cooperative: str | None, key: str) -> Offered:
    """The layout of that key. Raises ``UnknownLayout``."""
    there = session.get(LabelLayout, key)
    if there is not None and there.cooperative == cooperative:
        return _own(there)
    if key not in layouts.plain():
        raise UnknownLayout(key, layouts.plain())
    return Offered(key, layouts.find(key))


def _own(there: LabelLayout) -> Offered:
    return Offered(there.id, layouts.read(there.id, there.file), there.name, there.file)


def keep(desk: Desk, id_: str, layout: Layout) -> LabelLayout:
    """Keep a layout, new or changed, under its title.

    Raises ``LayoutNamed``, ``TooManyLayouts``, ``PlaceUnknown`` for another cooperative's.
    """
    others = [one for one in own(desk.session, desk.cooperative) if one.id != id_]
    if any(one.name == layout.title for one in others):
        raise LayoutNamed(layout.title)
    if len(others) >= MOST_LAYOUTS:
        raise TooManyLayouts(MOST_LAYOUTS)
    file = layoutfile.write(replace(layout, name=id_))
    kept = desk.session.get(LabelLayout, id_)
    if kept is None:
        kept = LabelLayout(id=id_, cooperative=desk.cooperative)
        desk.session.add(kept)
    if kept.cooperative != desk.cooperative:
        raise PlaceUnknown("layout", id_)
    kept.name, kept.file, kept.at, kept.actor = layout.title, file, desk.now, desk.actor
    return kept


def take_away(desk: Desk, id_: str) -> None:
    """Offer a layout no more; what was printed on it stays. Raises ``PlaceUnknown``."""
    kept = desk.session.get(LabelLayout, id_)
    if kept is None or kept.cooperative != desk.cooperative:
        raise PlaceUnknown("layout", id_)
    desk.session.delete(kept)
